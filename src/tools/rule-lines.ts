/**
 * Encodes, decodes and sorts rules as JSON lines, for `prefixd flowspec encode | decode | order` (docs/notation.md). Never
 * throws: an invalid line results in `{ok: false, error}`.
 */
import { formatRouteDistinguisher, parseRouteDistinguisher } from '../bgp/flowspec/action-communities.ts';
import {
  type ActionOctets,
  communityTexts,
  decodeActions,
  encodeReceivedActions,
} from '../bgp/flowspec/actions.ts';
import { FlowSpecError, type RuleRefusal } from '../bgp/flowspec/errors.ts';
import { decodeFlowSpec, encodeFlowSpec } from '../bgp/flowspec/nlri.ts';
import { formatMatch, formatRule } from '../bgp/flowspec/notation/format.ts';
import { parseRule } from '../bgp/flowspec/notation/parse.ts';
import { compareFlowSpecs, type SentFlowSpec, sentFlowSpec } from '../bgp/flowspec/precedence.ts';
import type { Action, FlowSpec } from '../bgp/flowspec/types.ts';
import { concatBytes, fromHex, toHex } from '../net/bytes.ts';
import {
  actionFromJson,
  actionToJson,
  arrayAt,
  componentFromJson,
  componentToJson,
  type JsonObject,
  JsonShapeError,
  numberAt,
  objectAt,
  oversizeValues,
  stringAt,
} from './rule-json.ts';

const DECODE_KEYS = ['afi', 'safi', 'nlri', 'actions', 'next_hop'];
const ENCODE_KEYS = ['afi', 'safi', 'rd', 'components', 'actions'];

/**
 * Decodes `{afi, safi, nlri, actions?, next_hop?}` to `{ok: true, rule, rd?, components, nlri, actions?, tolerated?}`. `nlri`
 * and `actions` are hexadecimal on input; `next_hop` is the next hop of MP_REACH_NLRI, where some redirects have their address.
 * A malformed rule results in `{ok: false, error, treatment}`, with the treatment of RFC 7606.
 */
export function decodeLine(json: unknown): JsonObject {
  return answering(() => {
    const line = objectAt(json, 'line', DECODE_KEYS);
    const nlri = hexAt(line.nlri, 'nlri');
    const decoded = decodeFlowSpec(nlri, numberAt(line.afi, 'afi'), numberAt(line.safi ?? 133, 'safi'));
    if (!decoded.ok) return refusal(decoded.error);
    const { spec, canonical } = decoded.value;
    const read = readActions(line);
    if (!read.ok) return refusal(read.error);
    const { actions } = read.value;
    const tolerated = [...decoded.value.tolerated, ...oversizeValues(spec), ...read.value.tolerated];
    return {
      ok: true,
      rule: line.actions === undefined ? formatMatch(spec) : formatRule(spec, actions),
      ...(spec.rd === undefined ? {} : { rd: formatRouteDistinguisher(spec.rd) }),
      components: spec.components.map(componentToJson),
      nlri: toHex(canonical),
      ...(line.actions === undefined ? {} : { actions: actions.map(actionToJson) }),
      ...(tolerated.length === 0 ? {} : { tolerated }),
    };
  });
}

/**
 * Encodes `{afi, safi?, rd?, components, actions?}`, `{rule}` in operator notation, or a line that `decodeLine` printed, to
 * `{ok: true, nlri, actions?, next_hop?}` with hexadecimal octets. The SAFI is 133, or 134 with a route distinguisher.
 * Accepts components in any order. Encodes a line of `decodeLine` to its canonical octets.
 */
export function encodeLine(json: unknown): JsonObject {
  return answering(() => {
    const { spec, actions } = ruleFromJson(json);
    const nlri = toHex(encodeFlowSpec(spec));
    if (actions === undefined) return { ok: true, nlri };
    const octets = encodeReceivedActions(actions);
    const nextHop = octets.nextHop.length === 0 ? {} : { next_hop: toHex(octets.nextHop) };
    const read = decodeActions(octets);
    const tolerated = read.ok && read.value.tolerated.length > 0 ? { tolerated: read.value.tolerated } : {};
    return { ok: true, nlri, actions: communityTexts(octets), ...nextHop, ...tolerated };
  });
}

/** Holds the lines' indices in order of precedence, and the errors of lines without a rule. */
export interface LineOrder {
  readonly order: readonly number[];
  readonly errors: readonly { readonly index: number; readonly error: string }[];
}

/**
 * Sorts lines by precedence (RFC 8955 §5.1). Accepts the input of `decodeLine` and `encodeLine`, and the output of
 * `decodeLine`. Compares octets as received, not in canonical form. Equal rules keep their order.
 */
export function orderLines(lines: readonly unknown[]): LineOrder {
  const rules: { readonly index: number; readonly sent: SentFlowSpec }[] = [];
  const errors: { readonly index: number; readonly error: string }[] = [];
  for (const [index, json] of lines.entries()) {
    try {
      rules.push({ index, sent: sentRule(json) });
    } catch (error) {
      errors.push({ index, error: explain(error) });
    }
  }
  const sorted = rules.toSorted((a, b) => compareFlowSpecs(a.sent, b.sent));
  return { order: sorted.map((rule) => rule.index), errors };
}

