/** Sets of port numbers and the ranges that say them; also used for packet lengths. */
import type { Range } from './types.ts';

export const MAX_PORT = 65535;

/** Ranges in normal form: ascending, disjoint, not adjacent. Empty ranges (`to` below `from`) vanish. */
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

/** The ranges that name exactly these ports. */
export function portRanges(ports: readonly number[]): readonly Range[] {
  return normalRanges(ports.map((port) => [port, port] as const));
}

/** All ports but these, as the ranges around them; empty when nothing is left. `ports` ascending, no duplicates. */
export function rangesAround(ports: readonly number[]): readonly Range[] {
  const result: Range[] = [];
  let from = 0;
  for (const port of ports) {
    if (from < port) result.push([from, port - 1]);
    from = port + 1;
  }
  if (from <= MAX_PORT) result.push([from, MAX_PORT]);
  return result;
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

/** Numbers of `a` that are not in `b`. */
export function without(a: readonly number[], b: readonly number[]): readonly number[] {
  const taken = new Set(b);
  return a.filter((value) => !taken.has(value));
}

/** Numbers of `a` that are in `b` too. */
export function shared(a: readonly number[], b: readonly number[]): readonly number[] {
  const wanted = new Set(b);
  return a.filter((value) => wanted.has(value));
}

/** Ascending, no duplicates. */
export function portSet(ports: Iterable<number>): readonly number[] {
  return [...new Set(ports)].sort((a, b) => a - b);
}
