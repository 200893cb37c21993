/**
 * Parses rules in operator notation (docs/notation.md), the inverse of format.ts. The result can be encoded;
 * `findImpossible` and the guardrails decide whether it makes sense on the network.
 */
import { parsePrefix } from '../../../net/prefix.ts';
import { failed, ok, type Result } from '../../../net/result.ts';
import { parseRouteDistinguisher } from '../action-communities.ts';
import { encodeActions, encodeReceivedActions } from '../actions.ts';
import { COMPONENT_KEYWORDS, prefixComponent } from '../components.ts';
import { FlowSpecError } from '../errors.ts';
import { encodeFlowSpec } from '../nlri.ts';
import {
  type Action,
  type BitmaskOp,
  type Component,
  ComponentType,
  type FlowSpec,
  type NumericComponent,
  type NumericOp,
  type PrefixComponent,
} from '../types.ts';
import { failure, failureAt, type NotationError, NotationFailure, type Token, TokenReader } from './lexer.ts';
import { DSCP_NAMES, FRAGMENT_NAMES, type NameTable, PROTOCOL_NAMES, TCP_FLAG_NAMES } from './names.ts';
import { parseActions } from './parse-actions.ts';

/** A rule with its actions, none for `accept` or without `then`. */
export interface ParsedRule {
  readonly spec: FlowSpec;
  readonly actions: readonly Action[];
}

/** Limits the length of a text; it exceeds that of the longest rule. */
const MAX_TEXT = 100_000;

/**
 * Parses `match ... then ...`; `then` and the actions are optional. `ours` is a rule to announce. `received` is a rule
 * that a router may have sent: its actions may contradict each other, and a redirect to the next hop needs no address.
 * Never throws.
 */
export function parseRule(
  text: string,
  origin: 'ours' | 'received' = 'ours',
): Result<ParsedRule, NotationError> {
  if (text.length > MAX_TEXT) {
    const expected = `at most ${MAX_TEXT} characters`;
    return failed({ message: 'the text is too long for a rule', offset: 0, length: text.length, expected });
  }
  try {
    const reader = new TokenReader(text);
    if (!reader.takeIf('match')) throw failure(reader.peek(), 'match', ['match']);
    const spec = parseMatch(reader);
    const actions = reader.takeIf('then') ? parseActions(reader) : [];
    encodeFlowSpec(spec);
    if (origin === 'ours') encodeActions(actions);
    else encodeReceivedActions(actions);
    return ok({ spec, actions });
  } catch (error) {
    if (error instanceof NotationFailure) return failed(error.error);
    if (!(error instanceof FlowSpecError)) throw error;
    const expected = 'a rule that can be encoded';
    return failed({ message: error.message, offset: 0, length: text.length, expected });
  }
}

/** Shows the text with the wrong word marked and the message below it, for a terminal. */
export function pointAt(text: string, error: NotationError): string {
  const from = Math.max(0, error.offset - 60);
  const shown = text.slice(from, error.offset + Math.max(error.length, 1) + 20).replaceAll(/\s/g, ' ');
  const marks = '^'.repeat(Math.max(1, Math.min(error.length, 80)));
  return `${shown}\n${' '.repeat(error.offset - from)}${marks} ${error.message}`;
}

// Parsing the components between `match` and `then` (docs/notation.md).

const KEYWORDS: ReadonlyMap<string, Component['type']> = new Map(Object.entries(COMPONENT_KEYWORDS));

/** Words of other notations, for the suggestion in an error. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['destination', 'dst'],
  ['source', 'src'],
  ['protocol', 'proto'],
  ['next-header', 'proto'],
  ['destination-port', 'dst-port'],
  ['source-port', 'src-port'],
  ['packet-length', 'length'],
  ['flags', 'tcp-flags'],
]);

/** Families by the keyword that names them. */
const FAMILY_KEYWORDS: ReadonlyMap<string, 1 | 2> = new Map([
  ['ipv4', 1],
  ['ipv6', 2],
]);

/** The rule's address family and the token that decided it. */
interface FamilyEvidence {
  readonly afi: 1 | 2;
  readonly token: Token;
}

