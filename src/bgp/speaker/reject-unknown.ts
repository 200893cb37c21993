/** Refuses connections from addresses that are not configured, with limits on effort and log lines. */
import { ceaseNotification } from '../fsm/leave-state.ts';
import type { Cease } from '../fsm/types.ts';
import { encodeMessage } from '../wire/message.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import { INITIAL_CONTEXT } from '../wire/types.ts';
import type { Runtime } from './runtime.ts';
import type { Connection } from './transport.ts';
import type { SpeakerListener } from './types.ts';

/** Limits refused connections that are closing at one time; further ones are reset without a message. */
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

  reject(connection: Connection): void {
    this.#log(connection);
    const left = this.#leaving.size < MOST_AT_ONCE ? refuse(connection) : connection.abort();
    this.#leaving.add(left);
    void left.finally(() => this.#leaving.delete(left));
  }

  /** Resolves when all are closed. */
  async close(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  #log({ remote, local }: Connection): void {
    const count = this.#lines.due(this.#runtime.now());
    if (count === undefined) return;
    this.#listener.onLog(
      'warn',
      undefined,
      'connection refused: no neighbor is configured at this address (and local_address, if it has one)',
      { from: remote, to: local, count },
    );
  }
}

// Refusing an unwanted connection.

/** RFC 4486 §4: a connection that is refused after it was accepted gets Cease, Connection Rejected. */
const REJECTED: Cease = { subcode: CeaseSubcode.ConnectionRejected };

/** Sends the Cease and closes. Resolves when the connection is closed. */
export function refuse(connection: Connection, cease: Cease = REJECTED): Promise<void> {
  connection.use({ onData: () => undefined, onDrain: () => undefined, onClose: () => undefined });
  connection.write(encodeMessage(ceaseNotification(cease, false), INITIAL_CONTEXT));
  return connection.close();
}

// One log line for many similar events in a row.

/** Interval of the log lines, in milliseconds; each gives the number of events since the last. */
const LOG_EVERY_MS = 10_000;

export class LineLimit {
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  /** Counts an event at `now` (ms). Returns the number of events if a line is due, otherwise undefined. */
  due(now: number): number | undefined {
    this.#unlogged++;
    if (now - this.#loggedAt < LOG_EVERY_MS) return undefined;
    const count = this.#unlogged;
    this.#loggedAt = now;
    this.#unlogged = 0;
    return count;
  }
}
