import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { type Attack, choosePlaybook } from '../../src/core/decide/ban.ts';
import { assemblePolicy } from '../../src/core/policy/assemble-policy.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import {
  type PlaybookData,
  type PlaybooksData,
  playbooksSchema,
  type StepData,
} from '../../src/core/policy/playbook-schema.ts';
import { KNOWN_VECTORS } from '../../src/core/policy/vectors.ts';
import { World } from './scenario.ts';

const STEPS: readonly StepData[] = [{ action: 'discard' }];

function book(name: string, match: Omit<PlaybookData['match'], 'vector'> = {}): PlaybookData {
  return { name, match: { vector: 'udp_flood', ...match }, steps: STEPS };
}

function chosen(playbooks: readonly PlaybookData[], attack: Partial<Attack> = {}, rest: PlaybooksData = {}) {
  const set = buildPlaybooks({ ...rest, playbooks }).playbooks;
  return choosePlaybook(set, {
    vector: 'udp_flood',
    source: 'fnm',
    protocol: 17,
    bps: null,
    pps: null,
    confidence: null,
    ports: [],
    customerId: 'acme',
    profile: 'normal',
    ...attack,
  });
}

/** What the schema refuses, then what does not fit together. */
function problemsOf(...playbooks: unknown[]): readonly string[] {
  const source = { kind: 'playbooks', name: 'playbooks.yaml', data: { playbooks } } as const;
  const { playbooks: parts, problems } = assemblePolicy(undefined, [source]);
  return [
    ...parts.flatMap(({ issues }) => issues.map(({ path }) => `invalid ${path.join('.')}`)),
    ...problems.map(({ path, message, severity }) => `${severity} ${path.join('.')}: ${message}`),
  ];
}

describe('a playbook is chosen', () => {
  test('by vector, in the order of the file', () => {
    assert.equal(chosen([book('first'), book('second')]).playbook?.name, 'first');
    assert.equal(chosen([book('first')], { vector: 'syn_flood' }).playbook, undefined);
  });

  test('by source and protocol before those that name none', () => {
    const books = [
      book('any'),
      book('by-protocol', { protocol: 'udp' }),
      book('by-source', { source: 'fnm' }),
    ];
    assert.equal(chosen(books).playbook?.name, 'by-source');
    assert.equal(chosen(books, { source: 'other' }).playbook?.name, 'by-protocol');
    assert.equal(chosen(books, { source: 'other', protocol: null }).playbook?.name, 'any');
  });

  test('by customer and profile', () => {
    const books = [
      book('any'),
      book('acme', { customer: ['acme', 'bob'] }),
      book('strict', { profile: 'strict' }),
    ];
    assert.equal(chosen(books).playbook?.name, 'acme');
    assert.equal(chosen(books, { customerId: 'x', profile: 'strict' }).playbook?.name, 'strict');
    assert.equal(chosen(books, { customerId: null }).playbook?.name, 'any');
  });

  test('by minimum values, and says which was missed', () => {
    const books = [
      book('huge', { min_bps: 1e9 }),
      book('fast', { min_pps: 1e6 }),
      book('sure', { min_confidence: 0.5 }),
    ];
    assert.equal(chosen(books, { bps: 1e9 }).playbook?.name, 'huge');
    assert.equal(chosen(books, { pps: 1e6 }).playbook?.name, 'fast');
    assert.equal(chosen(books, { confidence: 0.5 }).playbook?.name, 'sure');
    const none = chosen(books, { bps: 1e6, pps: 10 });
    assert.equal(none.playbook, undefined);
    assert.deepEqual(none.why, [
      'playbook huge does not apply: it needs at least 1 Gbit/s; the event has 1 Mbit/s',
      'playbook fast does not apply: it needs at least 1000000 packets/s; the event has 10',
      'playbook sure does not apply: it needs confidence >= 0.5; the event has none',
      'no playbook matches this udp_flood, and there is no default playbook',
    ]);
  });

  test('only for events with ports where it requires them', () => {
    const books = [book('ports', { require_top_ports: true }), book('any')];
    assert.equal(chosen(books).playbook?.name, 'any');
    assert.equal(chosen(books, { ports: [80] }).playbook?.name, 'ports');
  });

  test('by default when there is none else', () => {
    const rest = { default_playbook: { steps: STEPS } };
    assert.equal(chosen([book('udp')], { vector: 'new_thing' }, rest).playbook?.name, 'default');
  });
});