/** Parses components up to `then` or the end, in any order; the rule has them in ascending order of type. */
export function parseMatch(reader: TokenReader): FlowSpec {
  let evidence: FamilyEvidence | undefined;
  let rd: Uint8Array | undefined;
  const components = new Map<number, Component>();
  for (;;) {
    const token = reader.peek();
    if (token.kind === 'end' || token.text === 'then') break;
    reader.take();
    const afi = FAMILY_KEYWORDS.get(token.text);
    if (afi !== undefined) {
      evidence = agree(evidence, { afi, token });
    } else if (token.text === 'rd') {
      if (rd !== undefined) throw failureAt(token, 'rd appears twice', 'one rd');
      rd = parseRd(reader);
    } else {
      const type = KEYWORDS.get(token.text);
      if (type === undefined) throw notAComponent(token);
      if (components.has(type)) throw failureAt(token, `${token.text} appears twice`, 'each component once');
      const component = parseComponent(reader, type);
      components.set(type, component);
      const tells = familyOf(component);
      if (tells !== undefined) evidence = agree(evidence, { afi: tells, token });
    }
  }
  if (components.size === 0) throw failure(reader.peek(), 'a component such as dst 203.0.113.10/32');
  const sorted = [...components.values()].toSorted((a, b) => a.type - b.type);
  const afi = evidence?.afi ?? 1;
  return rd === undefined
    ? { afi, safi: 133, components: sorted }
    : { afi, safi: 134, rd, components: sorted };
}

function notAComponent(token: Token): NotationFailure {
  const known = [...KEYWORDS.keys(), 'rd', 'ipv4', 'ipv6', 'then'];
  const hint = ELSEWHERE.get(token.text);
  if (hint === undefined) return failure(token, 'a component or then', known);
  const message = `"${token.text}" is not a component; did you mean ${hint}?`;
  return failureAt(token, message, 'a component or then', hint);
}

/** Returns the address family that a component implies: a prefix has one, and flow labels exist in IPv6 only. */
function familyOf(component: Component): 1 | 2 | undefined {
  if (component.type === ComponentType.FlowLabel) return 2;
  if (component.type !== 1 && component.type !== 2) return undefined;
  return component.prefix.family === 4 ? 1 : 2;
}

function agree(before: FamilyEvidence | undefined, now: FamilyEvidence): FamilyEvidence {
  if (before === undefined || before.afi === now.afi) return before ?? now;
  const family = now.afi === 1 ? 'IPv4' : 'IPv6';
  throw failureAt(
    now.token,
    `${now.token.text} makes this a rule for ${family}, which ${before.token.text} rules out`,
    'one address family in a rule',
  );
}

function parseRd(reader: TokenReader): Uint8Array {
  const expected = 'a route distinguisher such as 65000:100 or 192.0.2.1:100';
  const token = reader.word(expected);
  const rd = parseRouteDistinguisher(token.text);
  if (rd === undefined) throw failure(token, expected);
  return rd;
}

function parseComponent(reader: TokenReader, type: Component['type']): Component {
  switch (type) {
    case 1:
    case 2:
      return parsePrefixComponent(reader, type);
    case 9:
      return { type, ops: parseOps(reader, (and) => [parseBitmaskOp(reader, and, TCP_FLAG_NAMES, 0xffff)]) };
    case 12:
      return { type, ops: parseOps(reader, (and) => [parseBitmaskOp(reader, and, FRAGMENT_NAMES, 0x0f)]) };
    default:
      return { type, ops: parseOps(reader, (and) => parseNumericOps(reader, and, type)) };
  }
}

function parsePrefixComponent(reader: TokenReader, type: 1 | 2): PrefixComponent {
  const token = reader.word('a prefix such as 203.0.113.10/32');
  const parsed = parsePrefix(token.text);
  if (!parsed.ok) throw failureAt(token, parsed.error, 'a prefix such as 203.0.113.10/32');
  const prefix = parsed.value;
  if (!reader.takeIf('offset')) return { type, prefix, offset: 0 };
  const expected = prefix.family === 4 ? 'no offset (IPv6 only)' : `an offset from 0 to ${prefix.length - 1}`;
  const offsetToken = reader.word(expected);
  const offset = /^\d{1,3}$/.test(offsetToken.text) ? Number(offsetToken.text) : Number.NaN;
  if (prefix.family === 4 || !(offset === 0 || offset < prefix.length)) throw failure(offsetToken, expected);
  return prefixComponent(type, prefix, offset);
}

/**
 * Parses alternatives separated by commas, each made of conditions joined by `&`. `parse` reads one condition, which
 * may become several pairs.
 */
function parseOps<Op>(reader: TokenReader, parse: (and: boolean) => readonly Op[]): readonly Op[] {
  const ops: Op[] = [...parse(false)];
  for (;;) {
    if (reader.takeIf(',')) ops.push(...parse(false));
    else if (reader.takeIf('&')) ops.push(...parse(true));
    else return ops;
  }
}

