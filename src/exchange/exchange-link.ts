/**
 * Keeps a connection to the exchange's database: connects, has the work done until the connection is lost, and connects
 * again.
 *
 *    connecting ──── lock, epoch ────▶ connected
 *      ▲  ▲  │                            │
 *      │  │  │ another daemon has         │ the connection is lost,
 *      │  │  │ the name                   │ a statement fails
 *      │  │  ▼                            │
 *      │ rival                            │
 *      └──────────────────────────────────┘
 */
import type { Log, TimerHost } from '../control/types.ts';
import { errorText, secondsWords } from '../net/text.ts';
import type { PopSession } from './pop-session.ts';
import type { ExchangeCondition, ExchangeState } from './types.ts';

/** Waits between attempts to connect (ms): the first, and the longest. A POP that was cut off is back within 3 s. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 250;
/**
 * Another attempt begins beside those that take so long (ms), up to MOST_ATTEMPTS: a network that is back is noticed
 * soon, and a database far away has the time it needs.
 */
const IMPATIENT_MS = 750;
const MOST_ATTEMPTS = 8;
/** Wait between attempts to get the lock that another daemon has (ms). */
const RIVAL_RETRY_MS = 2_000;

export interface ExchangeLinkOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly timers: Pick<TimerHost, 'after'>;
  readonly log: Log;
  /** The name of this daemon's POP. */
  readonly pop: () => string;
  /**
   * Connects, without the lock. `lose` reports that the connection broke; `signal` gives up connecting. Rejects if it
   * cannot connect in time.
   */
  readonly open: (lose: (error: unknown) => void, signal: AbortSignal) => Promise<PopSession>;
  /** Begins the work on a session that has the lock. Returns a function that ends it. */
  readonly begin: (session: PopSession, fail: (error: unknown) => void) => Promise<() => void>;
}

export class ExchangeLink {
  readonly #options: ExchangeLinkOptions;
  #condition: ExchangeCondition;
  #running: Promise<void> | undefined;
  #isClosed = false;
  /** Ends a wait. */
  #wake: () => void = () => undefined;

  constructor(options: ExchangeLinkOptions) {
    this.#options = options;
    const since = options.clock();
    this.#condition = { state: 'connecting', since, problem: 'the database has not answered yet' };
  }

  get condition(): ExchangeCondition {
    return this.#condition;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the connection, and resolves when it has ended. Never rejects. */
  async stop(): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    let wait = FIRST_RETRY_MS;
    while (!this.#isClosed) {
      let outcome: 'served' | 'rival' | 'failed' = 'failed';
      try {
        outcome = await this.#connectAndServe();
      } catch (error) {
        this.#become('connecting', errorText(error));
      }
      if (this.#isClosed) return;
      wait =
        outcome === 'rival'
          ? RIVAL_RETRY_MS
          : outcome === 'served'
            ? FIRST_RETRY_MS
            : Math.min(LONGEST_RETRY_MS, wait * 2);
      await this.#pause(wait);
    }
  }

  async #connectAndServe(): Promise<'served' | 'rival'> {
    const { begin, pop } = this.#options;
    const ended = deferred();
    const session = await this.#openFirst(ended.resolve);
    if (session === undefined) return 'served';
    this.#wake = () => ended.resolve('prefixd is stopping');
    try {
      if (!(await session.lock())) {
        const text = `another daemon is POP ${pop()} in the exchange: this one decides locally, and neither publishes nor imports; give each daemon its own pop, or stop one of them`;
        this.#become('rival', text);
        return 'rival';
      }
      if (this.#isClosed) return 'served';
      const end = await begin(session, ended.resolve);
      this.#become('connected', undefined);
      const why = await ended.promise;
      end();
      if (!this.#isClosed) this.#become('connecting', errorText(why));
      return 'served';
    } finally {
      await session.close();
    }
  }

  /**
   * Opens a session, with more attempts beside one that takes long; the first that succeeds counts. Rejects if all have
   * failed; undefined if the link is closed meanwhile.
   */
  async #openFirst(lose: (error: unknown) => void): Promise<PopSession | undefined> {
    const { open, timers } = this.#options;
    return new Promise((resolve, reject) => {
      let [running, begun, winner, isSettled] = [0, 0, 0, false];
      let cancel = (): void => undefined;
      const others = new AbortController();
      const settle = (): void => {
        isSettled = true;
        cancel();
        others.abort();
      };
      const attempt = (): void => {
        cancel = timers.after(IMPATIENT_MS, attempt);
        if (running >= MOST_ATTEMPTS) return;
        const number = ++begun;
        const lost = (error: unknown): void => {
          if (winner === number) lose(error);
        };
        running++;
        open(lost, others.signal).then(
          (session) => {
            if (isSettled) return void session.close();
            settle();
            winner = number;
            resolve(session);
          },
          (error: unknown) => {
            running--;
            if (isSettled || running > 0) return;
            settle();
            reject(error);
          },
        );
      };
      this.#wake = () => {
        settle();
        resolve(undefined);
      };
      attempt();
    });
  }

  #become(state: ExchangeState, problem: string | undefined): void {
    const { clock, log, pop } = this.#options;
    const { state: before, since } = this.#condition;
    const now = clock();
    this.#condition = { state, since: before === state ? since : now, problem };
    if (before === state) return;
    const fields = { pop: pop() };
    if (state === 'connected') {
      log('info', `exchange: connected after ${secondsWords((now - since) / 1000)}`, fields);
    } else log(state === 'rival' ? 'error' : 'warn', `exchange: ${problem}`, fields);
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.timers.after(milliseconds, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** Returns a promise with the function that resolves it. */
function deferred(): { readonly promise: Promise<unknown>; readonly resolve: (value: unknown) => void } {
  let resolve: (value: unknown) => void = () => undefined;
  const promise = new Promise<unknown>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
