import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMessage, encodeMessage } from '../../../src/bgp/wire/message.ts';
import type { CodecContext, RouteRefreshMessage } from '../../../src/bgp/wire/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { EXTERNAL, message, notificationOf } from './support.ts';

const refresh = (afi: number, safi: number, subtype: number): RouteRefreshMessage => ({
  type: 'route_refresh',
  family: { afi, safi },
  subtype,
});

describe('ROUTE-REFRESH', () => {
  const BOTH_WAYS: readonly (readonly [what: string, bodyHex: string, value: RouteRefreshMessage])[] = [
    ['a request for IPv4 FlowSpec (RFC 2918 §3)', '0001 00 85', refresh(1, 133, 0)],
    ['beginning of refresh (RFC 7313 §3.2)', '0002 01 85', refresh(2, 133, 1)],
    ['end of refresh (RFC 7313 §3.2)', '0002 02 01', refresh(2, 1, 2)],
    ['a subtype that nobody knows, for the caller to ignore (RFC 7313 §5)', '0001 ff 01', refresh(1, 1, 255)],
  ];
  for (const [what, bodyHex, value] of BOTH_WAYS) {
    it(`${what} in both directions`, () => {
      assert.deepEqual(decodeMessage(message(5, bodyHex), EXTERNAL), value);
      assert.equal(toHex(encodeMessage(value, EXTERNAL)), toHex(message(5, bodyHex)));
    });
  }

  const ENHANCED: CodecContext = { ...EXTERNAL, enhancedRouteRefresh: true };

  it('of an unknown subtype may be longer, where the octet is a subtype', () => {
    assert.deepEqual(decodeMessage(message(5, '0001 03 01 0000'), ENHANCED), refresh(1, 1, 3));
  });

  for (const bodyHex of ['', '0001', '0001 00', '0001 01 85 00', '0001 02 85 0000', '0001 00 85 00']) {
    it(`"${bodyHex}" with enhanced route refresh is 7/1 with the whole message (RFC 7313 §5)`, () => {
      const octets = message(5, bodyHex);
      assert.equal(
        notificationOf(() => decodeMessage(octets, ENHANCED)),
        `7/1 ${toHex(octets)}`,
      );
    });
  }

  for (const bodyHex of ['', '0001', '0001 01', '0001 00 85 00', '0001 02 85 0000', '0001 03 85 00']) {
    it(`"${bodyHex}" without it is 1/2 with the length (RFC 4271 §6.1)`, () => {
      const octets = message(5, bodyHex);
      assert.equal(
        notificationOf(() => decodeMessage(octets, EXTERNAL)),
        `1/2 ${toHex(octets.subarray(16, 18))}`,
      );
    });
  }
});
