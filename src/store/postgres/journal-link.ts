/**
 * Keeps one session with the database for as long as the daemon runs: connects again with growing pauses after the
 * connection was lost, and never again once another daemon has taken the journal.
 *
 *                   claimed                  lost, or given up
 *     connecting ────────────▶ linked ───────────────────────────▶ connecting
 *       │  ▲ │ failed                                                   (again)
 *       │  │ └────────▶ waiting
 *       │  └───────────────┘ the pause is over
 *       └ another daemon has the journal ▶ fenced (for good)
 */
import { errorText } from '../../net/text.ts';
import { StoreError } from '../store.ts';
import type { JournalSession } from './journal-session.ts';

/** Another daemon owns the journal, or its facts are not there: no later attempt of this daemon may write. */
export class FencedError extends StoreError {}

/** What keeps the journal from the database. */
export interface LinkTrouble {
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

export interface JournalLinkOptions {
  /**
   * Connects and claims the journal. `onLost` must be called when the session's connection breaks. Rejects with
   * FencedError if nothing can be written any more.
   */
  readonly connect: (onLost: (error: Error) => void) => Promise<JournalSession>;
  /** First and longest pause between attempts (ms). */
  readonly pauseMs: readonly [first: number, longest: number];
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Called when a session can be used again, after a loss. */
  readonly onLinked: () => void;
  /** Called when the connection was lost or given up, and for each new reason why there is none. */
  readonly onTrouble: (text: string) => void;
}

type LinkState =
  | { readonly name: 'connecting'; readonly failure: StoreError | undefined }
  | { readonly name: 'waiting'; readonly failure: StoreError; readonly timer: NodeJS.Timeout }
  | { readonly name: 'linked'; readonly session: JournalSession }
  | { readonly name: 'fenced'; readonly failure: FencedError }
  | { readonly name: 'closed' };

export class JournalLink {
  readonly #options: JournalLinkOptions;
  #state: LinkState = { name: 'closed' };
  #trouble: LinkTrouble | undefined;
  #pause = 0;
  #changed = new Set<() => void>();

  constructor(options: JournalLinkOptions) {
    this.#options = options;
  }

  /** Why there is no session; undefined while there is one. */
  get trouble(): LinkTrouble | undefined {
    return this.#trouble;
  }

  /** The session, if there is one now. */
  get current(): JournalSession | undefined {
    return this.#state.name === 'linked' ? this.#state.session : undefined;
  }

  /** Begins with a session that has claimed the journal. */
  begin(session: JournalSession): void {
    this.#enter({ name: 'linked', session });
  }

  /**
   * Resolves to a session that has claimed the journal. Rejects with StoreError if the attempt in progress fails, or at
   * once during a pause; if `insist`, only after the time (ms, of `performance.now`).
   */
  async session(until: number, insist: boolean): Promise<JournalSession> {
    for (;;) {
      const state = this.#state;
      if (state.name === 'linked') return state.session;
      if (state.name === 'fenced') throw state.failure;
      if (state.name === 'closed') throw new StoreError('the journal is closed');
      if (state.name === 'waiting' && !insist) throw state.failure;
      if (!(await this.#change(until - performance.now()))) {
        throw state.failure ?? new StoreError('the connection to the database was lost');
      }
    }
  }

  /** Gives up a session, whose connection was lost or which does not own the journal any more, and connects again. */
  giveUp(session: JournalSession, why: string): void {
    if (this.current !== session) return;
    void session.connection.close();
    this.#lose(why);
  }

  /** Ends the session. Resolves when the server has released the journal, or does not answer. */
  async close(): Promise<void> {
    const state = this.#state;
    this.#enter({ name: 'closed' });
    if (state.name === 'waiting') clearTimeout(state.timer);
    if (state.name === 'linked') await state.session.connection.close();
  }

  /** Reports that a connection was lost, unless it is not in use any more. */
  lost(session: JournalSession | undefined, error: Error): void {
    if (session !== undefined && this.current === session) this.#lose(errorText(error));
  }

  #lose(why: string): void {
    this.#report(why);
    this.#pause = 0;
    this.#connect(new StoreError(why));
  }

  #connect(failure: StoreError): void {
    this.#enter({ name: 'connecting', failure });
    this.#attempt().catch((error: unknown) => this.#failed(error));
  }

  async #attempt(): Promise<void> {
    let session: JournalSession | undefined;
    session = await this.#options.connect((error) => this.lost(session, error));
    if (this.#state.name !== 'connecting') {
      await session.connection.close();
      return;
    }
    const { lost } = session.connection;
    if (lost !== undefined) throw lost;
    this.#trouble = undefined;
    this.#enter({ name: 'linked', session });
    this.#options.onLinked();
  }

  #failed(error: unknown): void {
    if (this.#state.name !== 'connecting') return;
    const failure = error instanceof StoreError ? error : new StoreError(errorText(error), { cause: error });
    this.#report(failure.message);
    if (failure instanceof FencedError) {
      this.#enter({ name: 'fenced', failure });
      return;
    }
    const [first, longest] = this.#options.pauseMs;
    this.#pause = Math.min(longest, Math.max(first, 2 * this.#pause));
    const timer = setTimeout(() => this.#connect(failure), this.#pause);
    this.#enter({ name: 'waiting', failure, timer });
  }

  #report(text: string): void {
    if (this.#trouble?.text === text) return;
    this.#trouble = { text, since: this.#trouble?.since ?? this.#options.clock() };
    this.#options.onTrouble(text);
  }

  #enter(state: LinkState): void {
    this.#state = state;
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const tell of changed) tell();
  }

  /** Resolves to true at the next change of state, to false after the time (ms). */
  #change(milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const tell = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(
        () => {
          this.#changed.delete(tell);
          resolve(false);
        },
        Math.max(0, milliseconds),
      );
      this.#changed.add(tell);
    });
  }
}
