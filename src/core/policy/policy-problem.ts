/** A problem in a piece of configuration, and its place; the caller knows the file and the lines. */

export interface PolicyProblem {
  /** Keys and indexes from the root of the data to the value. */
  readonly path: readonly (string | number)[];
  /** Says what is wrong, and what to do unless `fix` does. */
  readonly message: string;
  readonly fix?: string;
  /** An error refuses the file; a warning is shown and the file is used. */
  readonly severity: 'error' | 'warning';
}
