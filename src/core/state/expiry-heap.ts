/**
 * Orders mitigations by expiry, earliest first. Entries stay when a mitigation changes: the owner says which are still
 * true, and the others are dropped when they reach the top or outnumber the rest.
 */
export interface ExpiryEntry {
  readonly at: number;
  readonly id: string;
}

/** Returns true if the entry's mitigation still expires at that time. */
export type StillTrue = (entry: ExpiryEntry) => boolean;

/** A binary heap. */
export class ExpiryHeap {
  #entries: ExpiryEntry[] = [];
  #bound = Number.NEGATIVE_INFINITY;

  get size(): number {
    return this.#entries.length;
  }

  /** No entry is later than this. */
  get bound(): number {
    return this.#bound;
  }

  push(entry: ExpiryEntry): void {
    this.#bound = Math.max(this.#bound, entry.at);
    this.#entries.push(entry);
    let i = this.#entries.length - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (this.#at(parent) <= entry.at) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  /** Returns the earliest entry that is true. */
  earliest(stillTrue: StillTrue): ExpiryEntry | undefined {
    for (;;) {
      const top = this.#entries[0];
      if (top === undefined || stillTrue(top)) return top;
      this.#pop();
    }
  }

  /** Returns at most `most` ids of true entries up to a time, in no order; removes nothing. */
  upTo(time: number, stillTrue: StillTrue, most: number): ReadonlySet<string> {
    const ids = new Set<string>();
    const open = [0];
    for (let i = open.pop(); i !== undefined && ids.size < most; i = open.pop()) {
      const entry = this.#entries[i];
      if (entry === undefined || entry.at > time) continue;
      if (stillTrue(entry)) ids.add(entry.id);
      open.push(2 * i + 1, 2 * i + 2);
    }
    return ids;
  }

  /** Drops entries that are no longer true. */
  compact(stillTrue: StillTrue): void {
    const kept = this.#entries.filter(stillTrue).sort((a, b) => a.at - b.at);
    this.#entries = kept;
    this.#bound = kept.at(-1)?.at ?? Number.NEGATIVE_INFINITY;
  }

  #pop(): void {
    const last = this.#entries.pop();
    if (last === undefined || this.#entries.length === 0) return;
    this.#entries[0] = last;
    let i = 0;
    for (;;) {
      const left = 2 * i + 1;
      const right = left + 1;
      let least = i;
      if (this.#at(left) < this.#at(least)) least = left;
      if (this.#at(right) < this.#at(least)) least = right;
      if (least === i) return;
      this.#swap(i, least);
      i = least;
    }
  }

  #at(index: number): number {
    return this.#entries[index]?.at ?? Number.POSITIVE_INFINITY;
  }

  #swap(i: number, j: number): void {
    const a = this.#entries[i];
    const b = this.#entries[j];
    if (a === undefined || b === undefined) return;
    this.#entries[i] = b;
    this.#entries[j] = a;
  }
}
