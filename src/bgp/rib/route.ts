/** A route as a session writes it: its final octets and its text for people. */
import { toHex } from '../../net/bytes.ts';
import { type Family, Safi } from '../wire/iana.ts';

/**
 * The attributes of a route, which decide what the router does. Attribute values as they go on the wire, without
 * attribute headers; empty if the attribute is absent. Two routes with equal `key` may share an UPDATE.
 */
export interface RouteAttributes {
  /** Equal if and only if all octets below are equal. */
  readonly key: string;
  /** COMMUNITIES, 4 octets each (RFC 1997). */
  readonly communities: Uint8Array;
  /** EXTENDED_COMMUNITIES, 8 octets each (RFC 4360): the FlowSpec actions. */
  readonly extendedCommunities: Uint8Array;
  /** IPv6 address specific extended communities, 20 octets each (RFC 5701). */
  readonly ipv6ExtendedCommunities: Uint8Array;
  /** LARGE_COMMUNITIES, 12 octets each (RFC 8092). */
  readonly largeCommunities: Uint8Array;
  /**
   * Next hop of MP_REACH_NLRI, or NEXT_HOP for IPv4 unicast. Empty for FlowSpec, except for a redirect that carries its
   * address there.
   */
  readonly nextHop: Uint8Array;
}

/** Identity of a route on a session: family and the NLRI's octets. */
export type RouteKey = string;

/** One route for one neighbor. The octets are final; `nlri` includes its length octets. */
export interface OutRoute {
  readonly key: RouteKey;
  readonly family: Family;
  readonly nlri: Uint8Array;
  readonly attributes: RouteAttributes;
  /** Id of the mitigation that wants the route; opaque here, shown with the route. */
  readonly owner: string;
  /** Operator notation, for people. */
  readonly text: string;
}

/** A route's kind decides how its NLRI is rendered and checked. */
export type RouteKind = 'flowspec' | 'unicast';

/** Returns the kind of a family's routes; undefined for a family whose routes this speaker cannot announce. */
export function routeKind({ safi }: Family): RouteKind | undefined {
  switch (safi) {
    case Safi.FlowSpec:
    case Safi.FlowSpecVpn:
      return 'flowspec';
    case Safi.Unicast:
      return 'unicast';
    default:
      return undefined;
  }
}

/** Returns the key of a route: the family and the NLRI as announced, so that a withdrawal repeats the same octets. */
export function routeKey(family: Family, nlri: Uint8Array): RouteKey {
  return `${family.afi}/${family.safi}/${toHex(nlri)}`;
}

/** Builds attributes with their key; omitted parts are empty. */
export function routeAttributes(parts: Partial<Omit<RouteAttributes, 'key'>>): RouteAttributes {
  const empty = new Uint8Array(0);
  const communities = parts.communities ?? empty;
  const extendedCommunities = parts.extendedCommunities ?? empty;
  const ipv6ExtendedCommunities = parts.ipv6ExtendedCommunities ?? empty;
  const largeCommunities = parts.largeCommunities ?? empty;
  const nextHop = parts.nextHop ?? empty;
  const key = [communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities, nextHop]
    .map(toHex)
    .join('.');
  return { key, communities, extendedCommunities, ipv6ExtendedCommunities, largeCommunities, nextHop };
}
