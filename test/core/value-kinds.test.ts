import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseVrfRedirect } from '../../src/bgp/flowspec/action-communities.ts';
import { isRouteTarget } from '../../src/core/policy/value-kinds.ts';

describe('a route target in the configuration and in requests', () => {
  const sound = [
    '65010:666',
    '65535:4294967295',
    '65536:65535',
    '4294967295:0',
    '2:65010:666',
    '192.0.2.1:65535',
    '[2001:db8::1]:666',
    '[2001:DB8::1]:65535',
  ];
  for (const text of sound) {
    it(`may be ${text}`, () => {
      assert.ok(isRouteTarget(text));
      assert.ok(parseVrfRedirect(text) !== undefined);
    });
  }

  const wrong = [
    '',
    '65010',
    '65010:',
    ':666',
    '65010:4294967296',
    '65536:65536',
    '4294967296:1',
    '2:65010:65536',
    '1:65010:666',
    '065010:666',
    '65010:0666',
    '192.0.2.1:65536',
    '192.0.2.256:1',
    '192.0.2:1',
    '2:192.0.2.1:1',
    '2001:db8::1:666',
    '[2001:db8::1]:65536',
    '[2001:db8::1]',
    '[192.0.2.1]:666',
    '65010:666 ',
  ];
  for (const text of wrong) it(`is not "${text}"`, () => assert.equal(isRouteTarget(text), false));

  it('is exactly what becomes a redirect to a VRF', () => {
    const part = fc.oneof(
      fc.constantFrom('2', '0', '65535', '65536', '4294967295', '4294967296', '007', '192.0.2.1', '192.0.2'),
      fc.constantFrom('[2001:db8::1]', '[::]', '[2001:db8::g]', '2001:db8::1', ''),
      fc.nat().map(String),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 3 }), (parts) => {
        const text = parts.join(':');
        // The notation of rules reads zeros in front of the number behind an IPv6 address.
        const isLax = /^\[.*\]:0\d+$/.test(text);
        assert.equal(isRouteTarget(text), parseVrfRedirect(text) !== undefined && !isLax, text);
      }),
      { numRuns: 2000 },
    );
  });
});
