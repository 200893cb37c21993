/** Limits the operators in each component: writes rules shorter if their meaning allows, otherwise splits them. */
import { failed, ok, type Result } from '../../net/result.ts';
import { componentName } from './components.ts';
import { alternatives, fieldMaximum, matchedIntervals, operatorsFor } from './intervals.ts';
import type { BitmaskComponent, Component, FlowSpec, NumericComponent, NumericOp } from './types.ts';

/** Limits the parts of one rule; more would use up a router's table for one decision. */
const MAX_PARTS = 64;

/**
 * Rewrites every component of a rule to at most `maxOperators` operators, without `!=` and without operators that are
 * always or never true. `findImpossible` must accept the rule. The rules together match exactly what the original
 * matches; it is the only one if nothing was split.
 */
export function fitOperators(spec: FlowSpec, maxOperators: number): Result<readonly FlowSpec[]> {
  let lists: readonly (readonly Component[])[] = [[]];
  for (const component of spec.components) {
    const parts = fitComponent(component, maxOperators);
    if (parts === undefined) {
      return failed(
        `${componentName(component.type)}: an alternative has more than ${maxOperators} operators`,
      );
    }
    if (lists.length * parts.length > MAX_PARTS) {
      return failed(`would need more than ${MAX_PARTS} rules with ${maxOperators} operators per component`);
    }
    lists = lists.flatMap((before) => parts.map((part) => [...before, part]));
  }
  const [only] = lists;
  if (lists.length === 1 && only?.every((component, i) => component === spec.components[i])) {
    return ok([spec]);
  }
  return ok(lists.map((components) => ({ ...spec, components })));
}

function fitComponent(component: Component, maxOperators: number): readonly Component[] | undefined {
  switch (component.type) {
    case 1:
    case 2:
      return [component];
    case 9:
    case 12:
      return fitBitmask(component, maxOperators);
    default:
      return fitNumeric(component, maxOperators);
  }
}

function fitNumeric(component: NumericComponent, maxOperators: number): readonly Component[] | undefined {
  if (component.ops.length <= maxOperators && component.ops.every(isPlain)) return [component];
  const { type } = component;
  const ops = operatorsFor(matchedIntervals(component), fieldMaximum(type));
  return packed(ops, maxOperators)?.map((part) => ({ type, ops: part }));
}

/** True for an operator that is not `!=` (FRR 8.4 resets the session on it), not always true and not always false. */
function isPlain(op: NumericOp): boolean {
  return op.lt !== op.gt || (op.eq && !op.lt);
}

function fitBitmask(component: BitmaskComponent, maxOperators: number): readonly Component[] | undefined {
  if (component.ops.length <= maxOperators) return [component];
  return packed(component.ops, maxOperators)?.map((ops) => ({ type: component.type, ops }));
}

/**
 * Packs alternatives, in order, into as few lists of at most `most` operators as possible; undefined if one alone has
 * more.
 */
function packed<Op extends { readonly and: boolean }>(
  ops: readonly Op[],
  most: number,
): readonly (readonly Op[])[] | undefined {
  const lists: Op[][] = [];
  for (const group of alternatives(ops)) {
    if (group.length > most) return undefined;
    const last = lists[lists.length - 1];
    if (last !== undefined && last.length + group.length <= most) last.push(...group);
    else lists.push([...group]);
  }
  return lists;
}
