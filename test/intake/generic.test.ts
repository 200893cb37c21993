import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tcpFlagWords } from '../../src/core/policy/refinement.ts';
import type { Detection } from '../../src/core/types.ts';
import { type GenericEvent, parseGenericEvent } from '../../src/intake/generic.ts';
import { MAX_DETAILS_LENGTH } from '../../src/intake/kept.ts';
import { timeText } from '../../src/net/time.ts';

const EVENT = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' };

function read(change: Record<string, unknown> = {}): Detection {
  const signal = parseGenericEvent({ ...EVENT, ...change });
  assert.ok(signal.kind === 'detection', JSON.stringify(signal));
  return signal.detection;
}

function problems(json: unknown): readonly string[] {
  const signal = parseGenericEvent(json);
  assert.ok(signal.kind === 'invalid', JSON.stringify(signal));
  return signal.problems.map(({ path, message }) => `${path}: ${message}`);
}

/** Returns a detection as the body of `POST /v1/events`. */
function toGenericEvent(detection: Detection): GenericEvent {
  const { traits = {} } = detection;
  return {
    ...(detection.externalId === null ? {} : { event_id: detection.externalId }),
    ...(detection.at === null ? {} : { timestamp: timeText(detection.at) }),
    source: detection.source,
    victim_ip: detection.victim,
    vector: detection.vector,
    ...(detection.protocol === null ? {} : { protocol: detection.protocol }),
    ...(detection.bps === null ? {} : { bps: detection.bps }),
    ...(detection.pps === null ? {} : { pps: detection.pps }),
    ...(detection.confidence === null ? {} : { confidence: detection.confidence }),
    top_dst_ports: [...detection.ports],
    ...(traits.srcPorts === undefined ? {} : { top_src_ports: [...traits.srcPorts] }),
    ...(traits.tcpFlags === undefined ? {} : { tcp_flags: tcpFlagWords(traits) }),
    action: detection.action,
    raw_details: detection.details,
  };
}

