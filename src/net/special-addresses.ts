/** The one list of special-purpose addresses: everything except ordinary unicast addresses of the Internet. Pure. */
import { covers, hostPrefix, makePrefix, overlaps, type Prefix, parsePrefix } from './prefix.ts';

/** A range of the IANA special-purpose registries (RFC 6890 and its updates), or one that RFC 4291 or 5771 sets apart. */
export interface SpecialRange {
  readonly prefix: Prefix;
  /** What its addresses are: `loopback`, `link-local`. */
  readonly name: string;
  /** Where it is defined, such as `RFC 1122 §3.2.1.3`. */
  readonly source: string;
  /** A host or network of a customer may have such an address, so that a rule can protect it. */
  readonly unicast: boolean;
  /**
   * The address can lead somewhere over the public Internet; false for what is private, local or reserved, and for what a
   * translator or a tunnel of one's own network turns into another address.
   */
  readonly global: boolean;
  /** The octet where an IPv4 address begins inside of the IPv6 address; that address is then judged as well. */
  readonly embedsAt?: number;
}

/** Neither a host's address nor reachable. */
const NOT_A_HOST = { unicast: false, global: false };
/** A host's address, but in a network of one's own. */
const LOCAL = { unicast: true, global: false };

/**
 * Documentation prefixes (RFC 5737, 3849, 9637) are left out on purpose: examples, demos and tests must behave as the
 * real thing does.
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
  const prefix = parsePrefix(text);
  if (typeof prefix === 'string') throw new RangeError(prefix);
  return { prefix, name, source, ...flags };
}

/** The narrowest special range that covers an address (4 or 16 octets) or a prefix; undefined for ordinary ones. */
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
 * The range that keeps an address or a prefix from being unicast addresses of hosts: one that it touches, or that the
 * IPv4 address inside of it touches. Undefined when every address of it is unicast, private ones included.
 */
export function notUnicast(where: Uint8Array | Prefix): SpecialRange | undefined {
  const prefix = asPrefix(where);
  const special = specialRangeOf(prefix);
  if (special !== undefined && !special.unicast) return special;
  const inside = embeddedIn(prefix, special);
  if (inside !== undefined) return notUnicast(inside);
  return RANGES.find((other) => !other.unicast && overlaps(other.prefix, prefix));
}

/** The range that keeps an address from being reached over the public Internet, also by the IPv4 address inside of it. */
export function notGlobal(where: Uint8Array | Prefix): SpecialRange | undefined {
  const prefix = asPrefix(where);
  const special = specialRangeOf(prefix);
  if (special !== undefined && !special.global) return special;
  const inside = embeddedIn(prefix, special);
  if (inside !== undefined) return notGlobal(inside);
  return RANGES.find((other) => !other.global && overlaps(other.prefix, prefix));
}

/** True for 127.0.0.0/8 and ::1, IPv4 written as IPv6 included. */
export function isLoopbackAddress(address: Uint8Array): boolean {
  const prefix = asPrefix(address);
  const special = specialRangeOf(prefix);
  if (special?.name === 'IPv4-mapped') return specialRangeOf(address.subarray(12))?.name === 'loopback';
  return special?.name === 'loopback';
}

function asPrefix(where: Uint8Array | Prefix): Prefix {
  return where instanceof Uint8Array ? hostPrefix(where) : where;
}

/** The IPv4 addresses that a prefix of IPv6 addresses carries inside. */
function embeddedIn({ address, length }: Prefix, special: SpecialRange | undefined): Prefix | undefined {
  const at = special?.embedsAt;
  if (at === undefined) return undefined;
  return makePrefix(address.slice(at, at + 4), Math.max(0, Math.min(32, length - at * 8)));
}
