/**
 * First in, first out; the last one in can be removed, too. Items are moved only when most of the space before them is
 * free, and the array is never replaced, so that code compiled for it stays valid.
 */
export class Fifo<T extends number | string | object> {
  readonly #items: T[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  get oldest(): T | undefined {
    return this.#items[this.#head];
  }

  /** Returns the item with so many older ones before it. */
  at(index: number): T | undefined {
    return this.#items[this.#head + index];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Undoes the last push. */
  pop(): T | undefined {
    return this.size === 0 ? undefined : this.#items.pop();
  }

  /** Removes and returns the oldest. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const oldest = this.#items[this.#head++];
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return oldest;
  }

  clear(): void {
    this.#items.length = 0;
    this.#head = 0;
  }

  /** Lists the items, oldest first. */
  list(): readonly T[] {
    return this.#items.slice(this.#head);
  }
}

// Bounds a map or a set that is kept in the order of use.

/** Removes the first entry if there are more than `most`. Call it after each addition. */
export function forgetOldest(entries: Map<string, unknown> | Set<string>, most: number): void {
  if (entries.size <= most) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}
