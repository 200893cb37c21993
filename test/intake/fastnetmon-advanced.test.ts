import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Detection } from '../../src/core/types.ts';
import { parseFastNetMonJson } from '../../src/intake/fastnetmon.ts';
import type { Signal } from '../../src/intake/signal.ts';
import type { VectorMaps } from '../../src/intake/vector-names.ts';

const UUID = '5b0e1d5e-0000-4000-8000-000000000001';

/** A document of a current version: no attack_type, no attack_protocol, the direction in the threshold. */
function document(details: object, rest: object = {}): Record<string, unknown> {
  return {
    action: 'ban',
    alert_scope: 'host',
    ip: '203.0.113.31',
    attack_details: {
      attack_uuid: UUID,
      attack_severity: 'middle',
      attack_detection_threshold_direction: 'incoming',
      ...details,
    },
    ...rest,
  };
}

function detections(json: unknown): readonly Detection[] {
  return parseFastNetMonJson(json).map((signal) => {
    assert.ok(signal.kind === 'detection', JSON.stringify(signal));
    return signal.detection;
  });
}

function detected(json: unknown): Detection {
  const [first, ...rest] = detections(json);
  assert.ok(first !== undefined && rest.length === 0);
  return first;
}

function problems(signals: readonly Signal[]): readonly string[] {
  return signals.flatMap((signal) =>
    signal.kind === 'invalid' ? signal.problems.map(({ path, message }) => `${path}: ${message}`) : [],
  );
}

describe('the direction of an attack', () => {
  const ignored = (details: object): boolean => parseFastNetMonJson(document(details))[0]?.kind === 'ignored';

  test('is in attack_detection_threshold_direction: what our host sends is no attack on it', () => {
    assert.ok(ignored({ attack_detection_threshold_direction: 'outgoing' }));
    for (const word of ['Outgoing', ' outgoing ', 'out', 'outbound', 'egress']) {
      assert.ok(ignored({ attack_detection_threshold_direction: word }), word);
    }
  });

  test('is in the older attack_direction where the newer field says nothing, and only there', () => {
    const unknown = { attack_detection_threshold_direction: 'unknown' };
    assert.ok(ignored({ ...unknown, attack_direction: 'outgoing' }));
    assert.ok(!ignored({ ...unknown, attack_direction: 'incoming' }));
    assert.ok(!ignored({ attack_direction: 'outgoing' }), 'the threshold says incoming');
    assert.ok(!ignored(unknown), 'an attack of unknown direction is an attack');
  });

  test('is that of the flexible thresholds where those found it', () => {
    const flexible = (incoming: boolean, outgoing: boolean): object => ({
      attack_detection_threshold_direction: 'unknown',
      attack_detection_flexible_thresholds_detailed: { dns: { incoming, outgoing } },
    });
    assert.ok(ignored(flexible(false, true)));
    assert.ok(!ignored(flexible(true, true)));
  });

  test('matters for networks, rules and ends, too', () => {
    const details = { attack_detection_threshold_direction: 'outgoing' };
    for (const rest of [
      { action: 'unban' },
      { alert_scope: 'hostgroup', hostgroup_networks: ['203.0.113.0/24'] },
      { action: 'partial_block', flow_spec_rules: [{ protocols: ['udp'] }] },
    ]) {
      assert.deepEqual(
        parseFastNetMonJson(document(details, rest)).map(({ kind }) => kind),
        ['ignored'],
        JSON.stringify(rest),
      );
    }
  });
});