/** Comparison signs as bits of the operator (RFC 8955 §4.2.1.1). */
const COMPARISONS: ReadonlyMap<string, Pick<NumericOp, 'lt' | 'gt' | 'eq'>> = new Map([
  ['=', { lt: false, gt: false, eq: true }],
  ['<', { lt: true, gt: false, eq: false }],
  ['<=', { lt: true, gt: false, eq: true }],
  ['>', { lt: false, gt: true, eq: false }],
  ['>=', { lt: false, gt: true, eq: true }],
  ['!=', { lt: true, gt: true, eq: false }],
  ['true', { lt: true, gt: true, eq: true }],
  ['false', { lt: false, gt: false, eq: false }],
]);

function parseNumericOps(
  reader: TokenReader,
  and: boolean,
  type: NumericComponent['type'],
): readonly NumericOp[] {
  const names =
    type === ComponentType.IpProtocol ? PROTOCOL_NAMES : type === ComponentType.Dscp ? DSCP_NAMES : undefined;
  const example = type === ComponentType.IpProtocol ? 'a protocol such as udp or 17' : 'a number';
  const expected = `${example}, optionally after <, <=, >, >= or !=`;
  const first = reader.peek();
  const sign = first.kind === 'sign' ? COMPARISONS.get(first.text) : undefined;
  if (sign !== undefined) {
    reader.take();
    const token = reader.word(example);
    return [{ and, ...sign, value: parseValue(token, token.text, type, names, example) }];
  }
  const token = reader.word(expected);
  const range = /^(\d+)-(\d+)$/.exec(token.text);
  if (range !== null) {
    const from = parseValue(token, range[1] as string, type, undefined, expected);
    const to = parseValue(token, range[2] as string, type, undefined, expected);
    if (from > to) throw failureAt(token, `${token.text} ends before it begins`, 'a range such as 137-139');
    return [
      { and, lt: false, gt: true, eq: true, value: from },
      { and: true, lt: true, gt: false, eq: true, value: to },
    ];
  }
  const constant = /^(true|false):(.*)$/.exec(token.text);
  const comparison = COMPARISONS.get(constant?.[1] ?? '=');
  if (comparison === undefined) throw failure(token, expected);
  return [
    { and, ...comparison, value: parseValue(token, constant?.[2] ?? token.text, type, names, expected) },
  ];
}

function parseValue(
  token: Token,
  text: string,
  type: NumericComponent['type'],
  names: NameTable | undefined,
  expected: string,
): number | bigint {
  const named = names?.toNumber.get(text.toLowerCase());
  if (named !== undefined) return named;
  if (!/^(\d{1,20}|0x[0-9a-fA-F]{1,16})$/.test(text)) {
    throw failure(token, expected, names?.toNumber.keys() ?? []);
  }
  const exact = BigInt(text);
  const most =
    type === ComponentType.Dscp
      ? 63n
      : type === ComponentType.FlowLabel
        ? 0xffff_ffffn
        : 0xffff_ffff_ffff_ffffn;
  if (exact > most) throw failureAt(token, `${text} is above ${most}`, `a number up to ${most}`);
  return exact > BigInt(Number.MAX_SAFE_INTEGER) ? exact : Number(exact);
}

function parseBitmaskOp(reader: TokenReader, and: boolean, names: NameTable, allowed: number): BitmaskOp {
  const expected = `=a+b for all of, or a|b for any of: ${[...names.toName.values()].join(' ')}`;
  const negatedMatch = reader.takeIf('!=');
  const not = negatedMatch || reader.takeIf('!');
  const match = negatedMatch || reader.takeIf('=');
  const token = reader.word(expected);
  const all = token.text.includes('+');
  const any = token.text.includes('|');
  if (any && (all || match)) throw failureAt(token, `${token.text} mixes all of and any of`, expected);
  let value = 0;
  for (const part of token.text.toLowerCase().split(/[+|]/)) {
    const bits =
      names.toNumber.get(part) ?? (/^(\d{1,5}|0x[0-9a-f]{1,4})$/.test(part) ? Number(part) : undefined);
    if (bits === undefined) throw failure(token, expected, names.toNumber.keys());
    if ((bits & ~allowed) !== 0) {
      throw failureAt(token, `${part} has bits outside 0x${allowed.toString(16)}`, expected);
    }
    value |= bits;
  }
  return { and, not, match: match || all, value };
}
