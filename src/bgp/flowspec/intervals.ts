/**
 * Treats numeric components as sets of numbers: the set that an operator list matches, and the shortest list for a set.
 */
import { ComponentType, type NumericComponent, type NumericOp } from './types.ts';

/** All numbers from the first to the second, both included. */
export type Interval = readonly [from: number, to: number];

/** Returns the largest number that the component's packet field can hold. */
export function fieldMaximum(type: NumericComponent['type']): number {
  switch (type) {
    case ComponentType.IpProtocol:
    case ComponentType.IcmpType:
    case ComponentType.IcmpCode:
      return 255;
    case ComponentType.Dscp:
      return 63;
    case ComponentType.FlowLabel:
      return 0xf_ffff;
    default:
      return 65535;
  }
}

/**
 * Returns the alternatives of an operator list: one of them must match, and within it all operators (RFC 8955
 * §4.2.1.1).
 */
export function alternatives<Op extends { readonly and: boolean }>(
  ops: readonly Op[],
): readonly (readonly Op[])[] {
  const groups: Op[][] = [];
  for (const op of ops) {
    const last = groups[groups.length - 1];
    if (op.and && last !== undefined) last.push(op);
    else groups.push([op]);
  }
  return groups;
}

/**
 * Returns the numbers from 0 to `max` that one alternative matches: ascending, disjoint, not adjacent; empty if it
 * matches nothing.
 */
export function intervalsOf(group: readonly NumericOp[], max: number): readonly Interval[] {
  let matched: readonly Interval[] = [[0, max]];
  for (const op of group) matched = intersect(matched, matchedBy(op, max));
  return matched;
}

/** Returns the numbers from 0 to the field's maximum that a component matches, as `intervalsOf`. */
export function matchedIntervals(component: NumericComponent): readonly Interval[] {
  const max = fieldMaximum(component.type);
  return union(alternatives(component.ops).flatMap((group) => intervalsOf(group, max)));
}

function matchedBy(op: NumericOp, max: number): readonly Interval[] {
  const value = Number(op.value);
  const parts: Interval[] = [];
  if (op.lt && value > 0) parts.push([0, Math.min(value - 1, max)]);
  if (op.eq && value <= max) parts.push([value, value]);
  if (op.gt && value < max) parts.push([value + 1, max]);
  return union(parts);
}

function intersect(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  const common: Interval[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [fromA, toA] = a[i] as Interval;
    const [fromB, toB] = b[j] as Interval;
    const from = Math.max(fromA, fromB);
    const to = Math.min(toA, toB);
    if (from <= to) common.push([from, to]);
    if (toA < toB) i++;
    else j++;
  }
  return common;
}

function union(intervals: readonly Interval[]): readonly Interval[] {
  const merged: Interval[] = [];
  for (const [from, to] of intervals.toSorted((a, b) => a[0] - b[0])) {
    const last = merged[merged.length - 1];
    if (last !== undefined && from <= last[1] + 1)
      merged[merged.length - 1] = [last[0], Math.max(last[1], to)];
    else merged.push([from, to]);
  }
  return merged;
}

/** Returns operators that match exactly these intervals of 0..`max`; only `<`, `>` and `=`, no `!=`. */
export function operatorsFor(intervals: readonly Interval[], max: number): readonly NumericOp[] {
  return intervals.flatMap(([from, to]): NumericOp[] => {
    if (from === to) return [numericOp({ eq: true, value: from })];
    if (from === 0 && to === max) return [numericOp({ gt: true, eq: true, value: 0 })];
    if (from === 0) return [numericOp({ lt: true, value: to + 1 })];
    const above = numericOp({ gt: true, value: from - 1 });
    return to === max ? [above] : [above, numericOp({ and: true, lt: true, value: to + 1 })];
  });
}

function numericOp(parts: Partial<NumericOp> & { readonly value: number }): NumericOp {
  return { and: false, lt: false, gt: false, eq: false, ...parts };
}
