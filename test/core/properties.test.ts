/** Properties that hold whatever detectors, operators, reloads, clocks and restarts do. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isActive } from '../../src/core/state/indices.ts';
import { DISCARD } from '../../src/core/action.ts';
import type { Command } from '../../src/core/commands.ts';
import { initialState, restoreState } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { overlaps, knownPrefix } from '../../src/net/prefix.ts';
import { EXCHANGE, ended, importedId, version } from './intents.ts';
import { ALICE, detection, FNM, policyOf, prefix, World } from './scenario.ts';
import { visible } from './visible.ts';

const VICTIMS = [
  '203.0.113.10',
  '203.0.113.12',
  '203.0.113.20',
  '203.0.113.50',
  '2001:db8:acd::1',
  '198.51.100.1',
  '192.0.2.1',
  '8.8.8.8',
];
const PREFIXES = ['203.0.113.0/24', '203.0.113.50/32', '2001:db8::/32', '198.51.100.0/25'];
const VECTORS = ['udp_flood', 'syn_flood', 'ack_flood', 'icmp_flood', 'dns_amplification', 'unknown'];

const QUOTAS = { maxActivePerCustomer: 3, maxActivePerPop: 4, maxActiveGlobal: 4, maxNewPerMinute: 4 };
const WIDE = { dstPrefixMinLen: 24, dstPrefixMinLenV6: 56 };
const BASE = { quotas: QUOTAS, exchange: EXCHANGE };
const POLICIES = [
  policyOf({ ...BASE, guardrails: WIDE, aggregation: { hosts: 2 } }),
  policyOf(BASE),
  policyOf({ ...BASE, mode: 'dry-run' }),
  policyOf({ ...BASE, safelist: ['203.0.113.20/32'] }),
  policyOf({ ...BASE, exchange: { accept: ['fra1'], maxImportedPerPop: 2 } }),
  policyOf({
    quotas: QUOTAS,
    playbooks: { default_playbook: { steps: [{ action: 'police', rate_bps: 1e6 }, { action: 'discard' }] } },
  }),
];

type Deed =
  | { readonly do: 'command'; readonly command: Command }
  | { readonly do: 'mitigation'; readonly which: number; readonly how: 'withdraw' | 'confirm-ended' }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'policy'; readonly which: number }
  | { readonly do: 'restart' };

const port = fc.constantFrom(53, 80, 123, 179, 443, 8080);
const event = fc
  .record({
    victim: fc.constantFrom(...VICTIMS),
    vector: fc.constantFrom(...VECTORS),
    ports: fc.uniqueArray(port, { maxLength: 4 }).map((ports) => ports.sort((a, b) => a - b)),
    confidence: fc.constantFrom(null, 0.5, 0.95),
    source: fc.constantFrom('a', 'b'),
    hold: fc.constantFrom('until_ttl' as const, 'until_released' as const),
    id: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
    action: fc.constantFrom('ban' as const, 'ban' as const, 'ban' as const, 'unban' as const),
  })
  .map(({ id, ...options }): Deed => {
    const named = id === undefined ? options : { ...options, id };
    return { do: 'command', command: { type: 'event', detection: detection(named), actor: FNM } };
  });
const operator = fc
  .constantFrom<Command['type']>(
    'withdraw-all',
    'safelist-add',
    'safelist-remove',
    'pause',
    'resume',
    'mitigate',
  )
  .chain((type) =>
    fc.record({
      type: fc.constant(type),
      prefix: fc.constantFrom(...PREFIXES),
      victim: fc.constantFrom(...VICTIMS),
      ttl: fc.constantFrom(10, 60, 600, 9999),
    }),
  )
  .map(
    ({ type, prefix: text, victim, ttl }): Deed => ({
      do: 'command',
      command: commandOf(type, text, victim, ttl),
    }),
  );

function commandOf(type: Command['type'], text: string, victim: string, ttlSeconds: number): Command {
  const by = { actor: ALICE, reason: 'because' };
  switch (type) {
    case 'safelist-add':
    case 'safelist-remove':
      return { type, prefix: text, ...by };
    case 'pause':
    case 'resume':
    case 'withdraw-all':
      return { type, ...by };
    default: {
      const action = { type: 'discard', rateBps: null } as const;
      return { type: 'mitigate', victim, protocol: 17, ports: [], action, ttlSeconds, ...by };
    }
  }
}

/** Statements of other POPs, in any order: true, repeated, outdated, contradictory and forbidden ones. */
const imported = fc
  .record({
    pop: fc.constantFrom('ams1', 'ams1', 'fra1', 'sin1', 'iad1'),
    epoch: fc.integer({ min: 1, max: 2 }),
    n: fc.integer({ min: 1, max: 12 }),
    which: fc.integer({ min: 1, max: 5 }),
    other: fc.option(fc.constantFrom(...VICTIMS), { nil: undefined, freq: 6 }),
    ports: fc.constantFrom<readonly number[]>([], [53], [8080], [179], [8080, 8081]),
    action: fc.constantFrom('police' as const, 'discard' as const),
    step: fc.integer({ min: 0, max: 1 }),
    pops: fc.constantFrom<readonly string[]>(['*'], ['*'], ['ams1', 'iad1'], ['fra1']),
    seconds: fc.integer({ min: -5, max: 3000 }),
    end: fc.constantFrom(null, null, null, 'withdrawn' as const, 'expired' as const),
  })
  .map(({ pop, epoch, n, which, other, ports, action, ...more }): Deed => {
    const id = importedId(which);
    const victim = other ?? VICTIMS[which % VICTIMS.length] ?? '';
    if (more.end !== null) {
      const command = { ...ended(n, id, more.end), origin: { pop, epoch, n } };
      return { do: 'command', command };
    }
    const match = {
      dstPrefix: `${victim}/${victim.includes(':') ? 128 : 32}`,
      protocol: 17,
      dstPorts: ports.map((one) => [one, one] as const),
      srcPorts: [],
    };
    const does = action === 'police' ? ({ type: 'police', rateBps: 1e6 } as const) : DISCARD;
    const change = { id, victim, match, ports, action: does, step: more.step, pops: more.pops };
    return { do: 'command', command: version(n, change, { pop, epoch, seconds: more.seconds }) };
  });

