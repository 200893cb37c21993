/**
 * Stores the Adj-RIB-Out's data for each key in columns: a key has a slot, the index into every column. Whenever a
 * session is established, many thousand routes pass through here, and scanning columns is several times faster than
 * visiting an object for every route.
 *
 * A new session mostly gets the same routes in the same order as the last one. So the slots outlive the session in the
 * order of their keys, and a key is looked up only if it is not the next one.
 */
import type { OutRoute, RouteKey } from './route.ts';

/** Index into the columns. */
export type Slot = number;

export class Slots {
  /** The route last announced under the key, in this session or the last one; undefined for a free slot. */
  readonly latest: (OutRoute | undefined)[] = [];
  /** The route that was written and not withdrawn since. */
  readonly sent: (OutRoute | undefined)[] = [];
  /** Time of writing in milliseconds since the epoch; valid only if `sent` is set. */
  readonly sentAt: number[] = [];
  /** Number of the `take` that wrote the route; valid only if `sent` is set. */
  readonly sentIn: number[] = [];
  /** The owner's bits; 0 for a slot without pending work. */
  readonly marks: number[] = [];
  readonly #byKey = new Map<RouteKey, Slot>();
  readonly #free: Slot[] = [];
  /** The expected next slot if routes arrive in the same order as in the last session. */
  #next: Slot = 0;

  get(key: RouteKey): Slot | undefined {
    return this.#byKey.get(key);
  }

  /** Returns the keys with their slots, in the order in which they were added. */
  entries(): Iterable<[RouteKey, Slot]> {
    return this.#byKey.entries();
  }

  /** Returns the slot of a route to announce; a new one if its key has none. */
  obtain(route: OutRoute): Slot {
    const next = this.#next;
    const slot = this.latest[next] === route ? next : this.#lookUp(route);
    this.#next = slot + 1;
    return slot;
  }

  /** Forgets the key of a slot. */
  free(slot: Slot): void {
    const route = this.latest[slot];
    if (route === undefined) return;
    this.#byKey.delete(route.key);
    this.latest[slot] = undefined;
    this.sent[slot] = undefined;
    this.marks[slot] = 0;
    this.#free.push(slot);
  }

  /**
   * Ends the session: no route is sent, no mark is set. Keys that are `isUsed` keep their slots in order for the next
   * session; the others are dropped.
   */
  renew(isUsed: (slot: Slot) => boolean): void {
    const kept: (OutRoute | undefined)[] = [];
    // Not for-of, which allocates an array for each key until it is compiled.
    this.#byKey.forEach((slot, key) => {
      if (!isUsed(slot)) {
        this.#byKey.delete(key);
        return;
      }
      if (slot !== kept.length) this.#byKey.set(key, kept.length);
      kept.push(this.latest[slot]);
    });
    for (const column of [this.latest, this.sent, this.sentAt, this.sentIn, this.marks])
      column.length = kept.length;
    for (let slot = 0; slot < kept.length; slot++) this.latest[slot] = kept[slot];
    this.sent.fill(undefined);
    this.marks.fill(0);
    this.#free.length = 0;
    this.#next = 0;
  }

  #lookUp(route: OutRoute): Slot {
    const known = this.#byKey.get(route.key);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.latest.length;
    this.#byKey.set(route.key, slot);
    this.latest[slot] = route;
    this.sent[slot] = undefined;
    // Not 0: an integer would change the column's element type when a time is stored later.
    this.sentAt[slot] = Number.NaN;
    this.sentIn[slot] = 0;
    this.marks[slot] = 0;
    return slot;
  }
}
