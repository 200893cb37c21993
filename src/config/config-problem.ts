/** Formats problems and their places in a file. */
import type { ConfigProblem } from './types.ts';

/** Keys and list indices from the top of a file. */
export type Path = readonly (string | number)[];

/** Reports a finding at a path of the file: the message, and the fix. */
export type ConfigReport = (path: Path, message: string, fix: string) => void;

/** Receives findings: a problem makes the configuration invalid, a warning does not. */
export interface Findings {
  readonly problem: ConfigReport;
  readonly warning: ConfigReport;
}

/**
 * Formats a path as `bgp.neighbors[0].address`; a key that is not a plain word is quoted: `http.auth.roles["ops
 * team"]`.
 */
export function dotted(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** Formats a problem as one line: `DIR/prefixd.yaml:12:5: bgp.local_asn: message; fix`. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : ` ${problem.path}:`;
  const fix = problem.fix === '' ? '' : `; ${problem.fix}`;
  return `${place}:${path} ${problem.message}${fix}`;
}

/** Sorts problems by file, in the order given, then by line and column. */
export function sortProblems(problems: readonly ConfigProblem[], files: readonly string[]): ConfigProblem[] {
  const rank = (file: string): number => (files.includes(file) ? files.indexOf(file) : files.length);
  return [...problems].sort(
    (a, b) =>
      rank(a.file) - rank(b.file) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

/** Formats a value for a message: short, on one line. */
export function quoted(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '(an empty list)' : '(a list)';
  if (typeof value === 'object' && value !== null) return '(a section with keys)';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}..."`;
}
