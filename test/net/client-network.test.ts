import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientNetwork } from '../../src/http/known-networks.ts';

describe('the network that counts as one client', () => {
  it('is an IPv4 address by itself, also written as IPv6', () => {
    assert.deepEqual(clientNetwork('198.51.100.7'), { name: '198.51.100.7', isLoopback: false });
    assert.deepEqual(clientNetwork('::ffff:198.51.100.7'), { name: '198.51.100.7', isLoopback: false });
  });

  it('is the /64 of an IPv6 address, with or without a zone', () => {
    const expected = { name: '2001:db8:1:2::/64', isLoopback: false };
    assert.deepEqual(clientNetwork('2001:db8:1:2:aaaa::1'), expected);
    assert.deepEqual(clientNetwork('2001:db8:1:2:bbbb::9%eth0'), expected);
  });

  it('knows loopback in each form', () => {
    for (const address of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1']) {
      assert.equal(clientNetwork(address).isLoopback, true, address);
    }
  });

  it('is nobody where there is no address', () => {
    assert.deepEqual(clientNetwork(undefined), { name: '', isLoopback: false });
    assert.deepEqual(clientNetwork('/run/prefixd.sock'), { name: '', isLoopback: false });
  });
});
