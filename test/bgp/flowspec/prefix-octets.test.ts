import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeFlowSpec, encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { formatMatch } from '../../../src/bgp/flowspec/notation/format.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { decoded, octets, rule } from './octets.ts';

describe('IPv6 prefixes with an offset (RFC 8956 §3.1)', () => {
  for (const [text, hex] of [
    // BIRD's own corrected vector for an offset that is not a multiple of eight.
    ['src ::1:1234:5678:9800:0/104 offset 60', '09 0268 3c 112345678980'],
    ['src ::1234:5678:9a00:0/104 offset 64', '08 0268 40 123456789a'],
    ['src ::1/128 offset 127', '04 0280 7f 80'],
    ['dst 8000::/1 ', '04 0101 00 80'],
    ['dst ::ff/128 offset 120', '04 0180 78 ff'],
    ['dst 2001:db8::/32', '07 0120 00 20010db8'],
  ] as const) {
    it(`${text} are ${hex}`, () => {
      assert.equal(toHex(encodeFlowSpec(rule(`match ${text}`))), toHex(octets(hex)));
      const result = decoded(decodeFlowSpec(octets(hex), 2, 133));
      assert.equal(formatMatch(result.spec), `match ${text.trim()}`);
      assert.deepEqual(result.tolerated, []);
    });
  }

  it('bits in front of the offset are not sent, whatever the prefix holds there', () => {
    const [component] = rule('match dst 2001:db8::1/128').components;
    assert.ok(component?.type === 1);
    const spec = { afi: 2, safi: 133, components: [{ ...component, offset: 120 }] } as const;
    assert.equal(toHex(encodeFlowSpec(spec)), '04018078' + '01');
  });
});

describe('IPv4 prefixes', () => {
  it('have as many octets as their length needs', () => {
    for (const [length, size] of [
      [0, 0],
      [1, 1],
      [8, 1],
      [9, 2],
      [24, 3],
      [25, 4],
      [32, 4],
    ] as const) {
      assert.equal(encodeFlowSpec(rule(`match dst 0.0.0.0/${length}`)).length, 3 + size);
    }
  });
});
