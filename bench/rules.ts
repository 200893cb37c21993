/** The rules that everybody is given: one destination address, UDP, one port, discard. 13 octets of NLRI each. */
import { type OutRoute, type RouteAttributes, routeAttributes, routeKey } from '../src/bgp/rib/route.ts';
import { FAMILIES } from '../src/bgp/wire/iana.ts';

export const RULE_FAMILY = FAMILIES['ipv4-flowspec'];
export const RULE_PORT = 53;

/** traffic-rate 0 (RFC 8955 §7.1): discard. */
const DISCARD: RouteAttributes = routeAttributes({
  extendedCommunities: Uint8Array.of(0x80, 6, 0, 0, 0, 0, 0, 0),
});

/** The victim of rule `n` (0..2^24-1), within 10.0.0.0/8. */
export function victimOf(n: number): string {
  return `10.${(n >>> 16) & 0xff}.${(n >>> 8) & 0xff}.${n & 0xff}`;
}

/** Octets as RFC 8955 §4.2 has them: destination, protocol 17, destination port 53. */
export function routeOf(n: number): OutRoute {
  const address = [10, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff];
  const nlri = Uint8Array.of(12, 1, 32, ...address, 3, 0x81, 17, 5, 0x81, RULE_PORT);
  const text = `match dst ${victimOf(n)}/32 proto udp dst-port =${RULE_PORT} then discard`;
  return {
    key: routeKey(RULE_FAMILY, nlri),
    family: RULE_FAMILY,
    nlri,
    attributes: DISCARD,
    owner: `${n}`,
    text,
  };
}

export function routesUpTo(count: number): readonly OutRoute[] {
  return Array.from({ length: count }, (_, n) => routeOf(n));
}
