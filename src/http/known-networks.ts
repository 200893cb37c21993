/** Remembers networks that have sent a valid credential, so that strangers cannot lock out their detectors. Bounded. */
import { formatPrefix, hostPrefix, makePrefix, parseZonedAddress, unmapped } from '../net/prefix.ts';
import { forgetOldest } from '../net/queue.ts';
import { isLoopbackAddress } from '../net/special-addresses.ts';

/** Maximum number of networks; beyond it, the least recently used one is forgotten. */
const MAX_NETWORKS = 1_024;
/** Lifetime of an entry since its last use (ms). */
const MEMORY_MS = 24 * 60 * 60 * 1000;
/** Precision of the order of last use (ms). */
const ORDER_MS = 60_000;

export class KnownNetworks {
  readonly #now: () => number;
  /** Time of last use by network, least recently used first. */
  readonly #usedAt = new Map<string, number>();

  /** `now` returns monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  has(name: string): boolean {
    const usedAt = this.#usedAt.get(name);
    return usedAt !== undefined && this.#now() - usedAt < MEMORY_MS;
  }

  add(name: string): void {
    const now = this.#now();
    const usedAt = this.#usedAt.get(name);
    if (usedAt !== undefined && now - usedAt < ORDER_MS) return;
    this.#usedAt.delete(name);
    this.#usedAt.set(name, now);
    forgetOldest(this.#usedAt, MAX_NETWORKS);
  }
}

// Client networks: the address or network that is counted as one client.

/** The smallest IPv6 network that one site has (RFC 6177 §2), in bits; one host can use all of its addresses. */
const IPV6_SITE_BITS = 64;

/** An address or network that is counted as one client. */
export interface ClientNetwork {
  /** `192.0.2.1`, `2001:db8:1:2::/64`; empty when the address is unknown. */
  readonly name: string;
  readonly isLoopback: boolean;
}

/**
 * Returns the network that an address counts under: an IPv4 address by itself, also when it is mapped to IPv6; an IPv6
 * address by its /64, because a single host may use 2^64 addresses. A zone (`%eth0`) is ignored.
 */
export function clientNetwork(address: string | undefined): ClientNetwork {
  const octets = parseZonedAddress(address ?? '');
  if (octets === undefined) return { name: '', isLoopback: false };
  const { family, address: plain } = unmapped(hostPrefix(octets));
  const isLoopback = isLoopbackAddress(plain);
  const bits = family === 4 || isLoopback ? plain.length * 8 : IPV6_SITE_BITS;
  const text = formatPrefix(makePrefix(plain, bits));
  return { name: bits === plain.length * 8 ? text.slice(0, text.indexOf('/')) : text, isLoopback };
}
