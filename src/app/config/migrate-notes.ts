/** The report of a migration: one change for each key that does not stay as it is. */

/** Data in the words of a file. */
export type Section = Readonly<Record<string, unknown>>;

/**
 * A change of one key. `todo`: a person has to complete it; `unknown`: neither upstream nor this prefixd has the key, and it
 * is not carried over.
 */
export interface Change {
  /** Dotted path in upstream's file; for what is new, in ours. */
  readonly path: string;
  readonly kind: 'changed' | 'dropped' | 'added' | 'todo' | 'unknown';
  readonly what: string;
  /** Environment variable that has to be set to what the file held. */
  readonly variable?: string;
}

export type Note = (kind: Change['kind'], path: string, what: string, variable?: string) => void;

export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A section below, to be changed in place. */
export function section(above: Section | undefined, key: string): Record<string, unknown> | undefined {
  const value = above?.[key];
  return isSection(value) ? value : undefined;
}
