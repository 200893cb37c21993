/** What is wrong with a piece of configuration, and where; the caller knows the file and the lines. */

export interface Problem {
  /** Keys and indexes from the root of the data to the value meant. */
  readonly path: readonly (string | number)[];
  /** What is wrong and what to do, in words. */
  readonly message: string;
  /** An error refuses the file; a warning is shown and the file is used. */
  readonly severity: 'error' | 'warning';
}