function sentRule(json: unknown): SentFlowSpec {
  if (!isObject(json) || 'rule' in json || !('nlri' in json)) {
    const spec = 'rule' in Object(json) ? readRule(json, 'received').spec : ruleFromJson(json).spec;
    return sentFlowSpec(encodeFlowSpec(spec), spec);
  }
  const line = objectAt(json, 'line', DECODE_KEYS);
  const nlri = hexAt(line.nlri, 'nlri');
  const decoded = decodeFlowSpec(nlri, numberAt(line.afi, 'afi'), numberAt(line.safi ?? 133, 'safi'));
  if (!decoded.ok) throw new JsonShapeError(`nlri: ${decoded.error.reason}`);
  return sentFlowSpec(nlri, decoded.value.spec);
}

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function refusal({ reason, treatment }: RuleRefusal): JsonObject {
  return { ok: false, error: reason, treatment };
}

function answering(answer: () => JsonObject): JsonObject {
  try {
    return answer();
  } catch (error) {
    return { ok: false, error: explain(error) };
  }
}

/** Returns the message of an error that a line can cause; rethrows any other error, which is a defect. */
function explain(error: unknown): string {
  if (error instanceof JsonShapeError || error instanceof FlowSpecError) return error.message;
  throw error;
}

interface JsonRule {
  readonly spec: FlowSpec;
  readonly actions: readonly Action[] | undefined;
}

function ruleFromJson(json: unknown): JsonRule {
  if (!isObject(json)) return ruleFromFields(objectAt(json, 'line', ENCODE_KEYS));
  if (json.ok === false) {
    throw new JsonShapeError(`the line is an error from decode, not a rule: ${String(json.error)}`);
  }
  if (!('rule' in json)) return ruleFromFields(objectAt(json, 'line', ENCODE_KEYS));
  if ('components' in json) return ruleFromDecoded(json);
  const rule = readRule(json, 'ours');
  const [oversize] = oversizeValues(rule.spec);
  if (oversize !== undefined) throw new JsonShapeError(`rule: ${oversize}`);
  return rule;
}

/** Reads a line that decode printed: the family from its rule, everything else from its components, which are exact. */
function ruleFromDecoded(line: JsonObject): JsonRule {
  const { spec: told } = readRule(line, 'received');
  const found = ruleFromFields({ ...line, afi: line.afi ?? told.afi });
  if (toHex(encodeFlowSpec(found.spec)) !== toHex(encodeFlowSpec(told))) {
    throw new JsonShapeError('rule and components are different rules; leave out one of them');
  }
  return found;
}

function ruleFromFields(line: JsonObject): JsonRule {
  const afi = line.afi;
  if (afi !== 1 && afi !== 2) throw new JsonShapeError('afi: expected 1 or 2');
  const rd = line.rd === undefined ? undefined : rdAt(line.rd);
  const safi = line.safi ?? (rd === undefined ? 133 : 134);
  if (safi !== 133 && safi !== 134) throw new JsonShapeError('safi: expected 133 or 134');
  const components = arrayAt(line.components, 'components')
    .map((component, i) => componentFromJson(component, `components[${i}]`))
    .toSorted((a, b) => a.type - b.type);
  const actions =
    line.actions === undefined
      ? undefined
      : arrayAt(line.actions, 'actions').map((action, i) => actionFromJson(action, `actions[${i}]`));
  return { spec: rd === undefined ? { afi, safi, components } : { afi, safi, rd, components }, actions };
}

/** Reads the rule in operator notation under the key `rule`. */
function readRule(line: unknown, origin: 'ours' | 'received'): JsonRule {
  const text = stringAt(Object(line).rule, 'rule');
  const parsed = parseRule(text, origin);
  if (!parsed.ok) throw new JsonShapeError(`rule: at offset ${parsed.error.offset}: ${parsed.error.message}`);
  const { spec, actions } = parsed.value;
  return { spec, actions: actions.length === 0 ? undefined : actions };
}

function rdAt(value: unknown): Uint8Array {
  const rd = parseRouteDistinguisher(stringAt(value, 'rd'));
  if (rd === undefined) throw new JsonShapeError('rd: expected a route distinguisher such as "65000:100"');
  return rd;
}

function hexAt(value: unknown, path: string): Uint8Array {
  const bytes = fromHex(stringAt(value, path));
  if (bytes === undefined) throw new JsonShapeError(`${path}: expected an even number of hexadecimal digits`);
  return bytes;
}

function readActions(line: JsonObject) {
  const communities = arrayAt(line.actions ?? [], 'actions').map((text, i) => {
    const octets = hexAt(text, `actions[${i}]`);
    if (octets.length === 8 || octets.length === 20) return octets;
    throw new JsonShapeError(`actions[${i}]: expected 8 or 20 octets, not ${octets.length}`);
  });
  const parts: ActionOctets = {
    extendedCommunities: concatBytes(communities.filter((octets) => octets.length === 8)),
    ipv6ExtendedCommunities: concatBytes(communities.filter((octets) => octets.length === 20)),
    nextHop: line.next_hop === undefined ? new Uint8Array(0) : hexAt(line.next_hop, 'next_hop'),
  };
  return decodeActions(parts);
}
