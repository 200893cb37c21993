/** Outages and defects that others had, and what stops each here. Named as they are in the field's records. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeActions } from '../../../src/bgp/flowspec/actions.ts';
import { DIALECTS, renderForDialect } from '../../../src/bgp/flowspec/dialect.ts';
import { decodeFlowSpec, encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { findImpossible } from '../../../src/bgp/flowspec/unmeant-rules.ts';
import type { Action } from '../../../src/bgp/flowspec/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { anyFlowSpec } from './arbitraries.ts';
import { decoded, octets, rule } from './octets.ts';

const DISCARD: readonly Action[] = [{ type: 'traffic-rate', bitsPerSecond: 0, asn: 0 }];

describe('incidents', () => {
  it('2020-08-30, a wildcard rule: a rule without components cannot be written or read', () => {
    assert.throws(() => encodeFlowSpec({ afi: 1, safi: 133, components: [] }), /every packet/);
    assert.equal(decodeFlowSpec(octets('00'), 1, 133).ok, false);
  });

  it('2013-03-03, packet length 99971-99985: impossible, and told to no platform', () => {
    const spec = rule('match dst 203.0.113.10/32 length 99971-99985');
    assert.match(findImpossible(spec) ?? '', /99971 is above 65535/);
    for (const dialect of DIALECTS) assert.equal(renderForDialect(dialect, spec, DISCARD).ok, false);
  });

  it('osrg/gobgp#1322, AND on the first operator: no octets that are written have it', () => {
    assert.equal(toHex(encodeFlowSpec(rule('match dst-port 80,8080-8888'))), '0905015013' + '1f90d522b8');
    fc.assert(
      fc.property(anyFlowSpec, (spec) => {
        const nlri = encodeFlowSpec({ ...spec, components: spec.components.slice(-1) });
        const head = (nlri[0] ?? 0) < 240 ? 1 : 2;
        const at = head + (spec.rd?.length ?? 0);
        if ((nlri[at] ?? 0) > 2) assert.equal((nlri[at + 1] ?? 0) & 0x40, 0);
      }),
    );
  });

  it('osrg/gobgp, a truncated value crashes the daemon: refused, like every other cut of a rule', () => {
    assert.equal(decodeFlowSpec(octets('020381'), 1, 133).ok, false);
    const whole = encodeFlowSpec(
      rule('match dst 203.0.113.10/32 proto udp dst-port <53,>53&<1230 fragment isf'),
    );
    for (let length = 0; length < whole.length; length++) {
      assert.equal(decodeFlowSpec(whole.subarray(0, length), 1, 133).ok, false);
      const shorter = whole.slice(0, length);
      if (length > 0) shorter[0] = length - 1;
      const result = decodeFlowSpec(shorter, 1, 133);
      if (result.ok) assert.equal(toHex(result.value.canonical), toHex(shorter));
    }
  });

  it('osrg/gobgp#1483, a withdrawal of other octets: one rule has one form, so it can be withdrawn', () => {
    const wide = decoded(decodeFlowSpec(octets('0405910035'), 1, 133));
    const narrow = decoded(decodeFlowSpec(octets('03058135'), 1, 133));
    assert.equal(toHex(wide.canonical), toHex(narrow.canonical));
  });

  it('osrg/gobgp, lengths from 239 octets on: written as the standard says', () => {
    const values = (count: number): string => Array.from({ length: count }, () => '1000').join(',');
    assert.equal(toHex(encodeFlowSpec(rule(`match dst-port 1,${values(78)},1`))).slice(0, 2), 'ef');
    assert.equal(toHex(encodeFlowSpec(rule(`match dst-port ${values(79)},1`))).slice(0, 4), 'f0f0');
  });

  it('exabgp#1348, eight port ranges: split into rules of at most five operators', () => {
    const ports = '<53,>53&<443,>443&<500,>500&<3391,>3391&<4433,>4433&<4500,>4500&<5101,>5101&<5106';
    const spec = rule(`match dst 90.100.110.120/32 proto udp dst-port ${ports}`);
    const rendering = renderForDialect('juniper', spec, DISCARD);
    assert.ok(rendering.ok);
    assert.deepEqual(
      rendering.value.map((each) => each.spec),
      ['<53,>53&<443,>443&<500', '>500&<3391,>3391&<4433', '>4433&<4500,>4500&<5101', '>5101&<5106'].map(
        (part) => rule(`match dst 90.100.110.120/32 proto udp dst-port ${part}`),
      ),
    );
    const police: readonly Action[] = [{ type: 'traffic-rate', bitsPerSecond: 1e7, asn: 0 }];
    const refused = renderForDialect('juniper', spec, police);
    assert.ok(!refused.ok);
    assert.match(refused.error, /cannot be split/);
  });

  it('FRR 8.4 resets on !=: no platform is told it', () => {
    for (const dialect of DIALECTS) {
      const rendering = renderForDialect(dialect, rule('match dst 203.0.113.10/32 dst-port !=53'), DISCARD);
      assert.ok(rendering.ok);
      assert.deepEqual(
        rendering.value.map((each) => each.spec),
        [rule('match dst 203.0.113.10/32 dst-port <53,>53')],
      );
    }
  });

  it('a rate in bits that was meant in bytes: 10 Mbit/s are 1,250,000 bytes a second on the wire', () => {
    const wire = encodeActions([{ type: 'traffic-rate', bitsPerSecond: 10_000_000, asn: 0 }]);
    assert.equal(new DataView(wire.extendedCommunities.buffer).getFloat32(4), 1_250_000);
  });
});