/** Safelist requests of several POPs. */
const tagged = fc
  .record({
    prefix: fc.constantFrom(...PREFIXES),
    pop: fc.constantFrom('ams1', 'fra1'),
    n: fc.integer({ min: 1, max: 3 }),
    removes: fc.boolean(),
  })
  .map(({ prefix: text, pop, n, removes }): Deed => {
    const tag = { pop, epoch: 1, n };
    const by = { prefix: text, actor: ALICE, reason: 'because' };
    return {
      do: 'command',
      command: removes
        ? { type: 'safelist-remove', ...by, tags: [tag] }
        : { type: 'safelist-add', ...by, tag },
    };
  });

const deed = fc.oneof(
  { weight: 6, arbitrary: imported },
  { weight: 2, arbitrary: tagged },
  { weight: 12, arbitrary: event },
  { weight: 3, arbitrary: operator },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('mitigation' as const),
      which: fc.nat(20),
      how: fc.constantFrom('withdraw' as const, 'confirm-ended' as const),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.integer({ min: -30, max: 200 }).map((seconds): Deed => ({ do: 'wait', seconds })),
  },
  { weight: 1, arbitrary: fc.nat(POLICIES.length - 1).map((which): Deed => ({ do: 'policy', which })) },
  { weight: 1, arbitrary: fc.constant<Deed>({ do: 'restart' }) },
);

/** Performs an action, then the engine's next work: ends mitigations past their TTL. */
function act(world: World, what: Deed): World {
  let after = world;
  switch (what.do) {
    case 'command':
      world.do(what.command);
      break;
    case 'mitigation': {
      const ids = [...world.state.mitigations.keys()];
      const id = ids[what.which % Math.max(1, ids.length)] ?? 'nobody';
      if (what.how === 'withdraw') world.withdraw(id);
      else world.do({ type: 'confirm-ended', ids: [id] });
      break;
    }
    case 'wait':
      // The engine passes the latest time it has seen.
      world.now = Math.max(world.state.lastAt, world.now + what.seconds * 1000);
      break;
    case 'policy':
      world.policy = POLICIES[what.which] ?? world.policy;
      world.do({ type: 'policy-loaded', actor: ALICE, summary: 'reload' });
      break;
    case 'restart':
      after = restarted(world);
      break;
  }
  after.do({ type: 'expire' });
  return after;
}

/** A world that has only the journal, or only a snapshot, of another. */
function restarted(world: World): World {
  const replayed = initialState();
  for (const fact of world.journal) replayed.apply(fact);
  assert.deepEqual(visible(replayed), visible(world.state), 'replaying the journal gives the same state');
  const restored = restoreState(JSON.parse(JSON.stringify(world.state.snapshot())));
  assert.deepEqual(visible(restored), visible(world.state), 'so does the snapshot');
  const after = new World({}, restored);
  after.policy = world.policy;
  after.now = world.now;
  after.journal.push(...world.journal);
  after.skipIds(world);
  return after;
}

function active(world: World): readonly Mitigation[] {
  return [...world.state.mitigations.values()].filter(isActive);
}

