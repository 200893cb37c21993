/**
 * Rules as lines of JSON: what `prefixd flowspec encode | decode | order` read and write (docs/notation.md). Objects in,
 * objects out; nothing here throws, a line that is not understood is answered by `{ok: false, error}`.
 */
import { concatBytes, fromHex, toHex } from '../../net/bytes.ts';
import { formatPrefix, parsePrefix } from '../../net/prefix.ts';
import { type ActionOctets, communityTexts, decodeActions, encodeActions } from './actions.ts';
import { formatRouteDistinguisher, parseRouteDistinguisher } from './administrators.ts';
import { prefixComponent } from './components.ts';
import { FlowSpecError } from './errors.ts';
import { actionFromJson, actionToJson } from './json-actions.ts';
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
import { decodeFlowSpec, encodeFlowSpec } from './nlri.ts';
import { compareFlowSpecs } from './order.ts';
import { parseRule } from './parse.ts';
import { formatMatch, formatRule } from './text.ts';
import type { Action, BitmaskOp, Component, FlowSpec, NumericOp } from './types.ts';

const DECODE_KEYS = ['afi', 'safi', 'nlri', 'actions', 'next_hop'];
const ENCODE_KEYS = ['afi', 'safi', 'rd', 'components', 'actions'];

/**
 * `{afi, safi, nlri, actions?, next_hop?}` -> `{ok: true, rule, rd?, components, nlri, actions?, tolerated?}`. `nlri` and
 * `actions` are hexadecimal on input; `next_hop` is that of MP_REACH_NLRI, for a redirect that carries its address there.
 * A malformed rule is `{ok: false, error, treatment}` with what RFC 7606 makes of it.
 */
export function decodeLine(json: unknown): JsonObject {
  return answering(() => {
    const line = objectAt(json, 'line', DECODE_KEYS);
    const nlri = hexAt(line.nlri, 'nlri');
    const decoded = decodeFlowSpec(nlri, numberAt(line.afi, 'afi'), numberAt(line.safi ?? 133, 'safi'));
    if (!decoded.ok) return { ok: false, error: decoded.reason, treatment: decoded.treatment };
    const { spec, canonical } = decoded;
    const read = readActions(line);
    if (!read.ok) return { ok: false, error: read.reason, treatment: read.treatment };
    const tolerated = [...decoded.tolerated, ...read.tolerated];
    return {
      ok: true,
      rule: line.actions === undefined ? formatMatch(spec) : formatRule(spec, read.actions),
      ...(spec.rd === undefined ? {} : { rd: formatRouteDistinguisher(spec.rd) }),
      components: spec.components.map(componentToJson),
      nlri: toHex(canonical),
      ...(line.actions === undefined ? {} : { actions: read.actions.map(actionToJson) }),
      ...(tolerated.length === 0 ? {} : { tolerated }),
    };
  });
}

/**
 * `{afi, safi?, rd?, components, actions?}` or `{rule}` in operator notation -> `{ok: true, nlri, actions?, next_hop?}` with
 * hexadecimal octets. SAFI is 133, or 134 where there is a route distinguisher. Components may come in any order.
 */
export function encodeLine(json: unknown): JsonObject {
  return answering(() => {
    const { spec, actions } = ruleFromJson(json);
    const nlri = toHex(encodeFlowSpec(spec));
    if (actions === undefined) return { ok: true, nlri };
    const octets = encodeActions(actions);
    const nextHop = octets.nextHop.length === 0 ? {} : { next_hop: toHex(octets.nextHop) };
    return { ok: true, nlri, actions: communityTexts(octets), ...nextHop };
  });
}

/** The lines in order of precedence, as their indices, and those that hold no rule. */
export interface LineOrder {
  readonly order: readonly number[];
  readonly errors: readonly { readonly index: number; readonly error: string }[];
}

/**
 * Puts lines into the precedence order of RFC 8955 §5.1: lines as `decodeLine` or `encodeLine` read them, or with the `rule`
 * that `decodeLine` wrote. Equal rules keep their order.
 */
export function orderLines(lines: readonly unknown[]): LineOrder {
  const rules: { readonly index: number; readonly spec: FlowSpec }[] = [];
  const errors: { readonly index: number; readonly error: string }[] = [];
  for (const [index, json] of lines.entries()) {
    try {
      const spec = specOfLine(json);
      encodeFlowSpec(spec);
      rules.push({ index, spec });
    } catch (error) {
      errors.push({ index, error: explain(error) });
    }
  }
  const sorted = rules.toSorted((a, b) => compareFlowSpecs(a.spec, b.spec));
  return { order: sorted.map((rule) => rule.index), errors };
}

