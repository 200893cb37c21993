/**
 * Encodes and decodes Flow Specification NLRI (RFC 8955 §4, §8; RFC 8956 §3).
 *
 * The encoder has one form for each rule, so the octets are the rule's key. The decoder is strict about structure and
 * notes in `tolerated` what the standard allows but would encode otherwise.
 */
import { failed, ok, type Result } from '../../net/result.ts';
import { componentName } from './components.ts';
import { type Cursor, fail, tolerate } from './cursor.ts';
import { FlowSpecError, type RuleRefusal, type Treatment } from './errors.ts';
import { decodeBitmaskOps, decodeNumericOps, encodeBitmaskOps, encodeNumericOps } from './operators.ts';
import { decodePrefix, encodePrefix } from './prefix-octets.ts';
import type { Component, FlowSpec } from './types.ts';

/** The longest NLRI value, without its length octets (RFC 8955 §4.1: `0xfnnn`). */
export const MAX_NLRI_LENGTH = 4095;

/** From this value on, the length takes two octets (RFC 8955 §4.1). */
const TWO_OCTET_LENGTH = 240;

/** Length of a route distinguisher in octets (RFC 4364 §4.2). */
const RD_LENGTH = 8;

/** Space before the value for either form of the length. */
const HEAD = 2;
const LIMIT = HEAD + MAX_NLRI_LENGTH;

/** The most octets that one step writes before the limit is checked: a prefix's type, length, offset and address. */
const SLACK = 19;

/** Encoding never yields, so one buffer serves all calls; results are copies. */
const scratch = new Uint8Array(LIMIT + SLACK);

const NOTHING_TOLERATED: readonly string[] = [];

/** A rule that was read. */
export interface DecodedFlowSpec {
  readonly spec: FlowSpec;
  /** The rule as this encoder writes it, length octets included; equal to the input if nothing was tolerated. */
  readonly canonical: Uint8Array;
  /** Differences between the input and `canonical`, described for people; empty if there are none. */
  readonly tolerated: readonly string[];
  /** Octets that the rule took, length octets included. */
  readonly consumed: number;
}

/** A decoded rule, or the reason why there is none. */
export type FlowSpecResult = Result<DecodedFlowSpec, RuleRefusal>;

/** One NLRI of a field: its octets and their meaning. */
export interface ListedFlowSpec {
  /** The NLRI as received, length octets included; the rest of the field if the NLRI's end is unknown. */
  readonly octets: Uint8Array;
  readonly result: FlowSpecResult;
}

/**
 * Encodes a rule in its canonical form, with length octets (1 for a value below 240, otherwise 2). Throws FlowSpecError
 * if the rule breaks its type's contract (see types.ts) or needs more than 4095 octets.
 */
export function encodeFlowSpec(spec: FlowSpec): Uint8Array {
  checkFamily(spec);
  let at = HEAD;
  if (spec.rd !== undefined) {
    scratch.set(spec.rd, at);
    at += RD_LENGTH;
  }
  const components = spec.components;
  if (components.length === 0) throw new FlowSpecError('a rule without components would match every packet');
  let previous = 0;
  for (let i = 0; i < components.length; i++) {
    const component = components[i] as Component;
    checkOrder(component.type, previous);
    previous = component.type;
    scratch[at++] = component.type;
    at = encodeComponent(component, at, spec.afi);
  }
  const length = at - HEAD;
  if (length < TWO_OCTET_LENGTH) {
    scratch[1] = length;
    return scratch.slice(1, at);
  }
  scratch[0] = 0xf0 | (length >>> 8);
  scratch[1] = length & 0xff;
  return scratch.slice(0, at);
}

function checkFamily(spec: FlowSpec): void {
  if (spec.afi !== 1 && spec.afi !== 2) throw new FlowSpecError(`AFI ${spec.afi} is neither IPv4 nor IPv6`);
  if (spec.safi === 133) {
    if (spec.rd !== undefined) throw new FlowSpecError('a route distinguisher needs SAFI 134');
  } else if (spec.safi === 134) {
    if (spec.rd?.length !== RD_LENGTH) {
      throw new FlowSpecError(`SAFI 134 needs a route distinguisher of ${RD_LENGTH} octets`);
    }
  } else {
    throw new FlowSpecError(`SAFI ${String(spec.safi)} is not a Flow Specification SAFI`);
  }
}

function checkOrder(type: number, previous: number): void {
  if (type > previous) return;
  if (type === previous) throw new FlowSpecError(`${componentName(type)} appears twice in one rule`);
  throw new FlowSpecError(`${componentName(type)} must precede ${componentName(previous)}`);
}

function encodeComponent(component: Component, at: number, afi: 1 | 2): number {
  switch (component.type) {
    case 1:
    case 2:
      return encodePrefix(scratch, at, LIMIT, component, afi);
    case 9:
    case 12:
      return encodeBitmaskOps(scratch, at, LIMIT, component, afi);
    case 13:
      if (afi === 1) throw new FlowSpecError('flow-label exists in IPv6 only');
      return encodeNumericOps(scratch, at, LIMIT, component);
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 10:
    case 11:
      return encodeNumericOps(scratch, at, LIMIT, component);
    default:
      throw new FlowSpecError(`there is no component of type ${String((component as Component).type)}`);
  }
}

/**
 * Decodes exactly one NLRI, length octets first. `afi` and `safi` are those of the attribute. Octets after the NLRI are
 * refused. Never throws.
 */
export function decodeFlowSpec(nlri: Uint8Array, afi: number, safi: number): FlowSpecResult {
  const result = decodeAt(nlri, 0, afi, safi);
  if (result.ok && result.value.consumed !== nlri.length) {
    const trailing = nlri.length - result.value.consumed;
    return refuse(`${trailing} octets follow the end of the NLRI`, 'afi-safi-disable');
  }
  return result;
}

