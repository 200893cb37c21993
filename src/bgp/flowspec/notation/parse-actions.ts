/** Parses the actions after `then` (docs/notation.md). */
import { fromHex } from '../../../net/bytes.ts';
import { parseVrfRedirect } from '../action-communities.ts';
import { failure, failureAt, type NotationFailure, type Token, type TokenReader } from './lexer.ts';
import { DSCP_NAMES } from './names.ts';
import { parseAddress } from '../../../net/prefix.ts';
import type { Action } from '../types.ts';

const KEYWORDS = [
  'accept',
  'discard',
  'discard-packets',
  'rate-limit',
  'sample',
  'terminal',
  'traffic-action',
  'mark',
  'redirect',
  'community',
] as const;

/** Words of other notations, for the suggestion in an error. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['drop', 'discard'],
  ['deny', 'discard'],
  ['police', 'rate-limit'],
  ['limit', 'rate-limit'],
  ['permit', 'accept'],
]);

/** Power of ten of each rate unit. */
const BIT_UNITS: ReadonlyMap<string, number> = new Map([
  ['bps', 0],
  ['kbps', 3],
  ['mbps', 6],
  ['gbps', 9],
  ['tbps', 12],
]);
const PACKET_UNITS: ReadonlyMap<string, number> = new Map([
  ['pps', 0],
  ['kpps', 3],
  ['mpps', 6],
]);

/** Parses actions to the end of the text. `accept` means none and allows no other action beside it. */
export function parseActions(reader: TokenReader): readonly Action[] {
  const actions: Action[] = [];
  const first = reader.peek();
  if (first.kind === 'end') throw failure(first, 'an action such as discard');
  if (reader.takeIf('accept')) {
    const next = reader.peek();
    if (next.kind !== 'end') throw failure(next, 'nothing after accept');
    return actions;
  }
  while (reader.peek().kind !== 'end') {
    const action = parseAction(reader);
    const before = actions.findIndex((other) => other.type === 'traffic-action');
    const other = actions[before];
    // sample and terminal are two bits of one action.
    if (action.type === 'traffic-action' && other?.type === 'traffic-action') {
      actions[before] = {
        type: 'traffic-action',
        sample: action.sample || other.sample,
        terminal: action.terminal || other.terminal,
      };
    } else actions.push(action);
  }
  return actions;
}

function parseAction(reader: TokenReader): Action {
  const token = reader.word('an action');
  switch (token.text) {
    case 'discard':
      return { type: 'traffic-rate', bitsPerSecond: 0, asn: parseAsn(reader) };
    case 'discard-packets':
      return { type: 'traffic-rate-packets', packetsPerSecond: 0, asn: parseAsn(reader) };
    case 'rate-limit':
      return parseRate(reader);
    case 'sample':
      return { type: 'traffic-action', sample: true, terminal: false };
    case 'terminal':
      return { type: 'traffic-action', sample: false, terminal: true };
    case 'traffic-action':
      if (!reader.takeIf('none')) throw failure(reader.peek(), 'none (or sample or terminal instead)');
      return { type: 'traffic-action', sample: false, terminal: false };
    case 'mark':
      return parseMark(reader);
    case 'redirect':
      return parseRedirect(reader);
    case 'community':
      return parseCommunity(reader);
    default:
      throw notAnAction(token);
  }
}

function notAnAction(token: Token): NotationFailure {
  const hint = ELSEWHERE.get(token.text);
  if (hint === undefined) return failure(token, 'an action', KEYWORDS);
  return failureAt(token, `"${token.text}" is not an action; did you mean ${hint}?`, 'an action', hint);
}

/** Parses the id in a rate: informational (RFC 8955 §7.1), default 0. */
function parseAsn(reader: TokenReader): number {
  if (!reader.takeIf('asn')) return 0;
  const token = reader.word('a number from 0 to 65535');
  if (!/^\d{1,5}$/.test(token.text) || Number(token.text) > 65535) {
    throw failure(token, 'a number from 0 to 65535');
  }
  return Number(token.text);
}

