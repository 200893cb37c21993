import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { INITIAL_STATE, step } from '../../../src/bgp/fsm/step.ts';
import {
  addressText,
  sharedSettings,
  canonicalHost,
  fsmConfig,
  isHost,
} from '../../../src/bgp/speaker/settings.ts';
import { neighbor } from './support.ts';

describe('what must be alike on both sides', () => {
  it('is named for an operator whose dial is not answered, without the secret', () => {
    assert.equal(sharedSettings({}), undefined);
    assert.equal(sharedSettings({ md5Password: 's3cret' }), 'the MD5 password on both sides');
    assert.equal(
      sharedSettings({ md5Password: 's3cret', ttlSecurityHops: 1 }),
      'the MD5 password and GTSM (ttl_security_hops is 1 here) on both sides',
    );
  });

  it('is in the last error of a dial that times out', () => {
    const settings = neighbor('192.0.2.1', 179, { ttlSecurityHops: 2 });
    const config = fsmConfig(settings, { localAsn: 65010, localIdentifier: 1 }, false);
    const [connecting] = step(INITIAL_STATE, { type: 'manual-start' }, config);
    const [, actions] = step(connecting, { type: 'timer-expires', timer: 'connect-retry' }, config);
    const report = actions.find((action) => action.type === 'report');
    assert.equal(
      report?.why,
      'no answer to the connection attempt for 30 s: check the address, the path, filters on it, and GTSM (ttl_security_hops is 2 here) on both sides',
    );
  });
});

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
