/**
 * First in, first out, with a way back for the last in. Kept beside a Map whose oldest entries are forgotten: finding the
 * first key of a Map that is emptied from the front takes longer and longer.
 */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
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
  pop(): void {
    if (this.size > 0) this.#items.pop();
  }

  /** Takes the oldest out. */
  shift(): T | undefined {
    const oldest = this.#items[this.#head];
    if (this.size === 0) return undefined;
    this.#items[this.#head++] = undefined;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return oldest;
  }

  /** Oldest first. */
  list(): readonly T[] {
    return this.#items.slice(this.#head).filter((item) => item !== undefined);
  }
}