describe('an attack without a name is classified by its counters', () => {
  const kind = (details: object): readonly [string, number | null] => {
    const { vector, protocol } = detected(document(details));
    return [vector, protocol];
  };

  test('by the protocol of nine tenths of the packets', () => {
    const total_incoming_pps = 900_000;
    assert.deepEqual(kind({ total_incoming_pps, incoming_udp_pps: 895_000 }), ['udp_flood', 17]);
    assert.deepEqual(kind({ total_incoming_pps, incoming_icmp_pps: 810_000 }), ['icmp_flood', 1]);
    assert.deepEqual(kind({ total_incoming_pps, incoming_udp_pps: 809_000 }), ['unknown', null]);
    assert.deepEqual(kind({ total_incoming_pps }), ['unknown', null]);
    assert.deepEqual(kind({}), ['unknown', null]);
  });

  test('TCP by how much of it is SYN', () => {
    const tcp = { total_incoming_pps: 100_000, incoming_tcp_pps: 99_000 };
    assert.deepEqual(kind({ ...tcp, incoming_syn_tcp_pps: 98_000 }), ['syn_flood', 6]);
    assert.deepEqual(kind({ ...tcp, incoming_syn_tcp_pps: 100 }), ['ack_flood', 6]);
    assert.deepEqual(kind(tcp), ['tcp_flood', 6], 'without the SYN counter only the protocol is known');
  });

  test('fragments before their protocol, because later fragments have no ports', () => {
    const counters = { total_incoming_pps: 100, incoming_udp_pps: 100, incoming_ip_fragmented_pps: 95 };
    assert.deepEqual(kind(counters), ['ip_fragmentation', null]);
  });

  test('by the traffic where packets are not counted', () => {
    assert.deepEqual(kind({ total_incoming_traffic: 1000, incoming_udp_traffic: 990 }), ['udp_flood', 17]);
  });

  test('numbers as text are numbers', () => {
    const counters = { total_incoming_pps: '900000', incoming_udp_pps: ' 895000 ' };
    const detection = detected(document({ ...counters, total_incoming_traffic: '500000000' }));
    assert.equal(detection.vector, 'udp_flood');
    assert.equal(detection.pps, 900_000);
    assert.equal(detection.bps, 4_000_000_000);
  });

  test('an invalid number is ignored, and the victim is protected', () => {
    const detection = detected(document({ total_incoming_pps: 'NaN', incoming_udp_pps: 7 }));
    assert.equal(detection.pps, null);
    assert.deepEqual(detection.notes, ['total_incoming_pps ignored: "NaN" is not a number']);
    assert.equal(detection.vector, 'udp_flood');
  });

  test("FastNetMon's own word comes first: the attack's name, then its protocol", () => {
    const counters = { total_incoming_pps: 100, incoming_udp_pps: 100 };
    assert.deepEqual(kind({ ...counters, attack_type: 'dns_amplification' }), ['dns_amplification', 17]);
    const unknown = { ...counters, attack_type: 'unknown' };
    assert.deepEqual(kind({ ...unknown, attack_protocol: 'tcp' }), ['unknown', 6]);
    assert.deepEqual(kind({ ...unknown, attack_protocol: 'udp' }), ['udp_flood', 17]);
  });
});

describe('the name of an attack', () => {
  const kind = (attack_type: string, maps?: VectorMaps): string => {
    const [signal] = parseFastNetMonJson(
      document({ attack_type, total_incoming_pps: 10, incoming_udp_pps: 10 }),
      maps,
    );
    assert.ok(signal?.kind === 'detection');
    return signal.detection.vector;
  };

  test('is read by the aliases of vectors and by the vector map', () => {
    assert.equal(kind('DNS Amplification'), 'dns_amplification');
    assert.equal(kind('ip_fragmentation_flood'), 'ip_fragmentation');
    const maps = new Map([['fastnetmon', new Map([['Type 7', 'my_flood']])]]);
    assert.equal(kind('Type 7', maps), 'my_flood');
  });

  test('that says nothing leaves it to the counters', () => {
    for (const name of ['unknown', 'none', 'something_new']) assert.equal(kind(name), 'udp_flood', name);
  });
});

describe('the hold of an attack', () => {
  test("is under the attack's uuid, until it is released", () => {
    const { hold, alertId, externalId, anyVector } = detected(document({}));
    assert.deepEqual([hold, alertId, externalId, anyVector], ['until_released', UUID, UUID, undefined]);
    const end = detected(document({}, { action: 'unban' }));
    assert.deepEqual([end.hold, end.alertId, end.action], ['until_released', UUID, 'unban']);
    assert.equal(end.anyVector, undefined, 'it names its ban');
  });

  test('is extended by what reports that the attack continues', () => {
    for (const action of ['ongoing', 'attack_status']) {
      const { externalId, alertId, ...detection } = detected(document({}, { action }));
      assert.deepEqual([detection.action, externalId, alertId], ['ban', null, UUID], action);
    }
  });

  test('without a uuid is of any vector: FastNetMon bans a host once', () => {
    for (const attack_uuid of [undefined, '', '00000000-0000-0000-0000-000000000000']) {
      const ban = detected(document({ attack_uuid }));
      assert.equal(ban.alertId, undefined);
      assert.equal(ban.externalId, null);
      assert.equal(detected(document({ attack_uuid }, { action: 'unban' })).anyVector, true);
    }
  });
});

