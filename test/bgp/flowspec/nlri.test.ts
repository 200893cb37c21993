import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeFlowSpec, encodeFlowSpec } from '../../../src/bgp/flowspec/nlri.ts';
import { formatMatch } from '../../../src/bgp/flowspec/text.ts';
import { fromHex, toHex } from '../../../src/net/bytes.ts';

function octets(hex: string): Uint8Array {
  const bytes = fromHex(hex.replaceAll(/\s/g, ''));
  assert.ok(bytes, `not hexadecimal: ${hex}`);
  return bytes;
}

/** The examples of the standards, octet for octet. */
const STANDARD: readonly (readonly [source: string, afi: 1 | 2, hex: string, text: string])[] = [
  ['RFC 8955 §4.3.1', 1, '0b 01 18 c0 00 02 03 81 06 04 81 19', 'match dst 192.0.2.0/24 proto tcp port 25'],
  [
    'RFC 8955 §4.3.2',
    1,
    '12 01 18 c0 00 02 02 18 cb 00 71 04 03 89 45 8b 91 1f 90',
    'match dst 192.0.2.0/24 src 203.0.113.0/24 port >=137&<=139,8080',
  ],
  [
    'RFC 8955 §4.3.3',
    1,
    '09 01 20 c0 00 02 01 0c 80 05',
    'match dst 192.0.2.1/32 fragment dont-fragment|first-fragment',
  ],
  [
    'RFC 8956 §3.8.1',
    2,
    '12 01 20 00 20 01 0d b8 02 68 40 12 34 56 78 9a 03 81 06',
    'match dst 2001:db8::/32 src ::1234:5678:9a00:0/104 offset 64 proto tcp',
  ],
  [
    'RFC 8956 §3.8.2',
    2,
    '0f 01 20 00 20 01 0d b8 02 68 41 24 68 ac f1 34',
    'match dst 2001:db8::/32 src ::1234:5678:9a00:0/104 offset 65',
  ],
];

describe('the examples of the standards', () => {
  for (const [source, afi, hex, text] of STANDARD) {
    it(`${source} decodes, and encodes to the same octets`, () => {
      const result = decodeFlowSpec(octets(hex), afi, 133);
      assert.ok(result.ok, result.ok ? '' : result.reason);
      assert.equal(formatMatch(result.spec), text);
      assert.deepEqual(result.tolerated, []);
      assert.equal(toHex(encodeFlowSpec(result.spec)), toHex(octets(hex)));
    });
  }
});
