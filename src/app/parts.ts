/**
 * The daemon's parts. `daemon.ts` starts them one after another. They are stopped in the order of `STOPS`, whether the
 * daemon stops or its start failed, and within a time limit: sessions are closed although a disk does not answer, and
 * the log names what did not finish.
 */
import type { Logger } from 'pino';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import { realTimers } from './clock.ts';

/**
 * The order of stopping. It is not the order of starting reversed: the API accepts events before the sessions connect
 * and must end before they close, and the followers of the facts need the engine's state but must outlive it.
 *
 * `share`: part of `shutdown.drain_timeout_seconds`, after which stopping continues without it; absent: it cannot hang.
 */
const STOPS = [
  { name: 'health' },
  { name: 'unenforced' },
  { name: 'probes' },
  { name: 'inventory' },
  // Slightly more than the server's own limit, at which it cuts connections itself.
  { name: 'api', share: 0.55, text: 'answering requests' },
  { name: 'scrapes' },
  // While decisions are still durable, and before the reconciler goes.
  { name: 'exchange', share: 1 / 16, text: 'ending the exchange with other POPs' },
  // Whether rules may be preserved depends on it.
  { name: 'actions', share: 1 / 8, text: 'writing the journal' },
  { name: 'reconciler', share: 1 / 8, text: 'comparing rules' },
  { name: 'sessions', share: 1 / 4, text: 'closing sessions' },
  { name: 'journal', share: 1 / 8, text: 'closing the journal' },
  { name: 'forgotten' },
  // Followers of the facts, up to the engine's last one.
  { name: 'audit', share: 1 / 8, text: 'writing the audit log' },
  { name: 'requests', share: 1 / 8, text: 'ending requests to scrubbers' },
  { name: 'alerts' },
  { name: 'metrics' },
] as const satisfies readonly { readonly name: string; readonly share?: number; readonly text?: string }[];

type PartName = (typeof STOPS)[number]['name'];

/** A part that `start` creates and `stop` ends. */
export interface Part<T> {
  readonly name: PartName;
  readonly start: () => T | Promise<T>;
  readonly stop: (started: T, shutdown: Shutdown) => unknown;
}

/** A stop that is under way. */
export interface Shutdown {
  /** Time for requests and alerts in progress (ms). */
  readonly graceMs: number;
  /** True if rules stay on the neighbors that keep them during a restart. */
  preserve: boolean;
  /** Parts that did not finish in time, and may keep the process alive. */
  readonly hanging: Set<PartName>;
}

export class Parts {
  readonly #logger: Logger;
  readonly #stops = new Map<PartName, (shutdown: Shutdown) => unknown>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Starts a part. One that has the name of an earlier part takes that one over, and stops it too. */
  async start<T>({ name, start, stop }: Part<T>): Promise<T> {
    const started = await start();
    this.add(name, (shutdown) => stop(started, shutdown));
    return started;
  }

  /** Adds a part that is started already. */
  add(name: PartName, stop: (shutdown: Shutdown) => unknown): void {
    this.#stops.set(name, stop);
  }

  /**
   * Stops every part that was started, within `drainMs` (ms). Rejects with the first part's error, after all others
   * were stopped.
   */
  async stop(how: {
    readonly drainMs: number;
    readonly graceMs: number;
    readonly preserve: boolean;
  }): Promise<Shutdown> {
    const shutdown: Shutdown = { graceMs: how.graceMs, preserve: how.preserve, hanging: new Set() };
    const errors: unknown[] = [];
    for (const one of STOPS) {
      const stop = async (): Promise<unknown> => this.#stops.get(one.name)?.(shutdown);
      try {
        if (!('share' in one)) await stop();
        else if (!(await inTime(how.drainMs * one.share, stop))) {
          shutdown.hanging.add(one.name);
          this.#logger.error(
            {},
            `${one.text} did not finish within its share of shutdown.drain_timeout_seconds; continuing without it`,
          );
        }
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
    return shutdown;
  }
}

/** Closes the sessions, and preserves the rules on the neighbors unless operators' withdrawals are not in the journal. */
export async function closeSessions(
  announcer: Pick<Announcer, 'stop'>,
  { unrecorded }: Pick<Engine, 'unrecorded'>,
  shutdown: Shutdown,
  logger: Logger,
): Promise<void> {
  // The next start would announce preserved rules again, without knowing that an operator withdrew them.
  if (shutdown.preserve && unrecorded.length > 0) {
    shutdown.preserve = false;
    logger.error(
      { unrecorded: unrecorded.length },
      "rules are withdrawn instead of preserved, because operators' withdrawals are not in the journal",
    );
  }
  await announcer.stop({ preserve: shutdown.preserve, communication: 'prefixd is shutdown' });
}

/** Closes the engine and its journal. Does not wait if the journal has not answered before. */
export async function closeEngine(engine: Pick<Engine, 'close'>, { hanging }: Shutdown): Promise<void> {
  const closed = engine.close();
  if (!hanging.has('actions')) await closed;
  else closed.catch(() => undefined);
}

/**
 * Returns false if the work has not finished in time (ms); it then continues, and its result is ignored. Rejects as the
 * work does.
 */
export async function inTime(milliseconds: number, work: () => Promise<unknown>): Promise<boolean> {
  let cancel = (): void => undefined;
  const late = new Promise<boolean>((resolve) => {
    cancel = realTimers.after(milliseconds, () => resolve(false));
  });
  const working = work().then(() => true);
  try {
    return await Promise.race([working, late]);
  } finally {
    cancel();
    working.catch(() => undefined);
  }
}
