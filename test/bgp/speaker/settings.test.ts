import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addressText, canonicalHost, isHost } from '../../../src/bgp/speaker/settings.ts';

describe('hosts of neighbors', () => {
  it('are the same address in whatever form an operator writes it', () => {
    assert.equal(canonicalHost('2001:DB8:0:0::1'), '2001:db8::1');
    assert.equal(canonicalHost('fe80:0::1%eth0'), 'fe80::1%eth0');
    assert.equal(canonicalHost('192.0.2.1'), '192.0.2.1');
  });

  it('with a zone match that zone, and an end whose zone is not known', () => {
    assert.ok(isHost('fe80::1%eth0', 'fe80::1%eth0'));
    assert.ok(isHost('fe80::1%eth0', 'fe80::1'));
    assert.ok(!isHost('fe80::1%eth0', 'fe80::1%eth1'));
    assert.ok(!isHost('192.0.2.1', '192.0.2.10'));
  });

  it('are shown with their port, IPv6 in brackets', () => {
    const shown = (host: string) => addressText({ address: { kind: 'tcp', host, port: 179 } });
    assert.equal(shown('192.0.2.1'), '192.0.2.1:179');
    assert.equal(shown('2001:db8::1'), '[2001:db8::1]:179');
    assert.equal(addressText({ address: { kind: 'unix', path: '/run/bgp.sock' } }), 'unix:/run/bgp.sock');
  });
});
