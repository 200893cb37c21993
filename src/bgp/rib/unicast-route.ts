/**
 * A unicast route (RFC 4271, RFC 2545): to its final octets, and to and from text (docs/notation.md):
 * `route 203.0.113.10/32 next-hop 192.0.2.1 community blackhole,no-export`.
 */
import { toHex } from '../../net/bytes.ts';
import { formatAddress, formatPrefix, parseAddress, parsePrefix, type Prefix } from '../../net/prefix.ts';
import { failed, ok, type Result } from '../../net/result.ts';
import {
  failure,
  failureAt,
  type NotationError,
  NotationFailure,
  TokenReader,
} from '../flowspec/notation/lexer.ts';
import {
  COMMUNITY_WIDTH,
  formatCommunity,
  formatExtendedCommunity,
  formatLargeCommunity,
  parseAnyCommunity,
  splitCommunities,
} from '../wire/communities.ts';
import { FAMILIES } from '../wire/iana.ts';
import { encodeUnicastNlri } from '../wire/nlri-list.ts';
import { type OutRoute, routeAttributes, routeKey } from './route.ts';

/** The parts of a unicast route. Communities are octets, concatenated; absent: none. */
export interface UnicastRoute {
  readonly prefix: Prefix;
  /** An address of the prefix's family: RFC 2545 §3 wants a global one for IPv6. */
  readonly nextHop: Uint8Array;
  readonly communities?: Uint8Array;
  readonly extendedCommunities?: Uint8Array;
  readonly largeCommunities?: Uint8Array;
}

/**
 * Builds the route to announce. Communities are a set (RFC 1997), so they are sorted and each is sent once. Throws
 * RangeError if the next hop is not an address of the prefix's family, or communities are cut off.
 */
export function unicastRoute(parts: UnicastRoute & { readonly owner: string }): OutRoute {
  const { prefix, nextHop, owner } = parts;
  if (nextHop.length !== prefix.address.length) {
    throw new RangeError(`a next hop of ${nextHop.length} octets for an IPv${prefix.family} route`);
  }
  const family = FAMILIES[prefix.family === 4 ? 'ipv4-unicast' : 'ipv6-unicast'];
  const nlri = encodeUnicastNlri([prefix]);
  const attributes = routeAttributes({
    nextHop,
    communities: asSet(parts.communities, COMMUNITY_WIDTH.standard),
    extendedCommunities: asSet(parts.extendedCommunities, COMMUNITY_WIDTH.extended),
    largeCommunities: asSet(parts.largeCommunities, COMMUNITY_WIDTH.large),
  });
  const text = formatUnicastRoute({ prefix, ...attributes });
  return { key: routeKey(family, nlri), family, nlri, attributes, owner, text };
}

function asSet(communities: Uint8Array = new Uint8Array(0), width: number): Uint8Array {
  const byText = new Map(splitCommunities(communities, width).map((one) => [toHex(one), one]));
  const sorted = [...byText.keys()].sort().map((text) => byText.get(text) ?? []);
  return Uint8Array.from(sorted.flatMap((octets) => [...octets]));
}

/** Formats a route in one line, standard communities first, then extended and large ones. */
export function formatUnicastRoute(route: UnicastRoute): string {
  const words = [`route ${formatPrefix(route.prefix)} next-hop ${formatAddress(route.nextHop)}`];
  const communities = [
    ...texts(route.communities, COMMUNITY_WIDTH.standard, formatCommunity),
    ...texts(route.extendedCommunities, COMMUNITY_WIDTH.extended, formatExtendedCommunity),
    ...texts(route.largeCommunities, COMMUNITY_WIDTH.large, formatLargeCommunity),
  ];
  if (communities.length > 0) words.push(`community ${communities.join(',')}`);
  return words.join(' ');
}

function texts(
  communities: Uint8Array = new Uint8Array(0),
  width: number,
  format: (octets: Uint8Array) => string,
): readonly string[] {
  return splitCommunities(communities, width).map(format);
}

/** Limits the length of a text; it holds more communities than an UPDATE. */
const MAX_TEXT = 20_000;

/** Parses `route PREFIX next-hop ADDRESS [community LIST]`, the inverse of `formatUnicastRoute`. Never throws. */
export function parseUnicastRoute(text: string): Result<UnicastRoute, NotationError> {
  if (text.length > MAX_TEXT) {
    const expected = `at most ${MAX_TEXT} characters`;
    return failed({ message: 'the text is too long for a route', offset: 0, length: text.length, expected });
  }
  try {
    return ok(readRoute(new TokenReader(text)));
  } catch (error) {
    if (error instanceof NotationFailure) return failed(error.error);
    throw error;
  }
}

function readRoute(reader: TokenReader): UnicastRoute {
  keyword(reader, 'route');
  const prefix = readPrefix(reader);
  keyword(reader, 'next-hop');
  const nextHop = readNextHop(reader, prefix);
  if (reader.peek().kind === 'end') return { prefix, nextHop };
  keyword(reader, 'community');
  return { prefix, nextHop, ...readCommunities(reader) };
}

function keyword(reader: TokenReader, word: string): void {
  if (!reader.takeIf(word)) throw failure(reader.peek(), word, [word]);
}

function readPrefix(reader: TokenReader): Prefix {
  const expected = 'a prefix such as 203.0.113.10/32';
  const token = reader.word(expected);
  const prefix = parsePrefix(token.text);
  if (!prefix.ok) throw failureAt(token, prefix.error, expected);
  return prefix.value;
}

function readNextHop(reader: TokenReader, { family, address }: Prefix): Uint8Array {
  const expected = `an IPv${family} address`;
  const token = reader.word(expected);
  const nextHop = parseAddress(token.text);
  if (nextHop === undefined || nextHop.length !== address.length) throw failure(token, expected);
  return nextHop;
}

function readCommunities(reader: TokenReader): Omit<UnicastRoute, 'prefix' | 'nextHop'> {
  const octets = { standard: [] as number[], extended: [] as number[], large: [] as number[] };
  do {
    const expected = 'a community such as blackhole, 65010:666 or 65010:1:2';
    const token = reader.word(expected);
    const community = parseAnyCommunity(token.text);
    if (!community.ok) throw failureAt(token, community.error, expected);
    octets[community.value.kind].push(...community.value.octets);
  } while (reader.takeIf(','));
  const rest = reader.peek();
  if (rest.kind !== 'end') throw failure(rest, 'a comma or the end of the route');
  return {
    ...(octets.standard.length > 0 && { communities: Uint8Array.from(octets.standard) }),
    ...(octets.extended.length > 0 && { extendedCommunities: Uint8Array.from(octets.extended) }),
    ...(octets.large.length > 0 && { largeCommunities: Uint8Array.from(octets.large) }),
  };
}
