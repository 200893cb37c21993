import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPrivateAddress, isPrivateHost } from '../../src/alert/post.ts';

test("addresses of the operator's own networks are private, in any disguise", () => {
  for (const address of [
    '127.0.0.1',
    '127.255.255.254',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '192.0.0.8',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    'fec0::1',
    '100::1',
    '::ffff:127.0.0.1',
    '::ffff:a00:1',
    '::127.0.0.1',
    '64:ff9b::10.0.0.1',
    '2002:7f00:1::',
    '2002:c0a8:101::1',
    '64:ff9b::1.1.1.1',
    '2002:101:101::1',
    '::1.1.1.1',
    'localhost',
    '',
  ]) {
    assert.equal(isPrivateAddress(address), true, address);
  }
});

test('addresses of the public Internet are not', () => {
  for (const address of [
    '1.1.1.1',
    '172.15.255.255',
    '172.32.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '192.0.1.1',
    '223.255.255.255',
    '2606:4700::1111',
    '::ffff:1.1.1.1',
    'fbff::1',
  ]) {
    assert.equal(isPrivateAddress(address), false, address);
  }
});

test('a host of a URL is private as an address or as a name of this machine, and a name is left to be resolved', () => {
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '[64:ff9b::a00:1]',
    '[64:ff9b::101:101]',
    '[2002:101:101::1]',
    '[::101:101]',
    '192.0.0.9',
    '198.18.0.1',
    '224.0.0.5',
    '[ff02::1]',
    'localhost',
    'LOCALHOST.',
    'a.localhost',
  ]) {
    assert.equal(isPrivateHost(host), true, host);
  }
  for (const host of ['hooks.example', '8.8.8.8', '[2606:4700::1111]', 'localhost.example', 'notlocalhost']) {
    assert.equal(isPrivateHost(host), false, host);
  }
});
