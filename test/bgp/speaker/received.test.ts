import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countRoutes } from '../../../src/bgp/speaker/peer-record.ts';
import { type Family, FAMILIES } from '../../../src/bgp/wire/iana.ts';
import { makeUpdate } from '../../../src/bgp/wire/update.ts';
import { fromHex } from '../../../src/net/bytes.ts';

function reach(family: Family, hex: string): number {
  const nlri = fromHex(hex);
  assert.ok(nlri !== undefined);
  return countRoutes(makeUpdate({ attributes: { mpReach: { family, nextHop: new Uint8Array(0), nlri } } }));
}

describe('routes received', () => {
  it('IPv4 unicast: a length in bits each (RFC 4271 §4.3)', () => {
    // 0.0.0.0/0, 10.0.0.0/8, 192.0.2.0/25
    assert.equal(countRoutes(makeUpdate({ nlri: Uint8Array.of(0, 8, 10, 25, 192, 0, 2, 0) })), 3);
  });

  it('FlowSpec: a length in octets each, in two octets from 240 on (RFC 8955 §4.1)', () => {
    const long = `f0f0${'00'.repeat(240)}`;
    assert.equal(reach(FAMILIES['ipv4-flowspec'], `03038111${long}03038111`), 3);
    assert.equal(reach(FAMILIES['ipv6-flowspec-vpn'], '03038111'), 1);
  });

  it('of a family that is not known count as one', () => {
    assert.equal(reach({ afi: 25, safi: 70 }, '0102030405'), 1);
  });

  it('are none in an UPDATE that withdraws', () => {
    const family = FAMILIES['ipv4-flowspec'];
    assert.equal(
      countRoutes(makeUpdate({ attributes: { mpUnreach: { family, nlri: Uint8Array.of(1, 2) } } })),
      0,
    );
  });
});
