import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeCapabilities, encodeCapabilities } from '../../../src/bgp/wire/capabilities.ts';
import type { Capability } from '../../../src/bgp/wire/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { notificationOf, octets } from './support.ts';

/** Code, length, value, assembled from the figures of each RFC. */
const VECTORS: readonly (readonly [source: string, hex: string, capability: Capability])[] = [
  ['RFC 4760 §8', '01 04 0001 00 85', { type: 'multiprotocol', family: { afi: 1, safi: 133 } }],
  ['RFC 4760 §8', '01 04 4004 00 47', { type: 'multiprotocol', family: { afi: 16388, safi: 71 } }],
  ['RFC 2918 §2', '02 00', { type: 'route-refresh' }],
  ['RFC 8654 §3', '06 00', { type: 'extended-message' }],
  [
    'RFC 4724 §3: R bit, 120 s, IPv4 unicast with the F bit, IPv6 FlowSpec without',
    '40 0a 8078 0001 01 80 0002 85 00',
    {
      type: 'graceful-restart',
      restarting: true,
      notification: false,
      restartTime: 120,
      families: [
        { family: { afi: 1, safi: 1 }, forwardingPreserved: true },
        { family: { afi: 2, safi: 133 }, forwardingPreserved: false },
      ],
    },
  ],
  [
    'RFC 8538 §2: N bit, the longest time, no family',
    '40 02 4fff',
    { type: 'graceful-restart', restarting: false, notification: true, restartTime: 4095, families: [] },
  ],
  ['RFC 6793 §3', '41 04 fa56ea00', { type: 'four-octet-as', asn: 4200000000 }],
  ['RFC 7313 §3.1', '46 00', { type: 'enhanced-route-refresh' }],
  [
    'RFC 9494 §3.1: IPv4 FlowSpec with the F bit for the longest time',
    '47 07 0001 85 80 ffffff',
    {
      type: 'long-lived-graceful-restart',
      families: [{ family: { afi: 1, safi: 133 }, forwardingPreserved: true, staleTime: 16777215 }],
    },
  ],
  [
    'RFC 5492 §4: FQDN, not known here',
    '49 03 016100',
    { type: 'unknown', code: 73, value: octets('016100') },
  ],
];

describe('capabilities', () => {
  for (const [source, hex, capability] of VECTORS) {
    it(`${capability.type} (${source}) in both directions`, () => {
      assert.deepEqual(decodeCapabilities(octets(hex)), [capability]);
      assert.equal(toHex(encodeCapabilities([capability])), toHex(octets(hex)));
    });
  }

  it('come in their order, repetitions included', () => {
    const hex = VECTORS.map(([, one]) => one).join(' ');
    const capabilities = [...VECTORS, ...VECTORS].map(([, , one]) => one);
    assert.deepEqual(decodeCapabilities(octets(hex + hex)), capabilities);
    assert.equal(toHex(encodeCapabilities(capabilities)), toHex(octets(hex + hex)));
  });

  it('ignore bits that are reserved (RFC 4760 §8, RFC 4724 §3, RFC 9494 §3.1)', () => {
    assert.deepEqual(
      decodeCapabilities(octets('0104 0001 ff 85')),
      decodeCapabilities(octets('0104 0001 00 85')),
    );
    assert.deepEqual(
      decodeCapabilities(octets('4006 3001 0001 01 7f')),
      decodeCapabilities(octets('4006 0001 0001 01 00')),
    );
    assert.deepEqual(
      decodeCapabilities(octets('4707 000185 7f 000001')),
      decodeCapabilities(octets('4707 000185 00 000001')),
    );
  });

  /** RFC 4271 §6.2: recognized, but malformed. */
  const MALFORMED: readonly (readonly [what: string, hex: string])[] = [
    ['a code without a length', '01'],
    ['a value that is cut off', '01 04 0001 00'],
    ['a second capability that is cut off', '02 00 41'],
    ['multiprotocol of 3 octets', '01 03 000100'],
    ['multiprotocol of 5 octets', '01 05 0001000100'],
    ['route refresh with a value', '02 01 00'],
    ['extended message with a value', '06 01 00'],
    ['graceful restart without its flags', '40 00'],
    ['graceful restart of 1 octet', '40 01 00'],
    ['graceful restart with half a family', '40 04 0078 0001'],
    ['4-octet AS number of 2 octets', '41 02 fdf2'],
    ['4-octet AS number of 8 octets', '41 08 0000fdf20000fdf2'],
    ['enhanced route refresh with a value', '46 01 00'],
    ['long-lived graceful restart with half a family', '47 04 00018500'],
  ];
  for (const [what, hex] of MALFORMED) {
    it(`${what} is 2/0`, () => {
      assert.equal(
        notificationOf(() => decodeCapabilities(octets(hex))),
        '2/0',
      );
    });
  }

  it('refuse to encode what does not fit', () => {
    const restart = {
      type: 'graceful-restart',
      restarting: false,
      notification: false,
      families: [],
    } as const;
    assert.throws(() => encodeCapabilities([{ ...restart, restartTime: 4096 }]), RangeError);
    assert.throws(() => encodeCapabilities([{ ...restart, restartTime: -1 }]), RangeError);
    assert.throws(() => encodeCapabilities([{ ...restart, restartTime: 1.5 }]), RangeError);
    const long = (staleTime: number): readonly Capability[] => [
      {
        type: 'long-lived-graceful-restart',
        families: [{ family: { afi: 1, safi: 1 }, forwardingPreserved: false, staleTime }],
      },
    ];
    assert.throws(() => encodeCapabilities(long(16777216)), RangeError);
    assert.throws(() => encodeCapabilities([{ type: 'unknown', code: 256, value: octets('') }]), RangeError);
    assert.throws(
      () => encodeCapabilities([{ type: 'unknown', code: 99, value: new Uint8Array(256) }]),
      RangeError,
    );
    assert.throws(() => encodeCapabilities([{ type: 'four-octet-as', asn: 2 ** 32 }]), RangeError);
  });
});
