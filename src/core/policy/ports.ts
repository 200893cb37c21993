/** Sets of port numbers and their ranges; also used for packet lengths. */
import type { Range } from '../types.ts';

export const MAX_PORT = 65535;

/** Returns ranges in normal form: ascending, disjoint, not adjacent. Drops empty ranges (`to` below `from`). */
export function normalRanges(ranges: readonly Range[]): readonly Range[] {
  const sorted = ranges.filter(([from, to]) => from <= to).sort((a, b) => a[0] - b[0]);
  const result: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = result.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

/** Returns the ranges of exactly these ports. */
export function portRanges(ports: readonly number[]): readonly Range[] {
  return normalRanges(ports.map((port) => [port, port] as const));
}

/** Returns all ports but these, as ranges; empty when nothing is left. */
export function rangesAround(ports: readonly (number | Range)[]): readonly Range[] {
  const result: Range[] = [];
  let from = 0;
  for (const [first, last] of normalRanges(ports.map(asRange))) {
    if (from < first) result.push([from, first - 1]);
    from = last + 1;
  }
  if (from <= MAX_PORT) result.push([from, MAX_PORT]);
  return result;
}

/**
 * Reads a number, or text such as `27015` or `27015-27030`; undefined for anything else. Refuses leading zeros: `010`
 * is 8 in one version of YAML, and 10 in another.
 */
export function readRange(item: number | string): Range | undefined {
  if (typeof item === 'number') return Number.isInteger(item) ? [item, item] : undefined;
  const found = /^\s*(0|[1-9]\d{0,8})\s*(?:-\s*(0|[1-9]\d{0,8})\s*)?$/.exec(item);
  if (found === null) return undefined;
  const from = Number(found[1]);
  return [from, found[2] === undefined ? from : Number(found[2])];
}

/** True when a range holds the number. */
export function inRanges(value: number, ranges: readonly Range[]): boolean {
  return ranges.some(([from, to]) => from <= value && value <= to);
}

/** True when every number of `inner` is in `outer`. An empty list restricts nothing, so it holds every number. */
export function rangesCover(outer: readonly Range[], inner: readonly Range[]): boolean {
  if (outer.length === 0) return true;
  if (inner.length === 0) return false;
  return inner.every(([from, to]) => outer.some((range) => range[0] <= from && to <= range[1]));
}

/** True when a number is in both. Empty lists hold none. */
export function rangesMeet(a: readonly Range[], b: readonly Range[]): boolean {
  return a.some(([from, to]) => b.some((range) => range[0] <= to && from <= range[1]));
}

/** Returns the numbers of `a` that are not in `b`, in normal form. */
export function rangesLess(a: readonly Range[], b: readonly Range[]): readonly Range[] {
  const rest = rangesAround(b);
  const parts = a.flatMap(([from, to]) =>
    rest.map((range): Range => [Math.max(from, range[0]), Math.min(to, range[1])]),
  );
  return normalRanges(parts);
}

/** Returns the numbers of `a` outside the ranges of `b`. */
export function without(a: readonly number[], b: readonly Range[]): readonly number[] {
  return a.filter((value) => !inRanges(value, b));
}

/** Returns the numbers of `a` inside a range of `b`. */
export function shared(a: readonly number[], b: readonly Range[]): readonly number[] {
  return a.filter((value) => inRanges(value, b));
}

/** Returns the single numbers of those ranges that hold at most `most`. */
export function narrowPorts(ranges: readonly Range[], most: number): readonly number[] {
  return ranges.flatMap(([from, to]) =>
    to - from < most ? Array.from({ length: to - from + 1 }, (_, i) => from + i) : [],
  );
}

/** Returns the ports in ascending order without duplicates. */
export function portSet(ports: Iterable<number>): readonly number[] {
  return [...new Set(ports)].sort((a, b) => a - b);
}

function asRange(port: number | Range): Range {
  return typeof port === 'number' ? [port, port] : port;
}
