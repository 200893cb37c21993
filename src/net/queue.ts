/**
 * First in, first out, with a way back for the last in. What stays is not moved until most of the room before it is free,
 * and the array is never replaced, so that what was compiled for it stays compiled.
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

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes back the last push. */
  pop(): T | undefined {
    return this.size === 0 ? undefined : this.#items.pop();
  }

  /** Takes the oldest out. */
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

  /** Oldest first. */
  list(): readonly T[] {
    return this.#items.slice(this.#head);
  }
}

// Bounds a map or a set that is kept in the order of use. Pure.

/** Forgets the first entry where there are more than `most`. To be called after each entry that is added. */
export function forgetOldest(entries: Map<string, unknown> | Set<string>, most: number): void {
  if (entries.size <= most) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}
