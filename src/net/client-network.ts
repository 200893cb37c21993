/** Which client an address stands for, where clients are counted. Pure. */
import { formatPrefix, makePrefix, parseAddress, unmapped, hostPrefix } from './prefix.ts';
import { isLoopbackAddress } from './special-addresses.ts';

/** Bits of an IPv6 address that one site holds at least (RFC 6177 §2): whoever has one address of it has all. */
const IPV6_SITE_BITS = 64;

/** The address, or the network, that is counted as one client. */
export interface ClientNetwork {
  /** `192.0.2.1`, `2001:db8:1:2::/64`; empty when the address is not known. */
  readonly name: string;
  readonly isLoopback: boolean;
}

/**
 * An IPv4 address counts by itself, also when written as IPv6; IPv6 addresses count by their /64, because a single host may use
 * 2^64 of them. A zone (`%eth0`) is ignored.
 */
export function clientNetwork(address: string | undefined): ClientNetwork {
  const octets = parseAddress(address?.split('%', 1)[0] ?? '');
  if (octets === undefined) return { name: '', isLoopback: false };
  const { family, address: plain } = unmapped(hostPrefix(octets));
  const isLoopback = isLoopbackAddress(plain);
  const bits = family === 4 || isLoopback ? plain.length * 8 : IPV6_SITE_BITS;
  const text = formatPrefix(makePrefix(plain, bits));
  return { name: bits === plain.length * 8 ? text.slice(0, text.indexOf('/')) : text, isLoopback };
}
