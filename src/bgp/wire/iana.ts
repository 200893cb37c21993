/** Numbers that IANA assigns for BGP, under the registries' own names. */

/** Address Family Identifiers this speaker knows by name (RFC 4760 §3). */
export const Afi = { IPv4: 1, IPv6: 2 } as const;

/** Subsequent Address Family Identifiers this speaker knows by name. */
export const Safi = { Unicast: 1, FlowSpec: 133, FlowSpecVpn: 134 } as const;

/** An address family as MULTIPROTOCOL capabilities and MP_REACH_NLRI name it. Both are plain numbers on the wire. */
export interface Family {
  /** 0..65535 */
  readonly afi: number;
  /** 0..255 */
  readonly safi: number;
}

/** The configurable families, by the names that operators write. */
export const FAMILIES = {
  'ipv4-unicast': { afi: Afi.IPv4, safi: Safi.Unicast },
  'ipv6-unicast': { afi: Afi.IPv6, safi: Safi.Unicast },
  'ipv4-flowspec': { afi: Afi.IPv4, safi: Safi.FlowSpec },
  'ipv6-flowspec': { afi: Afi.IPv6, safi: Safi.FlowSpec },
  'ipv4-flowspec-vpn': { afi: Afi.IPv4, safi: Safi.FlowSpecVpn },
  'ipv6-flowspec-vpn': { afi: Afi.IPv6, safi: Safi.FlowSpecVpn },
} as const satisfies Record<string, Family>;

/** A family's configured name. */
export type FamilyName = keyof typeof FAMILIES;

/** Returns a family's configured name, or `afi/safi` if it has none. */
export function familyName(family: Family): string {
  for (const [name, known] of Object.entries(FAMILIES)) {
    if (known.afi === family.afi && known.safi === family.safi) return name;
  }
  return `${family.afi}/${family.safi}`;
}

/** Returns true if both are the same AFI and SAFI. */
export function sameFamily(a: Family, b: Family): boolean {
  return a.afi === b.afi && a.safi === b.safi;
}

/** Returns true if there is a list and it contains the family. */
export function includesFamily(families: readonly Family[] | undefined, family: Family): boolean {
  return families?.some((known) => sameFamily(known, family)) ?? false;
}

/** Message types (RFC 4271 §4.1, RFC 2918 §3). */
export const MessageType = { Open: 1, Update: 2, Notification: 3, Keepalive: 4, RouteRefresh: 5 } as const;

/** Path attribute type codes. */
export const AttributeType = {
  Origin: 1,
  AsPath: 2,
  NextHop: 3,
  MultiExitDisc: 4,
  LocalPref: 5,
  AtomicAggregate: 6,
  Aggregator: 7,
  Communities: 8,
  OriginatorId: 9,
  ClusterList: 10,
  MpReachNlri: 14,
  MpUnreachNlri: 15,
  ExtendedCommunities: 16,
  As4Path: 17,
  As4Aggregator: 18,
  Ipv6ExtendedCommunities: 25,
  LargeCommunities: 32,
} as const;

/** AS_TRANS replaces a 4-octet AS number in 2-octet fields (RFC 6793 §9). */
export const AS_TRANS = 23456;
