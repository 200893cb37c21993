/** Reads rules from unknown JSON and writes them, with errors that name the path: `components[1].ops[0].value`. */
import { formatRouteTarget, parseRouteTarget } from '../bgp/flowspec/action-communities.ts';
import { componentName, prefixComponent } from '../bgp/flowspec/components.ts';
import { fieldMaximum } from '../bgp/flowspec/intervals.ts';
import type {
  Action,
  BitmaskOp,
  Component,
  FlowSpec,
  NumericComponent,
  NumericOp,
} from '../bgp/flowspec/types.ts';
import { fromHex, toHex } from '../net/bytes.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from '../net/prefix.ts';

/** Reports JSON of an invalid shape. The message begins with the path. */
export class JsonShapeError extends Error {
  override readonly name = 'JsonShapeError';
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Returns an object that has only these keys. Rejects unknown keys, because a misspelled one would silently be a default. */
export function objectAt(value: unknown, path: string, keys: readonly string[]): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new JsonShapeError(`${path}: expected an object`);
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) {
      throw new JsonShapeError(`${path}: unknown key "${key}"; valid keys: ${keys.join(', ')}`);
    }
  }
  return value as JsonObject;
}

export function arrayAt(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new JsonShapeError(`${path}: expected an array`);
  return value;
}

export function stringAt(value: unknown, path: string): string {
  if (typeof value !== 'string') throw new JsonShapeError(`${path}: expected a string`);
  return value;
}

/** Returns a boolean; false if absent. */
export function flagAt(object: JsonObject, key: string, path: string): boolean {
  const value = object[key] ?? false;
  if (typeof value !== 'boolean') throw new JsonShapeError(`${path}.${key}: expected true or false`);
  return value;
}

export function numberAt(value: unknown, path: string): number {
  if (typeof value !== 'number') throw new JsonShapeError(`${path}: expected a number`);
  return value;
}

/** Returns a whole number from 0 to 2^64-1, written as a JSON number up to 2^53-1, or as a decimal string. */
export function wholeAt(value: unknown, path: string): number | bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  if (typeof value === 'string' && /^\d{1,20}$/.test(value)) {
    const exact = BigInt(value);
    return exact > BigInt(Number.MAX_SAFE_INTEGER) ? exact : Number(exact);
  }
  throw new JsonShapeError(
    `${path}: expected a whole number from 0; above 9007199254740991, a decimal string`,
  );
}

/** Writes a whole number as `wholeAt` reads it. */
export function wholeToJson(value: number | bigint): number | string {
  return value > Number.MAX_SAFE_INTEGER ? value.toString() : Number(value);
}

// Reads and writes a rule's components (docs/notation.md).

/** Writes a component. Marks a value that no packet can have with `oversize`. */
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
 * Reads a component; JsonShapeError if it is invalid. Rejects a value above its field's maximum unless it is marked `oversize`,
 * as `componentToJson` marks it: a typing error must not become a rule that matches nothing.
 */
