import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readVictim } from '../../src/intake/read-victim.ts';

describe('a victim', () => {
  test('is the address, as exporters and templates write it', () => {
    for (const text of [
      '203.0.113.14',
      ' 203.0.113.14\n',
      '203.0.113.14/32',
      '203.0.113.14:443',
      '203.0.113.14:9100',
      '[203.0.113.14]',
      '::ffff:203.0.113.14',
      '[::ffff:203.0.113.14]:443',
      '::ffff:203.0.113.14/128',
      'http://203.0.113.14:9100/metrics',
    ]) {
      assert.deepEqual(readVictim(text), { ok: true, value: '203.0.113.14' }, text);
    }
    for (const text of [
      '2001:DB8::1',
      '2001:db8::1/128',
      '[2001:db8::1]',
      '[2001:db8::1]:443',
      'https://[2001:db8::1]/',
    ]) {
      assert.deepEqual(readVictim(text), { ok: true, value: '2001:db8::1' }, text);
    }
  });

  test('may be a prefix, in its canonical text', () => {
    assert.deepEqual(readVictim('203.0.113.0/24'), { ok: true, value: '203.0.113.0/24' });
    assert.deepEqual(readVictim('2001:DB8:0::/48'), { ok: true, value: '2001:db8::/48' });
    assert.deepEqual(readVictim('::ffff:203.0.113.0/120'), { ok: true, value: '203.0.113.0/24' });
  });

  test('with bits behind its length may be the host or the network: the right prefix is named', () => {
    const reading = readVictim('203.0.113.14/24');
    assert.ok(!reading.ok);
    assert.match(reading.error, /did you mean 203\.0\.113\.0\/24/);
  });

  test('is nothing else', () => {
    for (const text of [
      '',
      'not-an-address',
      '203.0.113.14:99999',
      '203.0.113.1, 203.0.113.2',
      '203.0.113.0/33',
      '010.0.0.1',
      'fe80::1%eth0',
      ':443',
      `203.0.113.14${' '.repeat(400)}x`,
    ]) {
      assert.ok(!readVictim(text).ok, text);
    }
  });
});
