/** The one list of special-purpose addresses: everything except ordinary unicast addresses of the Internet. Pure. */
import {
  covers,
  hostPrefix,
  knownPrefix,
  makePrefix,
  overlaps,
  parseAddress,
  type Prefix,
} from './prefix.ts';

/**
 * A range of the IANA special-purpose registries (RFC 6890 and its updates), or one that RFC 4291 or 5771 sets apart.
 */
export interface SpecialRange {
  readonly prefix: Prefix;
  /** The kind of its addresses: `loopback`, `link-local`. */
  readonly name: string;
  /** The document that defines it, such as `RFC 1122 §3.2.1.3`. */
  readonly source: string;
  /** True if a customer's host or network may have such an address, so that a rule can protect it. */
  readonly unicast: boolean;
  /**
   * True if the address may be reachable over the public Internet; false for private, local and reserved addresses, and
   * for those that one's own translator or tunnel turns into another address.
   */
  readonly global: boolean;
  /** The octet of the IPv6 address at which an IPv4 address begins; that address is then checked as well. */
  readonly embedsAt?: number;
}

/** Not a host's address, and not reachable. */
const NOT_A_HOST = { unicast: false, global: false };
/** A host's address in one's own network. */
const LOCAL = { unicast: true, global: false };

/**
 * Documentation prefixes (RFC 5737, 3849, 9637) are omitted on purpose: examples, demos and tests must behave like real
 * addresses.
 */
const RANGES: readonly SpecialRange[] = [
  range('0.0.0.0/32', 'unspecified', 'RFC 1122 §3.2.1.3', NOT_A_HOST),
  range('0.0.0.0/8', 'this network', 'RFC 1122 §3.2.1.3', NOT_A_HOST),
  range('10.0.0.0/8', 'private', 'RFC 1918', LOCAL),
  range('100.64.0.0/10', 'shared', 'RFC 6598', LOCAL),
  range('127.0.0.0/8', 'loopback', 'RFC 1122 §3.2.1.3', NOT_A_HOST),
  range('169.254.0.0/16', 'link-local', 'RFC 3927', NOT_A_HOST),
  range('172.16.0.0/12', 'private', 'RFC 1918', LOCAL),
  range('192.0.0.0/24', 'reserved for protocols', 'RFC 6890 §2.1', LOCAL),
  range('192.168.0.0/16', 'private', 'RFC 1918', LOCAL),
  range('198.18.0.0/15', 'benchmarking', 'RFC 2544', LOCAL),
  range('224.0.0.0/4', 'multicast', 'RFC 5771', NOT_A_HOST),
  range('240.0.0.0/4', 'reserved (class E)', 'RFC 1112 §4', NOT_A_HOST),
  range('255.255.255.255/32', 'broadcast', 'RFC 919 §7', NOT_A_HOST),

  range('::/128', 'unspecified', 'RFC 4291 §2.5.2', NOT_A_HOST),
  range('::1/128', 'loopback', 'RFC 4291 §2.5.3', NOT_A_HOST),
  range('::/96', 'IPv4-compatible', 'RFC 4291 §2.5.5.1', { unicast: false, global: false, embedsAt: 12 }),
  range('::ffff:0:0/96', 'IPv4-mapped', 'RFC 4291 §2.5.5.2', { unicast: true, global: true, embedsAt: 12 }),
  range('64:ff9b::/96', 'IPv4 behind NAT64', 'RFC 6052 §2.1', { ...LOCAL, embedsAt: 12 }),
  range('64:ff9b:1::/48', 'local NAT64', 'RFC 8215', LOCAL),
  range('100::/64', 'discard-only', 'RFC 6666', LOCAL),
  range('2001::/32', 'Teredo', 'RFC 4380', LOCAL),
  range('2001:2::/48', 'benchmarking', 'RFC 5180', LOCAL),
  range('2001:10::/28', 'ORCHID', 'RFC 4843', LOCAL),
  range('2002::/16', '6to4', 'RFC 3056', { ...LOCAL, embedsAt: 2 }),
  range('5f00::/16', 'segment identifiers', 'RFC 9602', LOCAL),
  range('fc00::/7', 'unique local', 'RFC 4193', LOCAL),
  range('fe80::/10', 'link-local', 'RFC 4291 §2.5.6', NOT_A_HOST),
  range('fec0::/10', 'site-local', 'RFC 3879', LOCAL),
  range('ff00::/8', 'multicast', 'RFC 4291 §2.7', NOT_A_HOST),
];

function range(
  text: string,
  name: string,
  source: string,
  flags: Pick<SpecialRange, 'unicast' | 'global' | 'embedsAt'>,
): SpecialRange {
  return { prefix: knownPrefix(text), name, source, ...flags };
}

/**
 * Returns the narrowest special range that covers an address (4 or 16 octets) or a prefix; undefined for ordinary ones.
 */
export function specialRangeOf(where: Uint8Array | Prefix): SpecialRange | undefined {
  const prefix = asPrefix(where);
  let narrowest: SpecialRange | undefined;
  for (const special of RANGES) {
    if (!covers(special.prefix, prefix)) continue;
    if (narrowest === undefined || special.prefix.length > narrowest.prefix.length) narrowest = special;
  }
  return narrowest;
}

/**
 * Returns the range because of which an address or a prefix is not hosts' unicast addresses: it overlaps that range, or
 * its embedded IPv4 address does. Undefined when every address is unicast, private ones included.
 */
export function notUnicast(where: Uint8Array | Prefix): SpecialRange | undefined {
  const prefix = asPrefix(where);
  const special = specialRangeOf(prefix);
  if (special !== undefined && !special.unicast) return special;
  const inside = embeddedIn(prefix, special);
  if (inside !== undefined) return notUnicast(inside);
  return RANGES.find((other) => !other.unicast && overlaps(other.prefix, prefix));
}

/**
 * Returns the range because of which an address, or its embedded IPv4 address, is not reachable over the public
 * Internet.
 */
export function notGlobal(where: Uint8Array | Prefix): SpecialRange | undefined {
  const prefix = asPrefix(where);
  const special = specialRangeOf(prefix);
  if (special !== undefined && !special.global) return special;
  const inside = embeddedIn(prefix, special);
  if (inside !== undefined) return notGlobal(inside);
  return RANGES.find((other) => !other.global && overlaps(other.prefix, prefix));
}

/** True for 127.0.0.0/8 and ::1, and for IPv4-mapped loopback. */
export function isLoopbackAddress(address: Uint8Array): boolean {
  const prefix = asPrefix(address);
  const special = specialRangeOf(prefix);
  if (special?.name === 'IPv4-mapped') return specialRangeOf(address.subarray(12))?.name === 'loopback';
  return special?.name === 'loopback';
}

/** Returns true for the text of a loopback address, as a socket reports it; false for other texts and for none. */
export function isLoopbackText(text: string | undefined): boolean {
  const octets = parseAddress(text ?? '');
  return octets !== undefined && isLoopbackAddress(octets);
}

function asPrefix(where: Uint8Array | Prefix): Prefix {
  return where instanceof Uint8Array ? hostPrefix(where) : where;
}

/** Returns the IPv4 prefix that a prefix of IPv6 addresses embeds. */
function embeddedIn({ address, length }: Prefix, special: SpecialRange | undefined): Prefix | undefined {
  const at = special?.embedsAt;
  if (at === undefined) return undefined;
  return makePrefix(address.slice(at, at + 4), Math.max(0, Math.min(32, length - at * 8)));
}
