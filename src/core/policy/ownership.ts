/** The owner of an address or a prefix, and its allowed ports. */
import {
  familyBits,
  makePrefix,
  parseAddress,
  parsePrefix,
  type Prefix,
  unmapped,
} from '../../net/prefix.ts';
import type { Range } from '../types.ts';
import { normalRanges } from './ports.ts';
import type { ProfileName } from './profile.ts';

/** Destination ports that are never discarded, as ranges in normal form: ascending, disjoint, not adjacent. */
export interface AllowedPorts {
  readonly udp: readonly Range[];
  readonly tcp: readonly Range[];
}

export const NO_ALLOWED_PORTS: AllowedPorts = { udp: [], tcp: [] };

/** The inventory's data about an address. */
export interface Ownership {
  readonly customerId: string;
  readonly customerName: string;
  readonly profile: ProfileName;
  /**
   * The service of the narrowest asset, the first of equals; null when only a prefix of the customer covers the
   * address.
   */
  readonly serviceId: string | null;
  readonly serviceName: string | null;
  /** Ids of every service that has the address, `serviceId` first; empty when there is none. */
  readonly serviceIds: readonly string[];
  /** The allowed ports of all its services together. */
  readonly allowedPorts: AllowedPorts;
  /** The POPs that the entry itself names, or for a prefix its customer; absent: none. */
  readonly pops?: readonly string[];
  /** The entry that decided: `prefix 203.0.113.0/24`, `asset 203.0.113.100-203.0.113.110`. */
  readonly entry: string;
}

/**
 * The inventory's data about all addresses of a prefix, which one customer owns. Its services are those of every asset
 * that covers the prefix or is inside it; `serviceId` is the first of them.
 */
export interface PrefixOwnership extends Ownership {
  /** The customer's narrowest prefix in the inventory that covers the prefix asked for; without one, its asset. */
  readonly prefix: Prefix;
}

/** Returns every port that one of them allows. */
export function allowedTogether(all: readonly AllowedPorts[]): AllowedPorts {
  // Assets of one service share its ports.
  const [first = NO_ALLOWED_PORTS, ...others] = new Set(all);
  if (others.length === 0) return first;
  return {
    udp: normalRanges([first, ...others].flatMap(({ udp }) => udp)),
    tcp: normalRanges([first, ...others].flatMap(({ tcp }) => tcp)),
  };
}

/**
 * Combines the owners of several assets of one customer, narrowest first: the first, with the services and allowed
 * ports of all. Throws RangeError for an empty list.
 */
export function ownerTogether(owners: readonly Ownership[]): Ownership {
  const [first, ...others] = owners;
  if (first === undefined) throw new RangeError('there is no owner to start from');
  if (others.length === 0) return first;
  return {
    ...first,
    serviceIds: [...new Set(owners.flatMap(({ serviceIds }) => serviceIds))],
    allowedPorts: allowedTogether(owners.map(({ allowedPorts }) => allowedPorts)),
  };
}

// Splits an asset's address range into prefixes.

export type AssetPrefixes =
  | { readonly prefixes: readonly Prefix[] }
  | { readonly problem: string; readonly key: 'ip' | 'range_end' };

/**
 * Returns an asset's prefixes: an address, a prefix, or with `rangeEnd` a range, both ends included. IPv4 written as
 * IPv6 becomes IPv4.
 */
export function assetPrefixes(ip: string, rangeEnd: string | undefined): AssetPrefixes {
  if (rangeEnd === undefined) {
    const prefix = parsePrefix(ip);
    return prefix.ok ? { prefixes: [unmapped(prefix.value)] } : { problem: prefix.error, key: 'ip' };
  }
  const first = parseAddress(ip);
  if (first === undefined) return { problem: `"${ip}" is not an IPv4 or IPv6 address`, key: 'ip' };
  const last = parseAddress(rangeEnd);
  if (last === undefined) {
    return { problem: `"${rangeEnd}" is not an IPv4 or IPv6 address`, key: 'range_end' };
  }
  if (first.length !== last.length) {
    return { problem: `the range ${ip}-${rangeEnd} mixes IPv4 and IPv6`, key: 'range_end' };
  }
  if (toBigInt(first) > toBigInt(last)) {
    return { problem: `the range ends at ${rangeEnd}, before it begins at ${ip}`, key: 'range_end' };
  }
  return { prefixes: rangePrefixes(first, last).map(unmapped) };
}

/**
 * Returns the fewest prefixes that cover exactly the addresses from `first` to `last`; at most 2 x the width in bits.
 */
function rangePrefixes(first: Uint8Array, last: Uint8Array): readonly Prefix[] {
  const bits = familyBits(first.length === 4 ? 4 : 6);
  const end = toBigInt(last);
  const prefixes: Prefix[] = [];
  let start = toBigInt(first);
  while (start <= end) {
    let hostBits = 0;
    while (
      hostBits < bits &&
      (start & (1n << BigInt(hostBits))) === 0n &&
      start + (1n << BigInt(hostBits + 1)) - 1n <= end
    ) {
      hostBits++;
    }
    prefixes.push(makePrefix(toOctets(start, first.length), bits - hostBits));
    start += 1n << BigInt(hostBits);
  }
  return prefixes;
}

function toBigInt(address: Uint8Array): bigint {
  return address.reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function toOctets(value: bigint, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) octets[i] = Number(rest & 0xffn);
  return octets;
}
