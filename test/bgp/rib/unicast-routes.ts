/** Unicast routes for tests: from text, and at random. */
import fc from 'fast-check';
import type { OutRoute } from '../../../src/bgp/rib/route.ts';
import { parseUnicastRoute, type UnicastRoute, unicastRoute } from '../../../src/bgp/rib/unicast-route.ts';
import { makePrefix } from '../../../src/net/prefix.ts';

/** Builds the route of a text; throws if it is invalid. */
export function unicast(text: string, owner = 'm'): OutRoute {
  const parsed = parseUnicastRoute(text);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return unicastRoute({ ...parsed.value, owner });
}

const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const communities = (width: number): fc.Arbitrary<Uint8Array> =>
  fc.integer({ min: 0, max: 4 }).chain((count) => octets(count * width));

/** Any prefix with a next hop of its family and a few communities of each kind. */
export const anyUnicastRoute: fc.Arbitrary<UnicastRoute> = fc.constantFrom(4, 16).chain((width) =>
  fc.record({
    prefix: fc
      .tuple(octets(width), fc.integer({ min: 0, max: width * 8 }))
      .map(([address, length]) => makePrefix(address, length)),
    nextHop: octets(width),
    communities: communities(4),
    extendedCommunities: communities(8),
    largeCommunities: communities(12),
  }),
);