export function componentFromJson(json: unknown, path: string): Component {
  const type = objectAt(json, path, ['type', 'prefix', 'offset', 'ops']).type;
  switch (type) {
    case 1:
    case 2: {
      const object = objectAt(json, path, ['type', 'prefix', 'offset']);
      const prefix = parsePrefix(stringAt(object.prefix, `${path}.prefix`));
      if (!prefix.ok) throw new JsonShapeError(`${path}.prefix: ${prefix.error}`);
      const offset = numberAt(object.offset ?? 0, `${path}.offset`);
      return prefixComponent(type, prefix.value, offset);
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
      throw new JsonShapeError(`${path}.type: expected a component type from 1 to 13`);
  }
}

/** Returns a component's operators, each with its path. */
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

/** Returns an error if a value exceeds its packet field, else undefined. */
function oversizeText(type: NumericComponent['type'], value: number | bigint): string | undefined {
  const most = fieldMaximum(type);
  return value > most ? `${componentName(type)} ${value} is above ${most}, the field's maximum` : undefined;
}

/** Returns one text for each value that no packet can have (RFC 8955 §4.2.2 allows values longer than the packet field). */
export function oversizeValues(spec: FlowSpec): readonly string[] {
  return spec.components.flatMap((component) => {
    if ('prefix' in component || component.type === 9 || component.type === 12) return [];
    const { type, ops } = component;
    return ops.flatMap((op) => oversizeText(type, op.value) ?? []);
  });
}

// Reads and writes actions (docs/notation.md).

/** Writes an action. */
export function actionToJson(action: Action): JsonObject {
  switch (action.type) {
    case 'traffic-rate':
      return { type: action.type, rate_bps: action.bitsPerSecond, asn: action.asn };
    case 'traffic-rate-packets':
      return { type: action.type, rate_pps: action.packetsPerSecond, asn: action.asn };
    case 'traffic-action':
    case 'marking':
      return { ...action };
    case 'redirect-vrf':
      return { type: action.type, target: formatRouteTarget(action.target) };
    case 'redirect-vrf-ipv6':
      return { type: action.type, address: formatAddress(action.address), value: action.value };
    case 'redirect-ip': {
      const { type, form, copy } = action;
      const where = action.address === undefined ? {} : { address: formatAddress(action.address) };
      return { type, form, ...where, copy };
    }
    case 'unknown':
      return { type: action.type, octets: toHex(action.octets) };
  }
}

/** Lists the keys of each type of action, apart from `type`. */
const KEYS: Readonly<Record<Action['type'], readonly string[]>> = {
  'traffic-rate': ['rate_bps', 'asn'],
  'traffic-rate-packets': ['rate_pps', 'asn'],
  'traffic-action': ['sample', 'terminal'],
  marking: ['dscp'],
  'redirect-vrf': ['target'],
  'redirect-vrf-ipv6': ['address', 'value'],
  'redirect-ip': ['form', 'address', 'copy'],
  unknown: ['octets'],
};

/** Reads an action; JsonShapeError if it is invalid. `encodeActions` checks the ranges. */
export function actionFromJson(json: unknown, path: string): Action {
  const type = actionType(json, path);
  const object = objectAt(json, path, ['type', ...KEYS[type]]);
  const number = (key: string): number => numberAt(object[key], `${path}.${key}`);
  const text = (key: string): string => stringAt(object[key], `${path}.${key}`);
  const asn = (): number => numberAt(object.asn ?? 0, `${path}.asn`);
  switch (type) {
    case 'traffic-rate':
      return { type, bitsPerSecond: number('rate_bps'), asn: asn() };
    case 'traffic-rate-packets':
      return { type, packetsPerSecond: number('rate_pps'), asn: asn() };
    case 'traffic-action':
      return { type, sample: flagAt(object, 'sample', path), terminal: flagAt(object, 'terminal', path) };
    case 'marking':
      return { type, dscp: number('dscp') };
    case 'redirect-vrf': {
      const target = parseRouteTarget(text('target'));
      if (target === undefined)
        throw new JsonShapeError(`${path}.target: expected a route target such as "65000:100"`);
      return { type, target };
    }
    case 'redirect-vrf-ipv6':
      return { type, address: address(object, path), value: number('value') };
    case 'redirect-ip': {
      const form = object.form ?? 'ietf';
      if (form !== 'ietf' && form !== 'draft-00') {
        throw new JsonShapeError(`${path}.form: expected "ietf" or "draft-00"`);
      }
      // A draft-00 redirect has its address in the next hop, so one decoded without the next hop has none.
      const where =
        form === 'draft-00' && object.address === undefined ? {} : { address: address(object, path) };
      return { type, form, ...where, copy: flagAt(object, 'copy', path) };
    }
    case 'unknown': {
      const octets = fromHex(text('octets'));
      if (octets === undefined) throw new JsonShapeError(`${path}.octets: expected hexadecimal digits`);
      return { type, octets };
    }
  }
}

function actionType(json: unknown, path: string): Action['type'] {
  if (typeof json === 'object' && json !== null && 'type' in json) {
    for (const type of Object.keys(KEYS)) if (json.type === type) return type as Action['type'];
  }
  throw new JsonShapeError(`${path}.type: expected one of ${Object.keys(KEYS).join(', ')}`);
}

function address(object: JsonObject, path: string): Uint8Array {
  const octets = parseAddress(stringAt(object.address, `${path}.address`));
  if (octets === undefined) throw new JsonShapeError(`${path}.address: expected an IPv4 or IPv6 address`);
  return octets;
}
