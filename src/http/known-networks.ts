/** Networks from which a valid credential came: their detectors are not locked out by strangers. Bounded. */
import { formatPrefix, hostPrefix, makePrefix, parseAddress, unmapped } from '../net/prefix.ts';
import { forgetOldest } from '../net/queue.ts';
import { isLoopbackAddress } from '../net/special-addresses.ts';

/** Networks that are remembered; beyond, the one that was quiet longest is forgotten. */
const MAX_NETWORKS = 1_024;
/** For how long (ms). */
const MEMORY_MS = 24 * 60 * 60 * 1000;
/** The order of the last use is kept to so many milliseconds. */
const ORDER_MS = 60_000;

export class KnownNetworks {
  readonly #now: () => number;
  /** When each was last used, the quietest first. */
  readonly #usedAt = new Map<string, number>();

  /** `now`: milliseconds from any beginning, that never go back. */
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

// Which client an address stands for, where clients are counted. Pure.

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
