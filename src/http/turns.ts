/**
 * Schedules long answers and long batches in the event loop, which they share with the sessions' hold timers. In each
 * turn of the loop, one piece of long work runs for a few milliseconds, regardless of how many wait: twenty at once
 * take twenty times as long, but delay everything else no longer than one does.
 */
import { Fifo } from '../net/queue.ts';

/** Time for one piece of work in one turn of the event loop (ms). */
const SLICE_MS = 4;
/** Number of turns that events get before reads get one, while both wait. */
const EVENTS_BEFORE_READ = 3;

/** Class of work. Events have priority over reads. */
export type WorkClass = 'event' | 'read';

export interface TurnsOptions {
  /** Returns monotonic milliseconds. Default: the process's clock. */
  readonly stopwatch?: () => number;
  /** Calls back in the next turn of the event loop. Default: setImmediate. */
  readonly later?: (callback: () => void) => void;
  readonly sliceMs?: number;
}

/** Gives turns to work of one class. */
export interface Lane {
  /** True when the current slice is used up: call `next` then. */
  readonly spent: boolean;
  /** Resolves at this work's next turn, in a later turn of the event loop. */
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

  /** Wakes the next piece of work, which continues in the microtasks after this, before anything else in this turn. */
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

/** The process has one event loop, hence one queue. */
const ofProcess = new Turns();
export const READS: Lane = ofProcess.lane('read');
export const EVENTS: Lane = ofProcess.lane('event');