describe('reading playbooks', () => {
  test('finds every mistake and says where', () => {
    assert.deepEqual(
      problemsOf(
        { name: 'none', match: { vector: [] }, steps: [] },
        { name: 'a', match: { vector: 'UDP' }, steps: STEPS },
        {
          name: 'a',
          match: { vector: 'udp_flood', protocol: 'avian' },
          steps: [
            { action: 'police', require_persistence_seconds: 5 },
            { action: 'police', rate_bps: 0 },
          ],
        },
        {
          name: 'b'.repeat(129),
          match: { vector: 'udp_flood' },
          steps: [{ action: 'discard', match: { tcp_flags: 'syn' } }],
        },
      ),
      [
        'invalid playbooks.0.match.vector',
        'invalid playbooks.0.steps',
        'error playbooks.1.match.vector: "UDP" is not a vector: 1 to 64 of a-z, 0-9 and underscore',
        'error playbooks.2.match.protocol: "avian" is not a protocol: a number 0 to 255, or tcp, udp, icmp, icmpv6, gre, sctp',
        'error playbooks.2.steps.0.rate_bps: police needs rate_bps above 0 (bits a second); to drop all use discard',
        'error playbooks.2.steps.0.require_persistence_seconds: the first step applies at once: take this key out',
        'error playbooks.2.steps.1.rate_bps: police needs rate_bps above 0 (bits a second); to drop all use discard',
        'error playbooks.2.name: the name "a" is used twice',
        "error playbooks.3.name: a playbook's name has 1 to 128 characters",
        'error playbooks.3.steps.0.match.tcp_flags: tcp_flags fit TCP only, and this playbook is for another protocol',
      ],
    );
  });

  test('refuses values out of their range, and takes those at its ends', () => {
    const steps = (more: object): readonly object[] => [
      { action: 'discard' },
      { action: 'police', rate_bps: 1, ...more },
    ];
    const refused: readonly (readonly [path: string, playbook: object])[] = [
      ['name', { ...book('a'), name: '' }],
      ['match.min_bps', book('a', { min_bps: -1 })],
      ['match.min_pps', book('a', { min_pps: -1 })],
      ['match.min_confidence', book('a', { min_confidence: 2 })],
      ['match.protocol', book('a', { protocol: 256 })],
      ...[
        ['rate_bps', -1],
        ['rate_bps', Number.POSITIVE_INFINITY],
        ['whole_host_rate_bps', 0],
        ['ttl_seconds', 0],
        ['ttl_seconds', 1.5],
        ['ttl_seconds', 86_401],
        ['require_confidence_at_least', 1.1],
        ['require_persistence_seconds', -1],
      ].map(
        ([key, value]) => [`steps.1.${key}`, { ...book('a'), steps: steps({ [`${key}`]: value }) }] as const,
      ),
      ['steps.1.match.src_prefix', { ...book('a'), steps: steps({ match: { src_prefix: '9.0.0.1/8' } }) }],
    ];
    for (const [path, playbook] of refused) {
      assert.ok(problemsOf(playbook).includes(`invalid playbooks.0.${path}`), path);
    }
    const least = { ttl_seconds: 1, require_confidence_at_least: 0, require_persistence_seconds: 0 };
    const most = { ttl_seconds: 86_400, require_confidence_at_least: 1 };
    for (const more of [least, most]) assert.deepEqual(problemsOf({ ...book('a'), steps: steps(more) }), []);
  });

  test("takes upstream's correlation overrides with a warning", () => {
    const problems = problemsOf({ ...book('a'), correlation: { min_sources: 2 } });
    assert.deepEqual(
      problems.map((text) => text.split(':')[0]),
      ['warning playbooks.0.correlation'],
    );
  });

  test('a step without a match keeps the one before it', () => {
    const steps: StepData[] = [
      { action: 'police', rate_bps: 1, match: { packet_length: ['100-200', 300] } },
      { action: 'discard' },
    ];
    const set = buildPlaybooks({ playbooks: [{ ...book('a'), steps }] }).playbooks;
    const lengths = set.byName.get('a')?.steps.map((step) => step.refinement.packetLengths);
    assert.deepEqual(lengths?.[0], [
      [100, 200],
      [300, 300],
    ]);
    assert.deepEqual(lengths?.[1], lengths?.[0]);
  });

  test('2013-03-03, packet lengths that no packet has exhausted router memory: refused', () => {
    const steps = [{ action: 'discard', match: { packet_length: '99971-99985' } }];
    assert.deepEqual(problemsOf({ ...book('a'), steps }), [
      'error playbooks.0.steps.0.match.packet_length: 99971-99985 is not within 20 to 65535',
    ]);
  });
});