function assertSafe(world: World): void {
  const { policy, state } = world;
  const forbidden = [
    ...policy.safelist,
    ...policy.guardrails.protectedPrefixes,
    ...[...state.safelist.keys()].map(prefix),
  ];
  for (const { match, victim, ports, action, expiresAt, dryRun } of active(world)) {
    const destination = knownPrefix(match.dstPrefix);
    const { dstPrefixMinLen, dstPrefixMinLenV6 } = policy.guardrails;
    const least = destination.family === 4 ? dstPrefixMinLen : dstPrefixMinLenV6;
    assert.ok(destination.length >= least, 'it is a host, or a prefix that the guardrails allow');
    assert.ok(!forbidden.some((entry) => overlaps(entry, destination)), `${victim} is safe or protected`);
    assert.ok(!ports.includes(179), 'no rule names BGP');
    assert.ok(ports.length <= policy.guardrails.maxPorts);
    assert.ok(expiresAt > world.now, 'nothing stands past its TTL');
    assert.ok(expiresAt <= world.now + 1_800_000, 'nothing stands longer than the longest TTL');
    if (action.type === 'discard') assertSparesAllowed(match, victim);
    assert.equal(typeof dryRun, 'boolean');
  }
}

function assertSparesAllowed(match: Mitigation['match'], victim: string): void {
  const allowed: Record<string, readonly [protocol: number, port: number][]> = {
    '203.0.113.10': [
      [17, 53],
      [6, 53],
    ],
    '203.0.113.12': [
      [17, 53],
      [17, 123],
    ],
    '203.0.113.20': [
      [6, 80],
      [6, 443],
    ],
  };
  const covered = Object.entries(allowed).filter(([host]) => overlaps(prefix(match.dstPrefix), prefix(host)));
  for (const [protocol, spared] of covered.flatMap(([, ports]) => ports)) {
    if (match.protocol !== null && match.protocol !== protocol) continue;
    const hit =
      match.dstPorts.length === 0 || match.dstPorts.some(([from, to]) => from <= spared && spared <= to);
    assert.ok(!hit, `allowed port ${spared} of ${victim} is discarded`);
  }
}

function assertQuotas(world: World): void {
  for (const dryRun of [false, true]) {
    const mitigations = active(world).filter((mitigation) => mitigation.dryRun === dryRun);
    assert.ok(mitigations.length <= QUOTAS.maxActiveGlobal);
    const perCustomer = new Map<string | null, number>();
    for (const { customerId } of mitigations)
      perCustomer.set(customerId, (perCustomer.get(customerId) ?? 0) + 1);
    for (const count of perCustomer.values()) assert.ok(count <= QUOTAS.maxActivePerCustomer);
    assert.equal(world.state.activeTotal(dryRun), mitigations.length, 'the count is the truth');
  }
  const due = active(world).map(({ expiresAt, renewAt }) => Math.min(expiresAt, renewAt ?? expiresAt));
  assert.equal(world.state.earliestDue, due.length === 0 ? undefined : Math.min(...due));
  assert.ok(
    (world.state.earliestDue ?? Number.POSITIVE_INFINITY) > world.now,
    'whatever is due gets somewhere',
  );
}

describe('for any sequence of events, operators, reloads, clock steps and restarts', () => {
  test('no rule covers what is safe or protected, lacks a destination, discards an allowed port, exceeds a quota or outlives its TTL', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 60, size: 'max' }), (deeds) => {
        let world = new World(BASE);
        for (const what of deeds) {
          world = act(world, what);
          assertSafe(world);
          assertQuotas(world);
        }
        restarted(world);
      }),
      { numRuns: 150 },
    );
  });

  test('a group that is rolled back leaves no trace, and what follows is decided as if it had not been', () => {
    fc.assert(
      fc.property(
        fc.array(deed, { maxLength: 25, size: 'max' }),
        fc.array(deed, { maxLength: 15, size: 'max' }),
        (before, undone) => {
          const world = new World(BASE);
          for (const what of before) if (what.do !== 'restart') act(world, what);
          const seen = visible(world.state);
          world.state.begin();
          for (const what of undone) if (what.do !== 'restart') act(world, what);
          world.state.rollback();
          assert.deepEqual(visible(world.state), seen);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('the same commands at the same times give the same facts', () => {
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 40, size: 'max' }), (deeds) => {
        const runs = [new World(BASE), new World(BASE)].map((world) => {
          for (const what of deeds) if (what.do !== 'restart') act(world, what);
          return world.journal;
        });
        assert.deepEqual(runs[0], runs[1]);
      }),
      { numRuns: 50 },
    );
  });
});
