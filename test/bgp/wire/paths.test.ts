import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Family } from '../../../src/bgp/wire/iana.ts';
import { isListed, listNlri } from '../../../src/bgp/wire/nlri-list.ts';
import {
  addPathOf,
  decodeAddPath,
  decodeExtendedNextHop,
  ipv6NextHopsOf,
} from '../../../src/bgp/wire/capabilities.ts';
import type { OpenMessage } from '../../../src/bgp/wire/types.ts';
import { fromHex, toHex } from '../../../src/net/bytes.ts';

function hex(text: string): Uint8Array {
  const octets = fromHex(text.replaceAll(' ', ''));
  assert.ok(octets, text);
  return octets;
}

function openWith(...capabilities: readonly (readonly [code: number, value: string])[]): OpenMessage {
  return {
    type: 'open',
    version: 4,
    myAs: 65001,
    holdTime: 90,
    bgpIdentifier: 1,
    capabilities: capabilities.map(([code, value]) => ({ type: 'unknown', code, value: hex(value) })),
  };
}

describe('ADD-PATH (RFC 7911 §4)', () => {
  it('says for each family who sends and who receives', () => {
    assert.deepEqual(decodeAddPath(hex('0001 01 01 0002 01 02 0001 85 03')), [
      { family: { afi: 1, safi: 1 }, receive: true, send: false },
      { family: { afi: 2, safi: 1 }, receive: false, send: true },
      { family: { afi: 1, safi: 133 }, receive: true, send: true },
    ]);
  });

  it('is not understood with another Send/Receive, or where its length does not come out even', () => {
    for (const value of ['', '0001 01', '0001 01 00', '0001 01 04', '0001 01 01 00']) {
      assert.equal(decodeAddPath(hex(value)), undefined, value);
    }
    assert.equal(addPathOf(openWith([69, '0001 01 03'], [69, '0001 85 09'])), undefined);
  });

  it('has the last entry of a family, over all of its instances', () => {
    const open = openWith([69, '0001 01 01 0002 01 03'], [69, '0001 01 02']);
    assert.deepEqual(
      addPathOf(open)?.map(({ family, send }) => [family.afi, send]),
      [
        [2, true],
        [1, true],
      ],
    );
    assert.deepEqual(addPathOf(openWith()), []);
  });
});

describe('extended next hops (RFC 8950 §3)', () => {
  it('name the families whose next hops may be IPv6', () => {
    const open = openWith([5, '0001 0001 0002 0001 0080 0002 0001 0004 0001 0002 0001 0002']);
    assert.deepEqual(ipv6NextHopsOf(open), [
      { afi: 1, safi: 1 },
      { afi: 1, safi: 128 },
    ]);
    assert.equal(decodeExtendedNextHop(hex('0001 0001')), undefined);
  });
});

describe('a field of NLRI', () => {
  const cut = (field: string, family: Family, identified = false) => {
    const { routes, rest } = listNlri(hex(field), family, identified);
    return {
      routes: routes.map(({ pathIdentifier, octets }) => [pathIdentifier, toHex(octets)]),
      rest: rest === undefined ? undefined : [toHex(rest.octets), rest.reason],
    };
  };
  const FIELDS: readonly (readonly [what: string, family: Family, first: string, second: string])[] = [
    ['IPv4 unicast', { afi: 1, safi: 1 }, '18c63364', '00'],
    ['labels', { afi: 1, safi: 4 }, '30000641c63364', '30000651c63365'],
    ['VPN', { afi: 1, safi: 128 }, '700006410000fde800000064c63364', '580006410000fde800000064'],
    ['EVPN', { afi: 25, safi: 70 }, '0502aabb', '0300'],
    ['link state', { afi: 16388, safi: 71 }, '00010002aabb', '00020000'],
    ['VPLS', { afi: 25, safi: 65 }, '0002aabb', '0001cc'],
    ['FlowSpec', { afi: 1, safi: 133 }, '03038106', `f0f0${'00'.repeat(240)}`],
  ];
  for (const [what, family, first, second] of FIELDS) {
    it(`of ${what} is cut into its routes, with identifiers and without`, () => {
      assert.deepEqual(cut(`${first}${second}`, family), {
        routes: [
          [undefined, first],
          [undefined, second],
        ],
        rest: undefined,
      });
      assert.deepEqual(cut(`00000001${first}ffffffff${second}`, family, true), {
        routes: [
          [1, first],
          [0xffffffff, second],
        ],
        rest: undefined,
      });
    });
  }

  it('that ends within a route gives what is left, and why', () => {
    const unicast = { afi: 1, safi: 1 };
    assert.deepEqual(cut('08 0a 18 c633', unicast), {
      routes: [[undefined, '080a']],
      rest: ['18c633', 'the last route needs 4 octets, but only 3 are left'],
    });
    assert.deepEqual(cut('00000001', unicast, true).rest, [
      '00000001',
      'the last Path Identifier has no route',
    ]);
    assert.deepEqual(cut('05', { afi: 25, safi: 70 }).rest, [
      '05',
      'the last route needs more octets, but only 1 are left',
    ]);
    assert.deepEqual(cut('f0', { afi: 1, safi: 133 }).rest?.[0], 'f0');
  });

  it('of a family that is not known is one route', () => {
    const unknown = { afi: 1, safi: 200 };
    assert.equal(isListed(unknown), false);
    assert.deepEqual(cut('010203', unknown).routes, [[undefined, '010203']]);
    assert.deepEqual(cut('00000009 0102', unknown, true).routes, [[9, '0102']]);
  });
});
