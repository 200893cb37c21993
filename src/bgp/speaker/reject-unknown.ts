/** Connections from addresses that nobody configured: turned away politely, with a bound on the effort and on the log. */
import { ceaseNotification } from '../fsm/leave-state.ts';
import type { Cease } from '../fsm/types.ts';
import { encodeMessage } from '../wire/message.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import { INITIAL_CONTEXT } from '../wire/types.ts';
import type { Runtime } from './runtime.ts';
import type { Connection } from './transport.ts';
import type { SpeakerListener } from './types.ts';

/** How many may be on their way out at one time before the next are cut without a word. */
const MOST_AT_ONCE = 32;

export class UnknownConnections {
  readonly #runtime: Pick<Runtime, 'now'>;
  readonly #listener: Required<SpeakerListener>;
  readonly #leaving = new Set<Promise<void>>();
  readonly #lines = new LineLimit();

  constructor(runtime: Pick<Runtime, 'now'>, listener: Required<SpeakerListener>) {
    this.#runtime = runtime;
    this.#listener = listener;
  }

  turnAway(connection: Connection): void {
    this.#log(connection);
    const left = this.#leaving.size < MOST_AT_ONCE ? refuse(connection) : connection.abort();
    this.#leaving.add(left);
    void left.finally(() => this.#leaving.delete(left));
  }

  /** Resolves when all are gone. */
  async close(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  #log({ remote, local }: Connection): void {
    const count = this.#lines.due(this.#runtime.now());
    if (count === undefined) return;
    this.#listener.onLog(
      'warn',
      null,
      'connection refused: no neighbor is configured at this address (and local_address, if it has one)',
      { from: remote, to: local, count },
    );
  }
}

// Turning away a connection that nobody here wants.

/** RFC 4486 §4: a connection that is disallowed after it was accepted gets Cease, Connection Rejected. */
const REJECTED: Cease = { subcode: CeaseSubcode.ConnectionRejected };

/** Says why and closes. Resolves when the connection is gone. */
export function refuse(connection: Connection, cease: Cease = REJECTED): Promise<void> {
  connection.use({ onData: () => undefined, onDrain: () => undefined, onClose: () => undefined });
  connection.write(encodeMessage(ceaseNotification(cease, false), INITIAL_CONTEXT));
  return connection.close();
}

// One line in the log for many of a kind that arrive in a row.

/** At most one line in this time, in milliseconds, with the number of those it stands for. */
const LOG_EVERY_MS = 10_000;

export class LineLimit {
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  /** Counts one more at `now` (ms). How many a line written now stands for; undefined when none is due. */
  due(now: number): number | undefined {
    this.#unlogged++;
    if (now - this.#loggedAt < LOG_EVERY_MS) return undefined;
    const count = this.#unlogged;
    this.#loggedAt = now;
    this.#unlogged = 0;
    return count;
  }
}
