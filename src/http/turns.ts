/**
 * Whose turn it is in the event loop, which long answers and long batches share with the hold timers of the sessions. In
 * each turn of the loop one piece of long work goes on for a few milliseconds, however many wait: twenty at once take
 * twenty times as long, and hold up nobody else longer than one does.
 */
import { Fifo } from '../net/queue.ts';

/** How long one piece of work may go on in one turn of the event loop (ms). */
const SLICE_MS = 4;
/** Of the turns for which both wait, events have so many before reads have one. */
const EVENTS_BEFORE_READ = 3;

/** Work for events comes before work for reads. */
export type WorkClass = 'event' | 'read';

export interface TurnsOptions {
  /** Milliseconds from any beginning; by default the process's own. */
  readonly stopwatch?: () => number;
  /** Calls back in the next turn of the event loop. */
  readonly later?: (callback: () => void) => void;
  readonly sliceMs?: number;
}

/** A place in the row for work of one class. */
export interface Lane {
  /** True when the present slice is used up: wait for the next turn then. */
  readonly spent: boolean;
  /** Resolves when this work's turn has come, in a later turn of the event loop. */
  next(): Promise<void>;
}

export class Turns {
  readonly #stopwatch: () => number;
  readonly #later: (callback: () => void) => void;
  readonly #sliceMs: number;
  readonly #waiting: Readonly<Record<WorkClass, Fifo<() => void>>> = { event: new Fifo(), read: new Fifo() };
  #until = Number.NEGATIVE_INFINITY;
  #eventsInRow = 0;
  #scheduled = false;

  constructor(options: TurnsOptions = {}) {
    this.#stopwatch = options.stopwatch ?? (() => performance.now());
    this.#later = options.later ?? ((callback) => void setImmediate(callback));
    this.#sliceMs = options.sliceMs ?? SLICE_MS;
  }

  lane(work: WorkClass): Lane {
    const spent = (): boolean => this.#stopwatch() >= this.#until;
    return {
      get spent() {
        return spent();
      },
      next: () => this.#next(work),
    };
  }

  #next(work: WorkClass): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting[work].push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(() => this.#give());
  }

  /** Whoever's turn it is goes on in the microtasks after this, before anything else of this turn of the loop. */
  #give(): void {
    this.#scheduled = false;
    const resolve = this.#first();
    if (resolve === undefined) return;
    if (this.#waiting.event.size + this.#waiting.read.size > 0) this.#schedule();
    this.#until = this.#stopwatch() + this.#sliceMs;
    resolve();
  }

  #first(): (() => void) | undefined {
    const { event, read } = this.#waiting;
    if (event.size > 0 && (read.size === 0 || this.#eventsInRow < EVENTS_BEFORE_READ)) {
      this.#eventsInRow++;
      return event.shift();
    }
    this.#eventsInRow = 0;
    return read.shift();
  }
}

/** The process has one event loop, hence one row. */
const ofProcess = new Turns();
export const READS: Lane = ofProcess.lane('read');
export const EVENTS: Lane = ofProcess.lane('event');
