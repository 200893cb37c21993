import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  canonicalVector,
  impliedProtocol,
  isAmplification,
  KNOWN_VECTORS,
  VECTOR_ALIASES,
  VECTOR_PATTERN,
  vectorToken,
} from '../../src/core/policy/vectors.ts';

const canonical = (name: string): string | undefined => {
  const token = vectorToken(name);
  return token === undefined ? undefined : canonicalVector(token);
};

describe('the name of a vector', () => {
  test('is known however people write it', () => {
    const names: readonly (readonly [string, string])[] = [
      ['UDP Flood', 'udp_flood'],
      ['udp-flood', 'udp_flood'],
      ['UdpFlood', 'udp_flood'],
      ['UDP', 'udp_flood'],
      ['DNS Amplification', 'dns_amplification'],
      ['dns_amp', 'dns_amplification'],
      ['dns_reflection', 'dns_amplification'],
      ['DNS-Reflection attack', 'dns_amplification'],
      ['tcp_syn_flood', 'syn_flood'],
      ['TCP SYN', 'syn_flood'],
      ['SYN', 'syn_flood'],
      ['icmp', 'icmp_flood'],
      ['ntp_monlist', 'ntp_amplification'],
      ['memcache amp', 'memcached_amplification'],
      ['LDAP reflection', 'cldap_amplification'],
      ['SYN-ACK flood', 'syn_ack_flood'],
      ['IP fragments', 'ip_fragmentation'],
      ['N/A', 'unknown'],
    ];
    for (const [name, vector] of names) assert.equal(canonical(name), vector, name);
  });

  test('that nobody knows stays what it is, in normal form', () => {
    assert.equal(canonical('Weird Thing #3'), 'weird_thing_3');
    assert.equal(canonical('_own_vector_'), '_own_vector_');
    assert.equal(canonical('---'), undefined);
    assert.equal(canonical('x'.repeat(65)), undefined);
  });

  test('means one vector only, and every known one means itself', () => {
    const seen = new Map<string, string>();
    for (const vector of KNOWN_VECTORS) {
      assert.equal(canonicalVector(vector), vector);
      for (const alias of VECTOR_ALIASES.get(vector) ?? []) {
        assert.match(alias, VECTOR_PATTERN);
        const other = seen.get(alias.replaceAll('_', ''));
        assert.ok(other === undefined || other === vector, `${alias} is of ${other} and of ${vector}`);
        seen.set(alias.replaceAll('_', ''), vector);
        assert.equal(canonicalVector(alias), vector);
      }
    }
  });
});

describe('a vector implies its protocol', () => {
  test('by the words of its name, where they agree', () => {
    const cases: readonly (readonly [string, number | null])[] = [
      ['foo_amplification', 17],
      ['udp_garbage', 17],
      ['tcp_xmas', 6],
      ['mega_syn_storm', 6],
      ['tcp_reflection', 6],
      ['icmp_echo', 1],
      ['tcp_udp_mix', null],
      ['http_flood', null],
      ['attack', null],
      ['unknown', null],
      ['ip_fragmentation', null],
    ];
    for (const [vector, protocol] of cases) assert.equal(impliedProtocol(vector, 4), protocol, vector);
    assert.equal(impliedProtocol('icmp_echo', 6), 58);
  });

  test('and is an amplification only over UDP', () => {
    assert.ok(isAmplification('foo_amplification'));
    assert.ok(isAmplification('dns_amplification'));
    assert.ok(!isAmplification('tcp_reflection'));
    assert.ok(!isAmplification('udp_flood'));
  });
});
