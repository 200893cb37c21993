/** How a problem is placed and put into words. */
import type { ConfigProblem } from './types.ts';

/** Keys and list indices from the top of a file. */
export type Path = readonly (string | number)[];

/** Reports something at a path of the file: what is wrong, and what to do. */
export type Report = (path: Path, message: string, fix: string) => void;

/** Where findings go: a problem refuses the configuration, a warning does not. */
export interface Findings {
  readonly problem: Report;
  readonly warning: Report;
}

/** `bgp.neighbors[0].address`; a key that is no plain word is quoted: `http.auth.roles["ops team"]`. */
export function dotted(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** One line: `DIR/prefixd.yaml:12:5: bgp.local_asn: what is wrong; what to do`. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === null ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  const path = problem.path === '' ? '' : ` ${problem.path}:`;
  const fix = problem.fix === '' ? '' : `; ${problem.fix}`;
  return `${place}:${path} ${problem.message}${fix}`;
}

/** Orders problems as a reader meets them: by file as given, then from top to bottom. */
export function sortProblems(problems: readonly ConfigProblem[], files: readonly string[]): ConfigProblem[] {
  const rank = (file: string): number => (files.includes(file) ? files.indexOf(file) : files.length);
  return [...problems].sort(
    (a, b) =>
      rank(a.file) - rank(b.file) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

/** A value as it may be quoted in a message: short, on one line. */
export function quoted(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object' && value !== null) return 'a section with keys of its own';
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}..."`;
}
