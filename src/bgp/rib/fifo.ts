/** First in, first out. What stays is not moved when something is taken, until half of the room is free. */
export class Fifo<T extends number | object> {
  readonly #items: T[] = [];
  #head = 0;

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first; undefined when there is none. */
  shift(): T | undefined {
    if (this.isEmpty) return undefined;
    const item = this.#items[this.#head++];
    if (this.#head === this.#items.length) this.clear();
    else if (this.#head * 2 > this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items.length = 0;
    this.#head = 0;
  }
}
