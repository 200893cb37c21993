/**
 * What an Adj-RIB-Out knows of each key, in columns: a key has a slot, and a slot has a place in every column. A table of
 * many thousand routes goes through here whenever a session comes up, and walking along columns takes a fraction of what
 * it takes to visit an object for every route.
 *
 * A session that comes back is mostly told of the same routes in the same order as the one before. So the slots outlive
 * the session, in the order in which their keys came, and a key is looked up only when it is not the next one.
 */
import type { OutRoute, RouteKey } from './route.ts';

/** Index into the columns. */
export type Slot = number;

export class Slots {
  /** The route of the last announcement under the key, in this session or the one before; undefined for a free slot. */
  readonly latest: (OutRoute | undefined)[] = [];
  /** What stands as written. */
  readonly sent: (OutRoute | undefined)[] = [];
  /** Milliseconds since the epoch; means something where something stands. */
  readonly sentAt: number[] = [];
  /** Number of the `take` that wrote what stands; means something where something stands. */
  readonly sentIn: number[] = [];
  /** Bits that belong to the owner; 0 for a slot of which nobody wants anything. */
  readonly marks: number[] = [];
  readonly #byKey = new Map<RouteKey, Slot>();
  readonly #free: Slot[] = [];
  /** Whose turn it is if all goes as in the session before. */
  #next: Slot = 0;

  get(key: RouteKey): Slot | undefined {
    return this.#byKey.get(key);
  }

  /** Keys with their slots, in the order in which they came. */
  entries(): Iterable<[RouteKey, Slot]> {
    return this.#byKey.entries();
  }

  /** The slot of a route that is announced; an empty one when its key has none. */
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
   * The session is over: nothing stands, nothing is marked. Keys that `isUsed` keep their slots for the next session, in
   * the order in which they came; the others go.
   */
  renew(isUsed: (slot: Slot) => boolean): void {
    const kept: (OutRoute | undefined)[] = [];
    // Not for-of, which makes an array for each key until it has been compiled.
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
    // Not 0: an integer that becomes a time would make the whole column another one.
    this.sentAt[slot] = Number.NaN;
    this.sentIn[slot] = 0;
    this.marks[slot] = 0;
    return slot;
  }
}
