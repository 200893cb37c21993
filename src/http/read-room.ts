/**
 * Bounds the number of long answers made at one time, because each takes megabytes until it is sent. Others wait; too
 * many are refused.
 */
import { Fifo } from '../net/queue.ts';
import { HttpProblem } from './http-problem.ts';

/** Answers with at most this many items do not wait. */
const SHORT = 100;
const AT_ONCE = 4;
const MAY_WAIT = 32;

export interface ReadRoomOptions {
  /** Called for each read that is refused. */
  readonly onShed?: () => void;
  readonly atOnce?: number;
  readonly mayWait?: number;
}

export class ReadRoom {
  readonly #onShed: () => void;
  readonly #atOnce: number;
  readonly #mayWait: number;
  readonly #waiting = new Fifo<() => void>();
  #busy = 0;

  constructor(options: ReadRoomOptions = {}) {
    this.#onShed = options.onShed ?? (() => undefined);
    this.#atOnce = options.atOnce ?? AT_ONCE;
    this.#mayWait = options.mayWait ?? MAY_WAIT;
  }

  /**
   * Makes an answer of up to `items` items; a long one waits for its turn. Rejects with HttpProblem 503 if too many
   * wait.
   */
  async enter<Answer>(items: number, make: () => Promise<Answer>): Promise<Answer> {
    if (items <= SHORT) return make();
    if (this.#busy < this.#atOnce) this.#busy++;
    else {
      if (this.#waiting.size >= this.#mayWait) {
        this.#onShed();
        throw new HttpProblem(
          503,
          'Too many long lists are being requested at once; request fewer items or try again',
          {
            headers: { 'retry-after': '2' },
          },
        );
      }
      // An answer that is finished passes its place to the first waiting one.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    try {
      return await make();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy--;
      else next();
    }
  }
}