describe('refinements', () => {
  const world = (steps: StepData[], vector: string, guardrails = {}) =>
    new World({ playbooks: { playbooks: [{ name: 'p', match: { vector }, steps }] }, guardrails });

  test('narrow the rule: TCP flags, packet lengths, source ports', () => {
    const match = { tcp_flags: 'syn,!ack', packet_length: '40-60', src_ports: [80, '1000-2000'] };
    const rule = world([{ action: 'discard', match }], 'syn_flood').attack({
      vector: 'syn_flood',
      ports: [22],
    });
    assert.equal(rule.match.tcpFlags, 0x02);
    assert.equal(rule.match.tcpFlagsClear, 0x10);
    assert.deepEqual(rule.match.packetLengths, [[40, 60]]);
    assert.deepEqual(rule.match.srcPorts, [
      [80, 80],
      [1000, 2000],
    ]);
    assert.deepEqual(rule.match.dstPorts, [[22, 22]]);
  });

  test('to fragments: no ports, and never a discard where ports are allowed', () => {
    const discard = world([{ action: 'discard', match: { fragments: true } }], 'ip_fragmentation');
    const rule = discard.attack({ vector: 'ip_fragmentation', ports: [80] });
    assert.equal(rule.match.fragments, true);
    assert.deepEqual(rule.match.dstPorts, []);
    const answer = discard.event({ vector: 'ip_fragmentation', victim: '203.0.113.10' });
    assert.equal(answer.status, 'accepted_no_mitigation');
    assert.match(discard.why, /fragments carry no ports, so the allowed port 53 cannot be spared/);
  });

  test('by source prefix only where the guardrails allow it, and of the same family', () => {
    const steps: StepData[] = [{ action: 'discard', match: { src_prefix: '9.0.0.0/8' } }];
    assert.equal(world(steps, 'udp_flood').event({}).refusal, 'rule_too_broad');
    const allowed = world(steps, 'udp_flood', { allowSrcPrefixMatch: true });
    assert.equal(allowed.attack({}).match.srcPrefix, '9.0.0.0/8');
    const other = allowed.event({ victim: '2001:db8:acd::1' });
    assert.equal(other.status, 'accepted_no_mitigation');
    assert.match(allowed.why, /matches an IPv4 source, the victim is IPv6/);
  });

  test('that no packet of the attack could meet make no rule', () => {
    const steps: StepData[] = [{ action: 'discard', match: { tcp_flags: 'syn' } }];
    const odd = world(steps, 'strange');
    assert.equal(odd.event({ vector: 'strange', protocol: 17 }).status, 'accepted_no_mitigation');
    assert.equal(odd.event({ vector: 'strange', protocol: 6 }).status, 'accepted');
  });
});

describe('the playbooks that ship', () => {
  const folder = new URL('../../playbooks/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  const all: PlaybooksData[] = files.map((name) => parse(readFileSync(new URL(name, folder), 'utf8')));
  const data: PlaybooksData = {
    playbooks: all.flatMap(({ playbooks }) => playbooks ?? []),
    default_playbook: all.find((one) => one.default_playbook !== undefined)?.default_playbook,
  };

  test('load without a problem, each file and all together', () => {
    assert.ok(files.length >= 12);
    for (const one of [...all, data]) {
      assert.deepEqual(playbooksSchema.safeParse(one).error, undefined);
      assert.deepEqual(buildPlaybooks(one).problems, []);
    }
  });

  test('answer every known vector, in both families', () => {
    const world = new World({ playbooks: data, quotas: { maxActivePerCustomer: 100 } });
    world.policy = { ...world.policy, quotas: { ...world.policy.quotas, maxNewPerMinute: 1000 } };
    for (const vector of KNOWN_VECTORS) {
      for (const victim of ['203.0.113.10', '203.0.113.50', '2001:db8:acd::9']) {
        assert.notEqual(
          world.event({ vector, victim }).mitigation,
          null,
          `${vector} at ${victim}: ${world.why}`,
        );
      }
    }
  });

  test('never discard ICMPv6', () => {
    const world = new World({ playbooks: data });
    const victim = '2001:db8:acd::9';
    const { id } = world.attack({ vector: 'icmp_flood', victim, confidence: 1 });
    for (let i = 0; i < 10; i++) world.wait(60).event({ vector: 'icmp_flood', victim, confidence: 1 });
    assert.equal(world.get(id).action.type, 'police');
  });
});