function specOfLine(json: unknown): FlowSpec {
  if (typeof json !== 'object' || json === null || 'rule' in json || !('nlri' in json)) {
    return ruleFromJson(json).spec;
  }
  const line = objectAt(json, 'line', DECODE_KEYS);
  const afi = numberAt(line.afi, 'afi');
  const decoded = decodeFlowSpec(hexAt(line.nlri, 'nlri'), afi, numberAt(line.safi ?? 133, 'safi'));
  if (!decoded.ok) throw new JsonShapeError(`nlri: ${decoded.reason}`);
  return decoded.spec;
}

function answering(answer: () => JsonObject): JsonObject {
  try {
    return answer();
  } catch (error) {
    return { ok: false, error: explain(error) };
  }
}

/** The message of an error that a line can cause; any other is a defect and goes on. */
function explain(error: unknown): string {
  if (error instanceof JsonShapeError || error instanceof FlowSpecError) return error.message;
  throw error;
}

function ruleFromJson(json: unknown): {
  readonly spec: FlowSpec;
  readonly actions: readonly Action[] | undefined;
} {
  if (typeof json === 'object' && json !== null && 'rule' in json) return ruleFromText(json.rule);
  const line = objectAt(json, 'line', ENCODE_KEYS);
  const afi = line.afi;
  if (afi !== 1 && afi !== 2) throw new JsonShapeError('afi: 1 or 2 is expected');
  const rd = line.rd === undefined ? undefined : rdAt(line.rd);
  const safi = line.safi ?? (rd === undefined ? 133 : 134);
  if (safi !== 133 && safi !== 134) throw new JsonShapeError('safi: 133 or 134 is expected');
  const components = arrayAt(line.components, 'components')
    .map((component, i) => componentFromJson(component, `components[${i}]`))
    .toSorted((a, b) => a.type - b.type);
  const actions =
    line.actions === undefined
      ? undefined
      : arrayAt(line.actions, 'actions').map((action, i) => actionFromJson(action, `actions[${i}]`));
  return { spec: rd === undefined ? { afi, safi, components } : { afi, safi, rd, components }, actions };
}

function ruleFromText(rule: unknown): {
  readonly spec: FlowSpec;
  readonly actions: readonly Action[] | undefined;
} {
  const text = stringAt(rule, 'rule');
  const parsed = parseRule(text);
  if (!parsed.ok) throw new JsonShapeError(`rule: at offset ${parsed.error.offset}: ${parsed.error.message}`);
  const { spec, actions } = parsed;
  return { spec, actions: actions.length === 0 ? undefined : actions };
}

function rdAt(value: unknown): Uint8Array {
  const rd = parseRouteDistinguisher(stringAt(value, 'rd'));
  if (rd === undefined) throw new JsonShapeError('rd: "65000:100" or the like is expected');
  return rd;
}

function hexAt(value: unknown, path: string): Uint8Array {
  const bytes = fromHex(stringAt(value, path));
  if (bytes === undefined)
    throw new JsonShapeError(`${path}: an even number of hexadecimal digits is expected`);
  return bytes;
}

function readActions(line: JsonObject) {
  const communities = arrayAt(line.actions ?? [], 'actions').map((text, i) => {
    const octets = hexAt(text, `actions[${i}]`);
    if (octets.length === 8 || octets.length === 20) return octets;
    throw new JsonShapeError(`actions[${i}]: 8 or 20 octets are expected, not ${octets.length}`);
  });
  const parts: ActionOctets = {
    extendedCommunities: concatBytes(communities.filter((octets) => octets.length === 8)),
    ipv6ExtendedCommunities: concatBytes(communities.filter((octets) => octets.length === 20)),
    nextHop: line.next_hop === undefined ? new Uint8Array(0) : hexAt(line.next_hop, 'next_hop'),
  };
  return decodeActions(parts);
}

function componentToJson(component: Component): JsonObject {
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
        ops: component.ops.map((op) => ({ ...op, value: wholeToJson(op.value) })),
      };
  }
}

function componentFromJson(json: unknown, path: string): Component {
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
      return { type, ops: opsOf(json, path).map(([op, at]) => numericOp(op, at)) };
    default:
      throw new JsonShapeError(`${path}.type: a component type from 1 to 13 is expected`);
  }
}

/** The operators of a component, each with its path. */
function opsOf(json: unknown, path: string): readonly (readonly [op: unknown, path: string])[] {
  const ops = objectAt(json, path, ['type', 'ops']).ops;
  return arrayAt(ops, `${path}.ops`).map((op, i) => [op, `${path}.ops[${i}]`] as const);
}

function numericOp(json: unknown, path: string): NumericOp {
  const op = objectAt(json, path, ['and', 'lt', 'gt', 'eq', 'value']);
  return {
    and: flagAt(op, 'and', path),
    lt: flagAt(op, 'lt', path),
    gt: flagAt(op, 'gt', path),
    eq: flagAt(op, 'eq', path),
    value: wholeAt(op.value, `${path}.value`),
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