describe('a generic event', () => {
  test('may name the POPs that see the attack; what is no name is ignored and noted', () => {
    assert.deepEqual(read({ pops: ['fra1', 'ams1', 'fra1'] }).pops, ['ams1', 'fra1']);
    assert.deepEqual(read({ pops: 'fra1' }).pops, ['fra1']);
    const odd = read({ pops: ['fra1', 7, '*', 'a b'] });
    assert.deepEqual(odd.pops, ['fra1']);
    assert.equal(odd.notes?.length, 3);
    assert.ok(!('pops' in read({ pops: null })));
    assert.ok(!('pops' in read({ pops: ['fra1'] }).details));
  });

  test('needs no more than a source, a victim and a vector', () => {
    assert.deepEqual(read(), {
      externalId: null,
      source: 'fnm',
      action: 'ban',
      victim: '203.0.113.10',
      vector: 'udp_flood',
      protocol: 17,
      bps: null,
      pps: null,
      confidence: null,
      ports: [],
      at: null,
      details: {},
    });
  });

  test("of an upstream client is read as it was meant, its nulls as if they weren't there", () => {
    const upstream = {
      event_id: '5d1f0b1e',
      timestamp: '2026-01-15T12:00:00.123456789Z',
      source: 'fastnetmon',
      victim_ip: '203.0.113.10',
      vector: 'syn_flood',
      bps: 1_200_000_000,
      pps: null,
      top_dst_ports: [443, 80, 443],
      confidence: 0.95,
      action: 'ban',
      raw_details: { raw: 'text' },
    };
    const detection = read(upstream);
    assert.equal(detection.externalId, '5d1f0b1e');
    assert.equal(detection.at, Date.UTC(2026, 0, 15, 12, 0, 0, 123));
    assert.deepEqual(detection.ports, [80, 443], 'ascending, no duplicates');
    assert.equal(detection.protocol, 6);
    assert.equal(detection.pps, null);
    assert.deepEqual(detection.details, { raw: 'text' });
  });

  test('takes times with an offset', () => {
    assert.equal(read({ timestamp: '2026-01-15T13:00:00+01:00' }).at, Date.UTC(2026, 0, 15, 12));
  });

  test('writes addresses in one way, and IPv4 within IPv6 as IPv4', () => {
    assert.equal(read({ victim_ip: '2001:DB8:0::1' }).victim, '2001:db8::1');
    assert.equal(read({ victim_ip: '::ffff:203.0.113.10' }).victim, '203.0.113.10');
    assert.equal(read({ victim_ip: '::ffff:cb00:710a' }).victim, '203.0.113.10');
  });

  test('implies the protocol by its vector, and ICMPv6 for an IPv6 victim', () => {
    assert.equal(read({ vector: 'dns_amplification' }).protocol, 17);
    assert.equal(read({ vector: 'icmp_flood' }).protocol, 1);
    assert.equal(read({ vector: 'icmp_flood', victim_ip: '2001:db8::1' }).protocol, 58);
    assert.equal(read({ vector: 'icmp_flood', victim_ip: '2001:db8::1', protocol: 'icmp' }).protocol, 58);
    assert.equal(read({ vector: 'unknown' }).protocol, null);
    assert.equal(read({ vector: 'unknown', protocol: 'TCP' }).protocol, 6);
    assert.equal(read({ vector: 'ip_fragmentation', protocol: 47 }).protocol, 47);
  });

  test('says what an invalid port must be', () => {
    const signal = parseGenericEvent({ ...EVENT, top_dst_ports: ['1000-2000'] });
    assert.ok(signal.kind === 'invalid');
    assert.deepEqual(signal.problems, [{ path: 'top_dst_ports[0]', message: 'must be a port number' }]);
  });

  test('cuts details that are short as JSON and take much memory', () => {
    const { truncated } = read({ raw_details: { list: Array(5000).fill({}) } }).details;
    assert.match(String(truncated), /^\{"list":\[\{\},\{\}/);
    const flows = Array.from({ length: 100 }, (_, i) => ({
      source_ip: `198.51.100.${i}`,
      packets: 1500 * i,
    }));
    assert.deepEqual(read({ raw_details: { flows } }).details, { flows });
  });

  test('reads the first 64 ports', () => {
    const ports = Array.from({ length: 100 }, (_, i) => 100 - i);
    assert.deepEqual(read({ top_dst_ports: ports }).ports, ports.slice(0, 64).reverse());
  });

  test('keeps keys it does not know, and cuts details that are too long', () => {
    assert.deepEqual(read({ colour: 'red', raw_details: 'text' }).details, { raw: 'text', colour: 'red' });
    const { truncated } = read({ raw_details: { long: 'x'.repeat(100_000) } }).details;
    assert.equal(typeof truncated === 'string' && Buffer.byteLength(truncated), MAX_DETAILS_LENGTH);
  });

  test('says which fields are wrong', () => {
    assert.deepEqual(problems({}), ['source: is missing', 'victim_ip: is missing', 'vector: is missing']);
    const wrong = {
      ...EVENT,
      victim_ip: '203.0.113.1/24',
      vector: '!',
      timestamp: 'yesterday',
      bps: -1,
      confidence: 1.5,
      top_dst_ports: [80, 70000],
      action: 'nuke',
      protocol: 'avian',
    };
    assert.deepEqual(
      problems(wrong).map((text) => text.split(':')[0]),
      ['timestamp', 'victim_ip', 'vector', 'protocol', 'bps', 'confidence', 'top_dst_ports[1]', 'action'],
    );
    for (const json of [null, 'text', [], 7]) assert.equal(problems(json).length, 1);
  });

  test('says what is wrong with a value of the wrong kind, and calls only absent values missing', () => {
    assert.deepEqual(
      problems({ ...EVENT, bps: ['1 Gbit/s'], victim_ip: 7, protocol: {}, confidence: Number.NaN }),
      [
        'victim_ip: must be a string',
        'protocol: must be 0 to 255, or tcp, udp, icmp, icmpv6, gre, sctp',
        'bps: must be a number',
        'confidence: must be a number',
      ],
    );
    assert.deepEqual(problems({ ...EVENT, source: undefined }), ['source: is missing']);
  });

  test('ports beyond those that are read are not checked, and only a few problems are reported', () => {
    assert.equal(read({ top_dst_ports: [...Array(64).keys(), 'none', -1] }).ports.length, 64);
    assert.equal(problems({ ...EVENT, top_dst_ports: Array(60_000).fill('http') }).length, 20);
    assert.deepEqual(problems({ ...EVENT, top_dst_ports: Array(65_537).fill(80) }), [
      'top_dst_ports: has 65537 ports, and there are only 65536',
    ]);
  });

  test('may not contradict itself', () => {
    assert.deepEqual(problems({ ...EVENT, protocol: 'tcp' }), [
      'protocol: tcp contradicts vector udp_flood; leave one of them out',
    ]);
  });

  test('gives its figures as text, which are read if they are certain and otherwise ignored with a note', () => {
    const detection = read({
      bps: '4.2 Gbps',
      pps: '1,200,000',
      confidence: '90%',
      top_dst_ports: ['80', '443/tcp'],
    });
    assert.deepEqual([detection.bps, detection.pps, detection.confidence], [4.2e9, 1.2e6, 0.9]);
    assert.deepEqual(detection.ports, [80, 443]);
    const useless = read({ bps: 'NaN', pps: '+Inf', confidence: 'high' });
    assert.deepEqual([useless.bps, useless.pps, useless.confidence], [null, null, null]);
    assert.deepEqual(useless.notes, [
      'bps ignored: "NaN" is not a number',
      'pps ignored: "+Inf" is not a number',
      'confidence ignored: "high" is not a number',
    ]);
  });

  test('names its vector as people do, or by the vector map of its source', () => {
    assert.equal(read({ vector: 'UDP Flood' }).vector, 'udp_flood');
    assert.equal(read({ vector: 'dns_reflection' }).protocol, 17);
    assert.equal(read({ vector: 'My Own Kind' }).vector, 'my_own_kind');
    const vectorMaps = new Map([['fnm', new Map([['Angriff 7', 'syn_flood']])]]);
    for (const [source, vector] of [
      ['fnm', 'syn_flood'],
      ['other', 'angriff_7'],
    ]) {
      const signal = parseGenericEvent({ ...EVENT, source, vector: 'angriff-7' }, { vectorMaps });
      assert.equal(signal.kind === 'detection' && signal.detection.vector, vector);
    }
  });

  test('is about an address, with or without its length, or about a prefix', () => {
    assert.equal(read({ victim_ip: '203.0.113.10/32' }).victim, '203.0.113.10');
    assert.equal(read({ victim_ip: '2001:db8::1/128' }).victim, '2001:db8::1');
    assert.equal(read({ victim_ip: '203.0.113.0/24' }).victim, '203.0.113.0/24');
    assert.equal(read({ victim_ip: null, victim_prefix: '203.0.113.0/24' }).victim, '203.0.113.0/24');
    assert.equal(read({ victim_ip: undefined, victim_prefix: '2001:db8::/56' }).protocol, 17);
    assert.deepEqual(problems({ ...EVENT, victim_ip: undefined, victim_prefix: '203.0.113.1/24' }), [
      'victim_prefix: "203.0.113.1/24" has host bits set; did you mean 203.0.113.0/24?',
    ]);
  });

  test('may name both an address and its prefix, and means the address; others contradict each other', () => {
    const both = read({ victim_prefix: '203.0.113.0/24' });
    assert.equal(both.victim, '203.0.113.10');
    assert.match(both.notes?.[0] ?? '', /victim_prefix 203\.0\.113\.0\/24 ignored/);
    assert.deepEqual(problems({ ...EVENT, victim_prefix: '198.51.100.0/24' }), [
      'victim_prefix: 198.51.100.0/24 contradicts victim_ip 203.0.113.10; give one of them',
    ]);
  });

  test('has a time in any usual form, but zero is not a time', () => {
    const noon = Date.UTC(2026, 0, 15, 12);
    for (const timestamp of [
      '2026-01-15T13:00:00+0100',
      '2026-01-15t12:00:00z',
      noon,
      noon / 1000,
      String(noon / 1000),
    ]) {
      assert.equal(read({ timestamp }).at, noon, String(timestamp));
    }
    assert.equal(read({ timestamp: '0001-01-01T00:00:00Z' }).at, null);
    assert.match(read({ timestamp: 0 }).notes?.[0] ?? '', /timestamp ignored/);
    assert.match(
      problems({ ...EVENT, timestamp: '2026-01-15T12:00:00' })[0] ?? '',
      /^timestamp: must be a time/,
    );
  });

  test('may report source ports and TCP flags', () => {
    assert.deepEqual(read({ top_src_ports: [123, '53', 53] }).traits, { srcPorts: [53, 123] });
    for (const tcp_flags of ['syn,!ack', ['SYN', '!ACK'], 'syn|!ack']) {
      const { traits } = read({ vector: 'syn_flood', tcp_flags });
      assert.deepEqual(traits, { tcpFlags: 0x02, tcpFlagsClear: 0x10 });
    }
    const odd = read({ tcp_flags: 'shiny', top_src_ports: 'ntp' });
    assert.equal(odd.traits, undefined);
    assert.equal(odd.notes?.length, 2);
  });

  test('is about TCP where it names TCP flags and no other protocol', () => {
    const said = { vector: 'weird', tcp_flags: 'syn' };
    assert.equal(read(said).protocol, 6);
    assert.equal(read({ ...said, protocol: 'udp' }).protocol, 17);
    assert.equal(read({ ...said, vector: 'udp_flood' }).protocol, 17);
    assert.equal(read({ vector: 'weird', tcp_flags: 'shiny' }).protocol, null);
  });

  test('that cannot be read leaves a record of itself, cut, which is no event of that id', () => {
    const signal = parseGenericEvent({
      event_id: 'x',
      source: 's'.repeat(500),
      victim_ip: 'v'.repeat(500),
      vector: 'UDP Flood',
      action: 'unban',
      note: 'n'.repeat(100_000),
    });
    assert.ok(signal.kind === 'invalid');
    const { remains } = signal;
    assert.equal(remains?.externalId, null);
    assert.equal(Buffer.byteLength(remains?.source ?? ''), 128);
    assert.equal(Buffer.byteLength(remains?.victim ?? ''), 64);
    assert.deepEqual([remains?.vector, remains?.action], ['udp_flood', 'unban']);
    assert.ok(JSON.stringify(remains).length < 2_000);
  });

  test('goes there and back', () => {
    const detection = read({
      event_id: 'x',
      timestamp: '2026-01-15T12:00:00Z',
      bps: 5,
      top_dst_ports: [1],
      top_src_ports: [53],
      tcp_flags: 'syn,!ack',
      colour: 1,
    });
    const again = parseGenericEvent(JSON.parse(JSON.stringify(toGenericEvent(detection))));
    assert.deepEqual(again, { kind: 'detection', detection });
  });
});
