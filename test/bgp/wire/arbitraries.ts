/** Messages that a session may carry, for properties: whatever comes out of these has to survive the wire unchanged. */
import fc from 'fast-check';
import type {
  AsPathSegment,
  BgpMessage,
  Capability,
  CodecContext,
  PathAttributes,
  UnknownAttribute,
  UpdateMessage,
} from '../../../src/bgp/wire/types.ts';
import { encodeUnicastNlri } from '../../../src/bgp/wire/nlri-list.ts';
import { makePrefix } from '../../../src/net/prefix.ts';

/** Plain objects, as decoding makes them. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const asn2 = fc.integer({ min: 1, max: 0xffff });
const asn = fc.oneof(asn2, fc.integer({ min: 1, max: 0xffffffff }));
const sized = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const family = record({ afi: u16, safi: u8 });

/** Octets of one to four elements. */
const list = (width: number): fc.Arbitrary<Uint8Array> =>
  fc.integer({ min: 1, max: 4 }).chain((count) => sized(count * width));

export const codecContext: fc.Arbitrary<CodecContext> = record({
  fourOctetAs: fc.boolean(),
  extendedMessages: fc.boolean(),
  internal: fc.boolean(),
  // Paths with the segments of a confederation are read back as they were written.
  confederation: fc.constant(true),
});

const known = new Set([1, 2, 6, 64, 65, 70, 71]);

const capability: fc.Arbitrary<Capability> = fc.oneof(
  record({ type: fc.constant('multiprotocol' as const), family }),
  record({ type: fc.constantFrom('route-refresh', 'extended-message', 'enhanced-route-refresh') }),
  record({
    type: fc.constant('graceful-restart' as const),
    restarting: fc.boolean(),
    notification: fc.boolean(),
    restartTime: fc.nat(4095),
    families: fc.array(record({ family, forwardingPreserved: fc.boolean() }), { maxLength: 4 }),
  }),
  record({ type: fc.constant('four-octet-as' as const), asn }),
  record({
    type: fc.constant('long-lived-graceful-restart' as const),
    families: fc.array(record({ family, forwardingPreserved: fc.boolean(), staleTime: fc.nat(0xffffff) }), {
      maxLength: 4,
    }),
  }),
  record({
    type: fc.constant('unknown' as const),
    code: u8.filter((code) => !known.has(code)),
    value: fc.uint8Array({ maxLength: 255 }),
  }),
);

const open: fc.Arbitrary<BgpMessage> = record({
  type: fc.constant('open' as const),
  version: fc.constant(4),
  myAs: asn2,
  holdTime: u16.filter((seconds) => seconds !== 1 && seconds !== 2),
  bgpIdentifier: fc.integer({ min: 1, max: 0xffffffff }),
  capabilities: fc.array(capability, { maxLength: 10 }),
});

/** Paths as routers make them: a confederation in front, if at all. */
const asPath: fc.Arbitrary<readonly AsPathSegment[]> = fc
  .tuple(
    fc.array(
      record({
        kind: fc.constantFrom('confed-sequence' as const, 'confed-set' as const),
        asns: fc.array(asn2, { minLength: 1, maxLength: 3 }),
      }),
      { maxLength: 1 },
    ),
    fc.array(
      record({
        kind: fc.constantFrom('sequence' as const, 'set' as const),
        asns: fc.array(asn, { minLength: 1, maxLength: 5 }),
      }),
      { maxLength: 3 },
    ),
  )
  .map(([confederation, rest]) => [...confederation, ...rest]);

/** Types without a name here, each once and in ascending order, as they are encoded. */
const unknown: fc.Arbitrary<readonly UnknownAttribute[]> = fc
  .uniqueArray(
    record({
      flags: u8.map((flags) => flags | 0x80),
      type: fc.integer({ min: 40, max: 255 }),
      value: fc.uint8Array({ maxLength: 40 }),
    }),
    { selector: ({ type }) => type, minLength: 1, maxLength: 4 },
  )
  .map((attributes) =>
    attributes
      .map((one) => (one.value.length > 255 ? { ...one, flags: one.flags | 0x10 } : one))
      .sort((a, b) => a.type - b.type),
  );

const prefixes = (bytes: 4 | 16): fc.Arbitrary<Uint8Array> =>
  fc
    .array(
      fc.tuple(sized(bytes), fc.nat(bytes * 8)).map(([address, length]) => makePrefix(address, length)),
      {
        maxLength: 6,
      },
    )
    .map(encodeUnicastNlri);

const mpReach = fc.oneof(
  record({
    family: fc.constant({ afi: 2, safi: 1 }),
    nextHop: fc.oneof(sized(16), sized(32)),
    nlri: prefixes(16),
  }),
  record({
    family: fc.constantFrom({ afi: 1, safi: 133 }, { afi: 2, safi: 133 }, { afi: 25, safi: 70 }),
    nextHop: fc.uint8Array({ maxLength: 24 }),
    nlri: fc.uint8Array({ maxLength: 300 }),
  }),
);

/** Attributes with all that announced routes need. */
function announcement(context: CodecContext): fc.Arbitrary<PathAttributes> {
  const mandatory = {
    origin: fc.nat(2),
    asPath,
    nextHop: sized(4),
    ...(context.internal ? { localPref: u32 } : {}),
  };
  const optional = {
    multiExitDisc: u32,
    atomicAggregate: fc.constant(true),
    aggregator: record({ asn, address: sized(4) }),
    communities: list(4),
    ...(context.internal ? { originatorId: sized(4), clusterList: list(4) } : {}),
    extendedCommunities: list(8),
    ipv6ExtendedCommunities: list(20),
    largeCommunities: sized(12),
    mpReach,
    unknown,
  };
  return fc.record(
    { ...mandatory, ...optional },
    { requiredKeys: Object.keys(mandatory) as (keyof typeof mandatory)[], noNullPrototype: true },
  ) as fc.Arbitrary<PathAttributes>;
}

const update = (context: CodecContext): fc.Arbitrary<UpdateMessage> =>
  record({
    type: fc.constant('update' as const),
    withdrawn: prefixes(4),
    attributes: announcement(context),
    nlri: prefixes(4),
    problems: fc.constant([]),
  });

const notification: fc.Arbitrary<BgpMessage> = record({
  type: fc.constant('notification' as const),
  code: u8,
  subcode: u8,
  data: fc.uint8Array({ maxLength: 64 }),
});

const routeRefresh: fc.Arbitrary<BgpMessage> = record({
  type: fc.constant('route_refresh' as const),
  family,
  subtype: u8,
});

/** A message and the session it belongs to. */
export const messageInContext: fc.Arbitrary<{ context: CodecContext; message: BgpMessage }> =
  codecContext.chain((context) =>
    record({
      context: fc.constant(context),
      message: fc.oneof(
        { weight: 3, arbitrary: update(context) },
        { weight: 2, arbitrary: open },
        { weight: 1, arbitrary: notification },
        { weight: 1, arbitrary: routeRefresh },
        { weight: 1, arbitrary: fc.constant<BgpMessage>({ type: 'keepalive' }) },
      ),
    }),
  );
