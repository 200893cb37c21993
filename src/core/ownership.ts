/** Who owns an address or a prefix, and which of its ports are spared. */
import type { Prefix } from '../net/prefix.ts';
import { normalRanges } from './ports.ts';
import type { ProfileName } from './profile.ts';
import type { Range } from './types.ts';

/** Destination ports that are never discarded, as ranges in normal form: ascending, disjoint, not adjacent. */
export interface AllowedPorts {
  readonly udp: readonly Range[];
  readonly tcp: readonly Range[];
}

export const NO_ALLOWED_PORTS: AllowedPorts = { udp: [], tcp: [] };

/** What the inventory knows about an address. */
export interface Ownership {
  readonly customerId: string;
  readonly customerName: string;
  readonly profile: ProfileName;
  /** The service of the narrowest asset, the first of equals; null when only a prefix of the customer covers the address. */
  readonly serviceId: string | null;
  readonly serviceName: string | null;
  /** Ids of every service that has the address, `serviceId` first; empty when there is none. */
  readonly serviceIds: readonly string[];
  /** Those of all its services together. */
  readonly allowedPorts: AllowedPorts;
  /** The entry that decided, in words: `prefix 203.0.113.0/24`, `asset 203.0.113.100-203.0.113.110`. */
  readonly entry: string;
}

/**
 * What the inventory knows about all addresses of a prefix, which one customer owns. Its services are those of every
 * asset that covers the prefix or is inside it, and `serviceId` is the first of them.
 */
export interface PrefixOwnership extends Ownership {
  /** The narrowest prefix of the customer in the inventory that covers the one asked about; without one, its asset. */
  readonly prefix: Prefix;
}

/** Every port that one of them allows. */
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
 * The owner of what several assets of one customer cover, narrowest first: the first with the services and allowed ports of all.
 * RangeError without any.
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
