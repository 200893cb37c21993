/** How many long answers are made at one time: each holds megabytes until it is sent. The others wait, and too many are refused. */
import { Fifo } from '../net/queue.ts';
import { HttpProblem } from './http-problem.ts';

/** Answers with at most so many items are made at once. */
const SHORT = 100;
const AT_ONCE = 4;
const MAY_WAIT = 32;

export interface ReadRoomOptions {
  /** Told of each read that is refused. */
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

  /** Makes an answer of up to `items` items, when its turn has come if it may be long. Rejects with HttpProblem 503 when too many wait. */
  async enter<Answer>(items: number, make: () => Promise<Answer>): Promise<Answer> {
    if (items <= SHORT) return make();
    if (this.#busy < this.#atOnce) this.#busy++;
    else {
      if (this.#waiting.size >= this.#mayWait) {
        this.#onShed();
        throw new HttpProblem(503, 'Too many long answers are asked for at one time; ask for fewer items', {
          headers: { 'retry-after': '2' },
        });
      }
      // Whoever leaves gives its place to the first that waits.
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
