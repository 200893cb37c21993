/** Rules, actions and octets at random, for properties. */
import fc from 'fast-check';
import { prefixComponent } from '../../../src/bgp/flowspec/components.ts';
import type {
  Action,
  BitmaskComponent,
  Component,
  FlowSpec,
  NumericComponent,
} from '../../../src/bgp/flowspec/types.ts';
import { makePrefix } from '../../../src/net/prefix.ts';

/** Plain objects, as the codec makes them. */
const record = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });

const octets = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

/** Values of every width, the edges of the widths more often than chance would have it. */
const anyValue: fc.Arbitrary<number | bigint> = fc.oneof(
  fc.constantFrom<number | bigint>(0, 1, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000),
  fc.constantFrom<number | bigint>(
    Number.MAX_SAFE_INTEGER,
    BigInt(Number.MAX_SAFE_INTEGER) + 1n,
    2n ** 64n - 1n,
  ),
  fc.integer({ min: 0, max: 65535 }),
  fc.maxSafeNat(),
);

function anyValueOf(type: NumericComponent['type']): fc.Arbitrary<number | bigint> {
  if (type === 11) return fc.integer({ min: 0, max: 63 });
  return type === 13 ? fc.integer({ min: 0, max: 0xffff_ffff }) : anyValue;
}

function numeric(type: NumericComponent['type']): fc.Arbitrary<Component> {
  const op = record({
    and: fc.boolean(),
    lt: fc.boolean(),
    gt: fc.boolean(),
    eq: fc.boolean(),
    value: anyValueOf(type),
  });
  return fc
    .array(op, { minLength: 1, maxLength: 6 })
    .map((ops) => ({ type, ops: ops.map((each, i) => (i === 0 ? { ...each, and: false } : each)) }));
}

function bitmask(type: BitmaskComponent['type'], bits: number): fc.Arbitrary<Component> {
  const op = record({
    and: fc.boolean(),
    not: fc.boolean(),
    match: fc.boolean(),
    value: fc.integer({ min: 0, max: 0xffff }).map((value) => value & bits),
  });
  return fc
    .array(op, { minLength: 1, maxLength: 4 })
    .map((ops) => ({ type, ops: ops.map((each, i) => (i === 0 ? { ...each, and: false } : each)) }));
}

function prefix(type: 1 | 2, afi: 1 | 2): fc.Arbitrary<Component> {
  const bits = afi === 1 ? 32 : 128;
  return fc
    .tuple(octets(bits / 8), fc.integer({ min: 0, max: bits }), fc.nat())
    .map(([address, length, seed]) => {
      const offset = afi === 1 || length === 0 || seed % 3 > 0 ? 0 : seed % length;
      return prefixComponent(type, makePrefix(address, length), offset);
    });
}

function components(afi: 1 | 2): fc.Arbitrary<readonly Component[]> {
  const each: fc.Arbitrary<Component>[] = [
    prefix(1, afi),
    prefix(2, afi),
    ...([3, 4, 5, 6, 7, 8] as const).map(numeric),
    bitmask(9, 0xffff),
    numeric(10),
    numeric(11),
    bitmask(12, afi === 1 ? 0x0f : 0x0e),
    ...(afi === 2 ? [numeric(13)] : []),
  ];
  return fc
    .tuple(...each.map((component) => fc.option(component, { freq: 2, nil: undefined })))
    .map((found) => found.filter((component) => component !== undefined))
    .filter((found) => found.length > 0);
}

/** Any rule that can be encoded. */
export const anyFlowSpec: fc.Arbitrary<FlowSpec> = fc
  .constantFrom<1 | 2>(1, 2)
  .chain((afi) =>
    fc
      .tuple(components(afi), fc.option(octets(8), { nil: undefined }))
      .map(
        ([found, rd]): FlowSpec =>
          rd === undefined
            ? { afi, safi: 133, components: found }
            : { afi, safi: 134, rd, components: found },
      ),
  );

/** Rates that a float32 holds exactly, so that they come back as they went. */
const anyRate = fc
  .float({ min: 0, noNaN: true, noDefaultInfinity: true })
  .map((rate) => (rate === 0 ? 0 : rate));
const anyAsn = fc.constantFrom(0, 0, 1, 65535);

const anyTarget = fc.oneof(
  record({
    form: fc.constant('as2' as const),
    asn: fc.integer({ min: 0, max: 65535 }),
    value: fc.integer({ min: 0, max: 0xffff_ffff }),
  }),
  record({
    form: fc.constant('ipv4' as const),
    address: octets(4),
    value: fc.integer({ min: 0, max: 65535 }),
  }),
  record({
    form: fc.constant('as4' as const),
    asn: fc.oneof(fc.integer({ min: 0, max: 65535 }), fc.integer({ min: 65536, max: 0xffff_ffff })),
    value: fc.integer({ min: 0, max: 65535 }),
  }),
);

const anyRedirect: fc.Arbitrary<Action> = fc.oneof(
  anyTarget.map((target): Action => ({ type: 'redirect-vrf', target })),
  record({
    type: fc.constant('redirect-ip' as const),
    form: fc.constantFrom<'ietf' | 'draft-00'>('ietf', 'draft-00'),
    address: fc.oneof(octets(4), octets(16)),
    copy: fc.boolean(),
  }),
  record({
    type: fc.constant('redirect-vrf-ipv6' as const),
    address: octets(16),
    value: fc.integer({ min: 0, max: 65535 }),
  }),
);

/** Actions of one rule, those of 8 octets in front of those of 20 as the attributes keep them. */
export const anyActions: fc.Arbitrary<readonly Action[]> = fc
  .tuple(
    fc.option(
      fc
        .tuple(anyRate, anyAsn)
        .map(([rate, asn]): Action => ({ type: 'traffic-rate', bitsPerSecond: rate * 8, asn })),
    ),
    fc.option(
      fc
        .tuple(anyRate, anyAsn)
        .map(([rate, asn]): Action => ({ type: 'traffic-rate-packets', packetsPerSecond: rate, asn })),
    ),
    fc.option(
      record({
        type: fc.constant('traffic-action' as const),
        sample: fc.boolean(),
        terminal: fc.boolean(),
      }),
    ),
    fc.option(record({ type: fc.constant('marking' as const), dscp: fc.integer({ min: 0, max: 63 }) })),
    fc.option(octets(6).map((rest): Action => ({ type: 'unknown', octets: Uint8Array.of(0, 2, ...rest) }))),
    fc.option(anyRedirect),
    fc.option(octets(18).map((rest): Action => ({ type: 'unknown', octets: Uint8Array.of(0, 2, ...rest) }))),
  )
  .map((found) => found.filter((action) => action !== null));