/**
 * Decodes the NLRI field of an UPDATE: any number of NLRI, or none. A malformed NLRI becomes an entry with its refusal,
 * and decoding continues after it; if its end is unknown, its entry is the last one. Never throws.
 */
export function decodeFlowSpecList(octets: Uint8Array, afi: number, safi: number): readonly ListedFlowSpec[] {
  const list: ListedFlowSpec[] = [];
  let at = 0;
  while (at < octets.length) {
    const result = decodeAt(octets, at, afi, safi);
    const end = result.ok ? at + result.value.consumed : endOfNlri(octets, at, result.error.treatment);
    const clean = result.ok && result.value.tolerated.length === 0;
    list.push({ octets: clean ? result.value.canonical : octets.slice(at, end), result });
    at = end;
  }
  return list;
}

function endOfNlri(octets: Uint8Array, at: number, treatment: Treatment): number {
  if (treatment !== 'treat-as-withdraw') return octets.length;
  const first = octets[at] as number;
  return first < TWO_OCTET_LENGTH ? at + 1 + first : at + 2 + twoOctetLength(octets, at);
}

function twoOctetLength(octets: Uint8Array, at: number): number {
  return (((octets[at] as number) & 0x0f) << 8) | (octets[at + 1] as number);
}

/** Decodes the NLRI that starts at `start` and must not exceed the end of `octets`. */
function decodeAt(octets: Uint8Array, start: number, afi: number, safi: number): FlowSpecResult {
  if ((afi !== 1 && afi !== 2) || (safi !== 133 && safi !== 134)) {
    return refuse(`AFI ${afi}, SAFI ${safi} is not a Flow Specification family`, 'session-reset');
  }
  const left = octets.length - start;
  if (left === 0) return refuse('no octets: not even a length', 'afi-safi-disable');
  const first = octets[start] as number;
  const head = first < TWO_OCTET_LENGTH ? 1 : 2;
  if (left < head) return refuse('the second octet of the length is missing', 'afi-safi-disable');
  const length = head === 1 ? first : twoOctetLength(octets, start);
  if (length > left - head) {
    return refuse(`the length is ${length} octets, but only ${left - head} are left`, 'afi-safi-disable');
  }
  const end = start + head + length;
  const cursor: Cursor = {
    bytes: octets,
    at: start + head,
    end,
    afi,
    failure: undefined,
    tolerated: undefined,
  };
  if (head === 2 && length < TWO_OCTET_LENGTH) {
    tolerate(cursor, `the length ${length} takes two octets; one is enough below ${TWO_OCTET_LENGTH}`);
  }
  const spec = decodeValue(cursor, afi, safi);
  if (spec === undefined) return refuse(cursor.failure ?? 'malformed', 'treat-as-withdraw');
  const consumed = end - start;
  if (cursor.tolerated === undefined) {
    const canonical = consumed === octets.length ? octets : octets.slice(start, end);
    return ok({ spec, canonical, tolerated: NOTHING_TOLERATED, consumed });
  }
  return withCanonical(spec, cursor.tolerated, consumed);
}

/**
 * Adds the canonical form. A tolerated form can be shorter than the canonical one (flow labels), so that the latter may
 * be too long.
 */
function withCanonical(spec: FlowSpec, tolerated: readonly string[], consumed: number): FlowSpecResult {
  try {
    return ok({ spec, canonical: encodeFlowSpec(spec), tolerated, consumed });
  } catch (error) {
    if (!(error instanceof FlowSpecError)) throw error;
    return refuse(`has no canonical form: ${error.message}`, 'treat-as-withdraw');
  }
}

function decodeValue(cursor: Cursor, afi: 1 | 2, safi: 133 | 134): FlowSpec | undefined {
  let rd: Uint8Array | undefined;
  if (safi === 134) {
    if (cursor.end - cursor.at < RD_LENGTH) {
      return fail(
        cursor,
        `${cursor.end - cursor.at} octets are too few for a route distinguisher of ${RD_LENGTH}`,
      );
    }
    rd = cursor.bytes.slice(cursor.at, cursor.at + RD_LENGTH);
    cursor.at += RD_LENGTH;
  }
  const components: Component[] = [];
  let previous = 0;
  while (cursor.at < cursor.end) {
    const type = cursor.bytes[cursor.at++] as number;
    if (type <= previous && type !== 0) {
      cursor.failure =
        type === previous
          ? `${componentName(type)} appears twice`
          : `${componentName(type)} follows ${componentName(previous)}, but types must ascend`;
      return undefined;
    }
    previous = type;
    const component = decodeComponent(cursor, type, afi);
    if (component === undefined) return undefined;
    components.push(component);
  }
  if (components.length === 0) {
    return fail(cursor, 'the NLRI has no components');
  }
  return rd === undefined ? { afi, safi, components } : { afi, safi, rd, components };
}

function decodeComponent(cursor: Cursor, type: number, afi: 1 | 2): Component | undefined {
  switch (type) {
    case 1:
    case 2:
      return decodePrefix(cursor, type, afi);
    case 9:
    case 12:
      return decodeBitmaskOps(cursor, type);
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
    case 10:
    case 11:
      return decodeNumericOps(cursor, type);
    case 13:
      if (afi === 2) return decodeNumericOps(cursor, type);
      break;
  }
  // RFC 8955 §4.2: an NLRI with an unknown component type is malformed.
  return fail(cursor, `component type ${type} is unknown for IPv${afi === 1 ? 4 : 6}`);
}

function refuse(reason: string, treatment: Treatment): FlowSpecResult {
  return failed({ reason, treatment });
}
