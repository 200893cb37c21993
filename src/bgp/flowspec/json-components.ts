/** Components of a rule as JSON (docs/notation.md), for `prefixd flowspec` and whoever else speaks in lines of JSON. */
import { formatPrefix, parsePrefix } from '../../net/prefix.ts';
import { componentName, prefixComponent } from './components.ts';
import { fieldMaximum } from './intervals.ts';
import {
  arrayAt,
  flagAt,
  type JsonObject,
  JsonShapeError,
  numberAt,
  objectAt,
  stringAt,
  wholeAt,
  wholeToJson,
} from './json-fields.ts';
import type { BitmaskOp, Component, FlowSpec, NumericComponent, NumericOp } from './types.ts';

/** A component as plain JSON. A value that no packet can have is marked `oversize`. */
export function componentToJson(component: Component): JsonObject {
  switch (component.type) {
    case 1:
    case 2: {
      const { type, prefix, offset } = component;
      const text = formatPrefix(prefix);
      return prefix.family === 4 ? { type, prefix: text } : { type, prefix: text, offset };
    }
    case 9:
    case 12:
      return { type: component.type, ops: component.ops.map((op) => ({ ...op })) };
    default:
      return {
        type: component.type,
        ops: component.ops.map((op) => ({
          ...op,
          value: wholeToJson(op.value),
          ...(op.value > fieldMaximum(component.type) ? { oversize: true } : {}),
        })),
      };
  }
}

/**
 * The component that JSON stands for; JsonShapeError when it stands for none. A value above the largest of its field is refused
 * unless it is marked `oversize`, as `componentToJson` marks it: a typing error must not become a rule that matches nothing.
 */
export function componentFromJson(json: unknown, path: string): Component {
  const type = objectAt(json, path, ['type', 'prefix', 'offset', 'ops']).type;
  switch (type) {
    case 1:
    case 2: {
      const object = objectAt(json, path, ['type', 'prefix', 'offset']);
      const prefix = parsePrefix(stringAt(object.prefix, `${path}.prefix`));
      if (typeof prefix === 'string') throw new JsonShapeError(`${path}.prefix: ${prefix}`);
      const offset = numberAt(object.offset ?? 0, `${path}.offset`);
      return prefixComponent(type, prefix, offset);
    }
    case 9:
    case 12:
      return { type, ops: opsOf(json, path).map(([op, at]) => bitmaskOp(op, at)) };
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 10:
    case 11:
    case 13:
      return { type, ops: opsOf(json, path).map(([op, at]) => numericOp(op, at, type)) };
    default:
      throw new JsonShapeError(`${path}.type: a component type from 1 to 13 is expected`);
  }
}

/** The operators of a component, each with its path. */
function opsOf(json: unknown, path: string): readonly (readonly [op: unknown, path: string])[] {
  const ops = objectAt(json, path, ['type', 'ops']).ops;
  return arrayAt(ops, `${path}.ops`).map((op, i) => [op, `${path}.ops[${i}]`] as const);
}

function numericOp(json: unknown, path: string, type: NumericComponent['type']): NumericOp {
  const op = objectAt(json, path, ['and', 'lt', 'gt', 'eq', 'value', 'oversize']);
  const value = wholeAt(op.value, `${path}.value`);
  const oversize = oversizeText(type, value);
  if (oversize !== undefined && !flagAt(op, 'oversize', path)) {
    throw new JsonShapeError(`${path}.value: ${oversize}`);
  }
  return {
    and: flagAt(op, 'and', path),
    lt: flagAt(op, 'lt', path),
    gt: flagAt(op, 'gt', path),
    eq: flagAt(op, 'eq', path),
    value,
  };
}

function bitmaskOp(json: unknown, path: string): BitmaskOp {
  const op = objectAt(json, path, ['and', 'not', 'match', 'value']);
  return {
    and: flagAt(op, 'and', path),
    not: flagAt(op, 'not', path),
    match: flagAt(op, 'match', path),
    value: numberAt(op.value, `${path}.value`),
  };
}

/** Why a value is above what its packet field can hold, or undefined. */
function oversizeText(type: NumericComponent['type'], value: number | bigint): string | undefined {
  const most = fieldMaximum(type);
  return value > most
    ? `${componentName(type)} ${value} is above ${most}, the largest possible value`
    : undefined;
}

/** One text for each value of a rule that no packet can have (RFC 8955 §4.2.2 lets the octets hold more than the fields). */
export function oversizeValues(spec: FlowSpec): readonly string[] {
  return spec.components.flatMap((component) => {
    if ('prefix' in component || component.type === 9 || component.type === 12) return [];
    const { type, ops } = component;
    return ops.flatMap((op) => oversizeText(type, op.value) ?? []);
  });
}