describe('the victim of an attack', () => {
  const victim = (ip: string): string => detected(document({}, { ip })).victim;

  test('may be written with a length', () => {
    assert.equal(victim('203.0.113.5/32'), '203.0.113.5');
    assert.equal(victim(' 203.0.113.5 '), '203.0.113.5');
    assert.equal(victim('203.0.113.0/24'), '203.0.113.0/24');
    assert.equal(victim('203.0.113.5/24'), '203.0.113.5', 'a host in its network');
    assert.equal(victim('2001:DB8::5/128'), '2001:db8::5');
    assert.equal(victim('2001:db8::/56'), '2001:db8::/56');
  });

  test('is reported with its place', () => {
    for (const ip of ['host', '203.0.113.5/33', '203.0.113.5/', '203.0.113.5/24/24', '']) {
      assert.deepEqual(problems(parseFastNetMonJson(document({}, { ip }))), [
        'ip: must be an IPv4 or IPv6 address',
      ]);
    }
  });
});

describe('an alarm about a group', () => {
  const group = (rest: object): Record<string, unknown> =>
    document(
      { total_incoming_pps: 2_400_000, incoming_udp_pps: 2_380_000 },
      { ip: undefined, alert_scope: 'hostgroup', hostgroup_name: 'customers', ...rest },
    );

  test('is about each of its networks, which are held and end one by one', () => {
    const networks = ['203.0.113.0/24', '2001:db8:1::/48', '198.51.100.7/32'];
    const victims = ['203.0.113.0/24', '2001:db8:1::/48', '198.51.100.7'];
    for (const action of ['ban', 'unban']) {
      const found = detections(group({ action, hostgroup_networks: networks }));
      assert.deepEqual(
        found.map((one) => [one.action, one.victim, one.vector, one.alertId]),
        victims.map((one) => [action, one, 'udp_flood', `${UUID}/${one}`]),
      );
      assert.equal(
        new Set(found.map(({ externalId }) => externalId)).size,
        3,
        'none is a duplicate of another',
      );
    }
  });

  test('reads the networks as FastNetMon takes them, with host bits', () => {
    assert.equal(detected(group({ hostgroup_networks: ['203.0.113.44/24'] })).victim, '203.0.113.0/24');
  });

  test('is never dropped: without a network it is refused with a reason, and a bad one does not hide the others', () => {
    for (const rest of [{}, { hostgroup_networks: [] }, { alert_scope: 'total' }]) {
      const [problem = ''] = problems(parseFastNetMonJson(group(rest)));
      assert.match(problem, /^hostgroup_networks: names no network of host group customers/);
    }
    const signals = parseFastNetMonJson(group({ hostgroup_networks: ['nowhere', '203.0.113.0/24'] }));
    assert.deepEqual(problems(signals), ['hostgroup_networks[0]: must be an IPv4 or IPv6 prefix']);
    assert.equal(signals[1]?.kind, 'detection');
  });

  test('of another kind names its network where others name their host', () => {
    for (const rest of [
      { alert_scope: 'subnet', ip: '203.0.113.0/24' },
      { alert_scope: 'network', network: '203.0.113.0/24' },
      { alert_scope: undefined, hostgroup_networks: ['203.0.113.0/24'] },
      { hostgroup_networks: '203.0.113.0/24' },
    ]) {
      assert.equal(detected(group(rest)).victim, '203.0.113.0/24', JSON.stringify(rest));
    }
  });

  test('of very many networks says how many were not read', () => {
    const networks = Array.from({ length: 300 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
    const signals = parseFastNetMonJson(group({ hostgroup_networks: networks }));
    assert.equal(signals.filter(({ kind }) => kind === 'detection').length, 256);
    assert.deepEqual(problems(signals), ['hostgroup_networks: has 300 entries; only the first 256 are read']);
  });
});

describe('the rules of a partial block', () => {
  const block = (rules: readonly unknown[], rest: object = {}): Record<string, unknown> =>
    document(
      { total_incoming_pps: 100, incoming_udp_pps: 95 },
      { action: 'partial_block', flow_spec_rules: rules, ...rest },
    );

  test('are used: protocols, ports, flags, fragmentation and packet lengths', () => {
    const rules = [
      { protocols: ['udp'], destination_ports: [443, '53'], source_ports: [5353, 53] },
      { protocols: ['tcp'], tcp_flags: ['syn'], packet_lengths: [40, 41, 1500], action_type: 'discard' },
      { protocols: ['udp'], fragmentation_flags: ['is-fragment', 'last-fragment'] },
      { protocols: ['icmp'], action_type: 'rate-limit', action: { rate: 1024 } },
      { protocols: ['udp'], source_ports: [123] },
      { destination_prefix: '203.0.113.0/24', protocols: ['gre'] },
    ];
    assert.deepEqual(
      detections(block(rules)).map(({ victim, vector, protocol, ports, traits }) => ({
        victim,
        vector,
        protocol,
        ports,
        traits,
      })),
      [
        { vector: 'udp_flood', protocol: 17, ports: [53, 443], traits: { srcPorts: [53, 5353] } },
        {
          vector: 'syn_flood',
          protocol: 6,
          ports: [],
          traits: {
            tcpFlags: 0x02,
            packetLengths: [
              [40, 41],
              [1500, 1500],
            ],
          },
        },
        { vector: 'ip_fragmentation', protocol: 17, ports: [], traits: { fragments: true } },
        { vector: 'icmp_flood', protocol: 1, ports: [], traits: undefined },
        { vector: 'ntp_amplification', protocol: 17, ports: [], traits: { srcPorts: [123] } },
        { vector: 'gre_flood', protocol: 47, ports: [], traits: undefined, victim: '203.0.113.0/24' },
      ].map((one) => ({ victim: '203.0.113.31', ...one })),
    );
  });

  test('are held one by one, and partial_unblock ends its own', () => {
    const [udp, icmp] = [{ protocols: ['udp'], destination_ports: [80, 53] }, { protocols: ['icmp'] }];
    const [first, second] = detections(block([udp, icmp]));
    assert.notEqual(first?.alertId, second?.alertId);
    assert.ok(first?.alertId?.startsWith(`${UUID}/`) === true);
    assert.equal(first?.externalId, null, 'the same rule again extends what it led to');
    const reordered = { destination_ports: [53, 80], protocols: ['udp'] };
    const end = detected(block([reordered], { action: 'partial_unblock' }));
    assert.deepEqual([end.action, end.alertId, end.withParts], ['unban', first?.alertId, undefined]);
  });

  test('are all over when partial_unblock names none of them', () => {
    const end = detected(block([], { action: 'partial_unblock' }));
    assert.deepEqual([end.action, end.alertId, end.withParts], ['unban', UUID, true]);
  });

  test('about several protocols or alternative flags have a part for each', () => {
    const rule = { protocols: ['tcp', 'udp'], destination_ports: [53] };
    assert.deepEqual(
      detections(block([rule])).map(({ protocol, ports }) => [protocol, ports]),
      [
        [6, [53]],
        [17, [53]],
      ],
    );
    const flags = detections(block([{ tcp_flags: ['syn', 'syn|ack', 'ack|push'] }]));
    assert.deepEqual(
      flags.map(({ protocol, vector, traits }) => [protocol, vector, traits?.tcpFlags]),
      [
        [6, 'syn_flood', 0x02],
        [6, 'ack_flood', 0x18],
      ],
      'what asks for SYN and ACK is within what asks for SYN',
    );
  });

  test('that cannot be used are reported, and do not hide the others', () => {
    const rules = [
      { protocols: ['quick'] },
      { destination_ports: ['http'] },
      { destination_ports: [70_000] },
      { protocols: ['udp'], tcp_flags: ['syn'] },
      { protocols: ['icmp'], destination_ports: [53] },
      { fragmentation_flags: ['sometimes'] },
      { packet_lengths: [-1] },
      { destination_prefix: '203.0.113.0/40' },
      { source_prefix: '198.51.100.0/24', ttls: [3] },
      'drop it',
      { protocols: ['udp'] },
    ];
    const signals = parseFastNetMonJson(block(rules));
    assert.deepEqual(problems(signals), [
      'flow_spec_rules[0].protocols: "quick" is not a known protocol',
      'flow_spec_rules[1].destination_ports: "http" is not a whole number from 0 to 65535',
      'flow_spec_rules[2].destination_ports: "70000" is not a whole number from 0 to 65535',
      'flow_spec_rules[3].tcp_flags: belongs to a protocol other than TCP',
      'flow_spec_rules[4].protocols: has a protocol without ports in a rule that names ports',
      'flow_spec_rules[5].fragmentation_flags: "sometimes" is not a known fragmentation flag',
      'flow_spec_rules[6].packet_lengths: "-1" is not a whole number from 0 to 65535',
      'flow_spec_rules[7].destination_prefix: must be an IPv4 or IPv6 prefix',
      'flow_spec_rules[8]: matches only by source_prefix, ttls, which cannot be used',
      'flow_spec_rules[9]: must be an object',
    ]);
    assert.equal(signals.filter(({ kind }) => kind === 'detection').length, 1);
  });

  test('that block nothing are ignored with a reason', () => {
    const [signal] = parseFastNetMonJson(block([{ protocols: ['udp'], action_type: 'accept' }]));
    assert.deepEqual(signal, { kind: 'ignored', why: 'a rule with action_type accept blocks nothing' });
  });

  test('say which criteria are ignored, and differ by them', () => {
    const from = (source_prefix: string): object => ({ protocols: ['udp'], source_prefix });
    const [first, second] = detections(block([from('198.51.100.1/32'), from('198.51.100.2/32')]));
    assert.deepEqual(first?.notes, ['source_prefix ignored: reports have no such field']);
    assert.notEqual(first?.alertId, second?.alertId, 'each has a hold of its own');
  });

  test('with a list of packet lengths that no rule could hold are read without it, and say so', () => {
    const lengths = Array.from({ length: 30_000 }, (_, i) => 2 * i + 1);
    const rules = [{ protocols: ['udp'], packet_lengths: lengths }, { packet_lengths: lengths }];
    const [udp, lengthsOnly] = parseFastNetMonJson(
      document({}, { action: 'partial_block', flow_spec_rules: rules }),
    );
    assert.ok(udp?.kind === 'detection' && lengthsOnly !== undefined);
    assert.equal(udp.detection.traits?.packetLengths, undefined);
    assert.match(udp.detection.notes?.join() ?? '', /packet_lengths ignored/);
    assert.match(problems([lengthsOnly]).join(), /flow_spec_rules\[1\].*packet_lengths/);
  });

  test('that name every protocol are bounded in number, one by one and all together', () => {
    const rule = { protocols: Array.from({ length: 256 }, (_, i) => i) };
    const signalsOf = (rules: readonly unknown[]) =>
      parseFastNetMonJson(document({}, { action: 'partial_block', flow_spec_rules: rules }));
    const one = signalsOf([rule]);
    assert.equal(one.length, 65);
    assert.match(problems(one).join(), /flow_spec_rules\[0\]: is about 256 combinations/);
    const many = signalsOf(Array.from({ length: 256 }, () => rule));
    assert.ok(many.length < 400, `${many.length} signals`);
    assert.match(problems(many).join(), /flow_spec_rules: has 256 entries; only the first 4 are read/);
  });

  test('about what the host sends are no rule towards it', () => {
    const signals = (rule: object) =>
      parseFastNetMonJson(document({}, { action: 'partial_block', flow_spec_rules: [rule] }));
    const sent = { source_prefix: '203.0.113.31/32', destination_prefix: '', protocols: ['udp'] };
    assert.deepEqual(
      signals(sent).map(({ kind }) => kind),
      ['ignored'],
    );
    const received = { ...sent, source_prefix: '198.51.100.0/24' };
    assert.deepEqual(
      signals(received).map(({ kind }) => kind),
      ['detection'],
    );
  });

  test('alone are a list of one', () => {
    const rule = { protocols: ['tcp'], destination_ports: [443] };
    const { protocol, ports } = detected(document({}, { action: 'partial_block', flow_spec_rules: rule }));
    assert.deepEqual([protocol, ports], [6, [443]]);
  });

  test('with more ports than a detection has room for are about no particular port', () => {
    const ports = Array.from({ length: 65 }, (_, i) => i + 1);
    const { ports: named, traits } = detected(
      block([{ protocols: ['udp'], destination_ports: ports, source_ports: ports }]),
    );
    assert.deepEqual([named, traits], [[], undefined]);
  });
});

describe('a packet dump of a megabyte', () => {
  const line =
    '2018-12-15 19:16:39.376373 127.0.0.10:0 > 127.0.0.1:8842 protocol: tcp flags: rst,ack frag: 0';

  test('is evidence, of which the beginning is kept', () => {
    const packet_dump = Array.from({ length: 10_000 }, () => line);
    const packet_dump_detailed = packet_dump.map(() => ({ source_ip: '127.0.0.10', tcp_flags: 'rst,ack' }));
    const { details, vector } = detected(
      document({ total_incoming_pps: 10, incoming_udp_pps: 10 }, { packet_dump, packet_dump_detailed }),
    );
    assert.equal(vector, 'udp_flood');
    const text = JSON.stringify(details);
    assert.ok(text.length < 16_384, `${text.length} characters are kept`);
    assert.match(text, /2018-12-15/);
    assert.match(text, /\(10000 entries\)/);
    assert.match(text, /"attack_uuid"/);
  });

  test('may be one text', () => {
    const { details } = detected(document({}, { packet_dump: line.repeat(10_000) }));
    assert.match(String(details.packet_dump), /^2018-12-15.*\(\d{6} characters\)$/);
    assert.ok(String(details.packet_dump).length < 600);
  });
});
