/** Keeps labels whose values come from outside from growing without bound. */

/** What a value becomes when the budget is spent. */
export const OTHER = 'other';

/** Lets the first `max` distinct values through, the known ones always, and calls all others `other`. */
export class LabelBudget {
  readonly #values: Set<string>;
  readonly #max: number;

  constructor(max: number, known: Iterable<string> = []) {
    this.#values = new Set(known);
    this.#max = this.#values.size + max;
  }

  label(value: string): string {
    if (this.#values.has(value)) return value;
    if (this.#values.size >= this.#max) return OTHER;
    this.#values.add(value);
    return value;
  }
}