function parseRate(reader: TokenReader): Action {
  const expected = 'a rate such as 10mbps or 5000pps';
  const token = reader.word(expected);
  const parts = /^(\d+(?:\.\d+)?)(?:e([+-]?\d{1,3}))?([a-z]*)$/.exec(token.text.toLowerCase());
  if (parts === null) throw failure(token, expected);
  const unitToken = parts[3] === '' ? reader.word('bps, kbps, mbps, gbps, pps or kpps') : undefined;
  const unit = unitToken?.text.toLowerCase() ?? (parts[3] as string);
  const power = BIT_UNITS.get(unit) ?? PACKET_UNITS.get(unit);
  if (power === undefined) {
    const units = [...BIT_UNITS.keys(), ...PACKET_UNITS.keys()];
    throw failure(unitToken ?? token, expected, unitToken === undefined ? [] : units);
  }
  // The decimal point is moved in the text, so that 1.1mbps is exactly 1100000.
  const rate = Number(`${parts[1]}e${Number(parts[2] ?? 0) + power}`);
  if (rate === 0)
    throw failureAt(token, 'a rate of 0 drops everything; write discard instead', 'a rate above 0');
  const asn = parseAsn(reader);
  return BIT_UNITS.has(unit)
    ? { type: 'traffic-rate', bitsPerSecond: rate, asn }
    : { type: 'traffic-rate-packets', packetsPerSecond: rate, asn };
}

function parseMark(reader: TokenReader): Action {
  const expected = 'a DSCP from 0 to 63, or a name such as af11';
  const token = reader.word(expected);
  const dscp =
    DSCP_NAMES.toNumber.get(token.text.toLowerCase()) ??
    (/^\d{1,2}$/.test(token.text) ? Number(token.text) : 64);
  if (dscp > 63) throw failure(token, expected, DSCP_NAMES.toNumber.keys());
  return { type: 'marking', dscp };
}

function parseRedirect(reader: TokenReader): Action {
  const token = reader.word('vrf, ip or next-hop');
  switch (token.text) {
    case 'vrf':
      return parseRedirectVrf(reader);
    case 'ip': {
      const address = parseAddressWord(reader);
      return { type: 'redirect-ip', form: 'ietf', address, copy: reader.takeIf('copy') };
    }
    case 'next-hop': {
      const address = parseNextHop(reader);
      const where = address === undefined ? {} : { address };
      return { type: 'redirect-ip', form: 'draft-00', ...where, copy: reader.takeIf('copy') };
    }
    default:
      throw failure(token, 'vrf, ip or next-hop', ['vrf', 'ip', 'next-hop']);
  }
}

/**
 * Parses the optional address. It is absent if a community was decoded without the next hop that carries the address.
 */
function parseNextHop(reader: TokenReader): Uint8Array | undefined {
  const { kind, text } = reader.peek();
  const isNextWord = kind === 'end' || text === 'copy' || KEYWORDS.some((word) => word === text);
  return isNextWord ? undefined : parseAddressWord(reader);
}

function parseAddressWord(reader: TokenReader): Uint8Array {
  const token = reader.word('an IPv4 or IPv6 address');
  const address = parseAddress(token.text);
  if (address === undefined) throw failure(token, 'an IPv4 or IPv6 address');
  return address;
}

function parseRedirectVrf(reader: TokenReader): Action {
  const expected = 'a route target such as 65000:100, 192.0.2.1:100 or [2001:db8::1]:100';
  const token = reader.word(expected);
  const action = parseVrfRedirect(token.text);
  if (action === undefined) throw failure(token, expected);
  return action;
}

function parseCommunity(reader: TokenReader): Action {
  const expected = '0x and the 16 or 40 hexadecimal digits of an extended community';
  const token = reader.word(expected);
  const octets = token.text.startsWith('0x') ? fromHex(token.text.slice(2)) : undefined;
  if (octets === undefined || (octets.length !== 8 && octets.length !== 20)) throw failure(token, expected);
  return { type: 'unknown', octets };
}
