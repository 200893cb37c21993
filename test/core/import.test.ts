/** Another POP's mitigation is carried out within this POP's own limits, and continued by its owner alone. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deservesRule } from '../../src/control/desired.ts';
import { IMPORT_MEMORY_MS } from '../../src/core/state/imports.ts';
import { restoreState } from '../../src/core/state/state.ts';
import { EXCHANGE, ended, importedId, takeOver, version } from './intents.ts';
import { ALICE, type PolicyOptions, policyOf, prefix, World } from './scenario.ts';

const ID = importedId(1);

function worldOf(options: PolicyOptions = {}): World {
  return new World({ exchange: EXCHANGE, ...options });
}

/** Confirms that every withdrawal was sent. */
function settle(world: World): void {
  world.do({ type: 'confirm-ended', ids: [...world.state.live] });
}

function refusal(world: World, command = version(1)): string {
  const answer = takeOver(world, command);
  assert.equal(answer.outcome, 'refused', answer.detail);
  return answer.refusal ?? '';
}

describe('a mitigation of another POP', () => {
  test('begins here with its id, its origin, and this POP as the one that keeps it', () => {
    const world = worldOf();
    assert.equal(takeOver(world, version(1)).outcome, 'imported');
    const mitigation = world.get(ID);
    assert.deepEqual(world.facts, ['mitigation.imported']);
    assert.deepEqual(mitigation.origin, { pop: 'ams1', epoch: 1, n: 1 });
    assert.equal(mitigation.pop, 'iad1');
    assert.equal(mitigation.expiresAt, world.now + 100_000);
    assert.ok(deservesRule(mitigation, world.now));
    assert.match(mitigation.why.join('\n'), /taken over from ams1, which decided it 2 s ago/);
    assert.match(mitigation.why.join('\n'), /belongs to customer acme/);
  });

  test('never lasts longer than this POP allows', () => {
    const world = worldOf({ timers: { maxTtlSeconds: 60 } });
    takeOver(world, version(1));
    assert.equal(world.get(ID).expiresAt, world.now + 60_000);
    takeOver(world, version(2, {}, { seconds: 5000 }));
    assert.equal(world.get(ID).expiresAt, world.now + 60_000);
  });

  test('goes on within what this POP allows while its POP states nothing new, up to the end that it stated', () => {
    const world = worldOf({ timers: { maxTtlSeconds: 60 } });
    takeOver(world, version(1));
    world.wait(5);
    assert.equal(takeOver(world, version(1, {}, { seconds: 95 })).outcome, 'ignored', 'it is too early');
    world.wait(25);
    assert.equal(takeOver(world, version(1, {}, { seconds: 70 })).outcome, 'changed');
    assert.deepEqual(world.facts, ['mitigation.extended']);
    assert.equal(world.get(ID).expiresAt, world.now + 60_000);
    world.wait(30);
    takeOver(world, version(1, {}, { seconds: 40 }));
    assert.equal(world.get(ID).expiresAt, world.now + 40_000, 'no longer than its POP stated');
    world.wait(30);
    assert.equal(takeOver(world, version(1, {}, { seconds: 10 })).outcome, 'ignored');
  });

  test('ends here with a version that shortened its time, also if that is over already, and during a pause', () => {
    const world = worldOf();
    takeOver(world, version(1));
    const by = { actor: { kind: 'operator', name: 'kim' }, reason: 'test' } as const;
    world.do({ type: 'pause', ...by });
    assert.equal(takeOver(world, version(2, {}, { seconds: 30 })).outcome, 'refused');
    assert.equal(world.get(ID).expiresAt, world.now + 30_000);
    assert.equal(world.get(ID).origin?.n, 1, 'the version itself is decided again after the pause');
    world.wait(10);
    assert.equal(takeOver(world, version(3, {}, { seconds: 0 })).outcome, 'changed');
    world.do({ type: 'expire' });
    assert.equal(world.get(ID).ending?.to, 'expired');
  });

  test('expires here without another statement', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.wait(100).do({ type: 'expire' });
    assert.equal(world.get(ID).ending?.to, 'expired');
  });

  test('is ignored when it is for other POPs, or when its time is over', () => {
    const world = worldOf();
    assert.equal(takeOver(world, version(1, { pops: ['fra1', 'sin1'] })).outcome, 'ignored');
    assert.equal(takeOver(world, version(2, {}, { seconds: 0 })).outcome, 'ignored');
    assert.equal(world.journal.length, 0);
  });

  test('is decided, but never announced, in a dry run', () => {
    const world = worldOf({ mode: 'dry-run' });
    takeOver(world, version(1));
    assert.equal(world.get(ID).dryRun, true);
    world.policy = policyOf({ exchange: EXCHANGE });
    takeOver(world, version(2));
    assert.deepEqual(world.facts, ['mitigation.widened']);
    assert.ok(deservesRule(world.get(ID), world.now), 'it is enforced with the next statement');
  });

  test('keeps its history: who decided it, and each of its versions', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.wait(30);
    takeOver(world, version(2));
    takeOver(world, version(3, { step: 1, action: { type: 'police', rateBps: 1e6 } }));
    const life = world.state.lifeOf(ID);
    const entries = [...(life?.turns ?? []), ...(life?.reports ?? [])];
    assert.deepEqual(
      entries.map(({ kind, actor }) => `${kind} ${actor.name}`),
      ['imported ams1', 'escalated ams1', 'extended ams1'],
    );
  });
});

describe('a version of it', () => {
  test('extends, widens or escalates what is active', () => {
    const world = worldOf();
    takeOver(world, version(1, { ports: [53], match: udp([53]) }));
    takeOver(world, version(2, { ports: [53], match: udp([53]) }, { seconds: 150 }));
    assert.deepEqual(world.facts, ['mitigation.extended']);
    assert.equal(world.get(ID).expiresAt, world.now + 150_000);
    takeOver(world, version(3, { ports: [53, 123], match: udp([53, 123]) }));
    assert.deepEqual(world.facts, ['mitigation.widened']);
    assert.deepEqual(world.get(ID).ports, [53, 123]);
    takeOver(world, version(4, { step: 1, ports: [53, 123], match: udp([53, 123]) }));
    assert.deepEqual(world.facts, ['mitigation.escalated']);
    assert.equal(world.get(ID).status, 'escalated');
    assert.deepEqual(world.get(ID).origin, { pop: 'ams1', epoch: 1, n: 4 });
  });

  test('changes nothing when it is the same one or an older one', () => {
    const world = worldOf();
    takeOver(world, version(5));
    for (const command of [version(5), version(4, { action: { type: 'police', rateBps: 1 } })]) {
      assert.equal(takeOver(world, command).outcome, 'ignored');
      assert.deepEqual(world.facts, []);
    }
    assert.equal(takeOver(world, version(1, {}, { epoch: 2 })).outcome, 'changed', 'a new epoch is newer');
  });

  test('for other POPs only takes the rule away and leaves the mitigation, so that it may come back', () => {
    const world = worldOf();
    takeOver(world, version(1));
    takeOver(world, version(2, { pops: ['ams1'] }));
    assert.deepEqual(world.facts, ['mitigation.widened']);
    assert.ok(!deservesRule(world.get(ID), world.now));
    takeOver(world, version(3, { pops: ['ams1', 'iad1'] }));
    assert.ok(deservesRule(world.get(ID), world.now));
  });

  test('in a form that is refused here extends the form that is active', () => {
    const world = worldOf();
    takeOver(world, version(1, { ports: [53], match: udp([53]) }));
    const answer = takeOver(world, version(2, { ports: [53, 179], match: udp([53, 179]) }, { seconds: 300 }));
    assert.equal(answer.refusal, 'protected');
    assert.deepEqual(world.facts, ['import.refused', 'mitigation.extended']);
    assert.deepEqual(world.get(ID).ports, [53]);
    assert.equal(world.get(ID).expiresAt, world.now + 300_000);
  });
});

/** A match of UDP ports on the usual victim. */
function udp(ports: readonly number[]) {
  return {
    dstPrefix: '203.0.113.50/32',
    protocol: 17,
    dstPorts: ports.map((port) => [port, port] as const),
    srcPorts: [],
  };
}

describe('its end', () => {
  test('by its POP ends it here, with its reason', () => {
    const world = worldOf();
    takeOver(world, version(1));
    assert.equal(takeOver(world, ended(2)).outcome, 'ended');
    assert.equal(world.get(ID).ending?.reason, 'false alarm (bea at ams1)');
    assert.equal(world.get(ID).ending?.actor.name, 'ams1');
  });

  test('by another POP than its own is ignored', () => {
    const world = worldOf();
    takeOver(world, version(1));
    const stranger = { ...ended(2), origin: { pop: 'fra1', epoch: 1, n: 9 } };
    assert.equal(takeOver(world, stranger).outcome, 'ignored');
    assert.equal(world.get(ID).ending, null);
  });

  for (const [who, end] of [
    ['an operator', (world: World) => world.withdraw(ID)],
    ['the safelist', (world: World) => world.safelist('203.0.113.50/32')],
    ['its POP', (world: World) => world.do(ended(2))],
  ] as const) {
    test(`by ${who} is final: no later version begins it again`, () => {
      const world = worldOf();
      takeOver(world, version(1));
      end(world);
      settle(world);
      if (who === 'the safelist')
        world.do({ type: 'safelist-remove', prefix: '203.0.113.50/32', actor: ALICE });
      assert.equal(refusal(world, version(3)), 'import_withdrawn');
      assert.equal(refusal(world, version(4)), 'import_withdrawn');
      assert.deepEqual(world.facts, [], 'it is told once');
    });
  }

  test('is still final when the mitigation itself is forgotten, for as long as versions come', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.withdraw(ID);
    settle(world);
    const snapshot = world.state.snapshot();
    const data = { ...(snapshot.data as Record<string, unknown>), mitigations: [], ended: [], lives: [] };
    const later = new World({ exchange: EXCHANGE }, restoreState({ ...snapshot, data }));
    later.now = world.now;
    for (let n = 2; n < 40; n++) {
      later.wait(3600);
      assert.equal(refusal(later, version(n, {}, { seconds: 1800 })), 'import_withdrawn', `after ${n} hours`);
    }
    assert.ok(later.journal.length <= 3, `${later.journal.length} facts in 38 hours`);
    later.wait(IMPORT_MEMORY_MS / 1000 + 1);
    assert.equal(takeOver(later, version(50)).outcome, 'imported', 'nothing remembers it any more');
  });

  test('by its time alone is not: when there is news again, it begins again under its id', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.wait(101).do({ type: 'expire' });
    settle(world);
    assert.equal(world.get(ID).status, 'expired');
    assert.equal(takeOver(world, version(1)).outcome, 'ignored', 'the version that expired is over');
    assert.equal(takeOver(world, version(7)).outcome, 'imported');
    assert.equal(world.get(ID).status, 'active');
    assert.ok(deservesRule(world.get(ID), world.now));
    const kinds = world.state.lifeOf(ID)?.turns.map(({ kind }) => kind);
    assert.deepEqual(kinds, ['imported', 'ending', 'expired', 'imported']);
  });

  test('by its time is taken back by news that arrives while the withdrawal is on its way', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.wait(101).do({ type: 'expire' });
    assert.equal(takeOver(world, version(2)).outcome, 'imported');
    settle(world);
    assert.equal(world.get(ID).status, 'active');
    assert.equal(world.state.activeTotal(false), 1);
  });

  test('by its POP counts when it has expired here already', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.wait(101).do({ type: 'expire' });
    settle(world);
    assert.equal(takeOver(world, ended(8)).outcome, 'ended');
    assert.deepEqual(world.facts, ['import.ended']);
    assert.equal(refusal(world, version(9)), 'import_withdrawn');
  });

  test('of a mitigation that was never here leaves no trace', () => {
    const world = worldOf();
    assert.equal(takeOver(world, ended(2)).outcome, 'ignored');
    assert.equal(world.journal.length, 0);
  });
});

describe('a withdrawal that an operator asks of several POPs', () => {
  const asked = {
    type: 'withdraw',
    id: ID,
    actor: { kind: 'operator', name: 'kim', via: 'POP fra1' },
    reason: 'over',
    request: { pop: 'fra1', epoch: 9, n: 1 },
  } as const;

  /** Withdraws it, and asserts that nothing begins it again. */
  function withdrawForGood(world: World): void {
    assert.deepEqual(world.do(asked).answer, { type: 'done', affected: [] });
    assert.deepEqual(world.facts, ['import.ended']);
    settle(world);
    assert.equal(refusal(world, version(20)), 'import_withdrawn');
    world.do(asked);
    assert.deepEqual(world.facts, [], 'once is enough');
  }

  test('rules out what was refused here, so that a later attempt does not begin it', () => {
    const world = worldOf();
    world.do({ type: 'pause', actor: asked.actor, reason: 'test' });
    assert.equal(refusal(world, version(1)), 'paused');
    world.do(asked);
    world.do({ type: 'resume', actor: asked.actor, reason: 'test' });
    assert.equal(refusal(world, version(1)), 'import_withdrawn');
  });

  test('rules out what has expired here for want of news', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.wait(101).do({ type: 'expire' });
    withdrawForGood(world);
  });

  test('rules out what is not known here yet, also after a restart', () => {
    const world = worldOf();
    withdrawForGood(world);
    const later = new World({ exchange: EXCHANGE }, restoreState(world.state.snapshot()));
    later.now = world.now;
    assert.equal(refusal(later, version(21)), 'import_withdrawn');
  });
});

describe('this POP refuses', () => {
  const cases: readonly (readonly [string, string, PolicyOptions, ReturnType<typeof version>])[] = [
    ['a POP that it does not accept', 'import_not_accepted', {}, version(1, {}, { pop: 'sin1' })],
    ['everything without an exchange', 'import_not_accepted', { exchange: undefined }, version(1)],
    ['statements in its own name', 'import_not_accepted', {}, version(1, {}, { pop: 'iad1' })],
    ['what is safelisted here', 'safelisted', { safelist: ['203.0.113.48/29'] }, version(1)],
    [
      'what it protects',
      'protected',
      { guardrails: { protectedPrefixes: [prefix('203.0.113.0/26')] } },
      version(1),
    ],
    ['a protected port', 'protected', {}, version(1, { ports: [179], match: udp([179]) })],
    [
      'more ports than a rule may name',
      'too_many_ports',
      { guardrails: { maxPorts: 1 } },
      version(1, { ports: [1, 2], match: udp([1, 2]) }),
    ],
    ['a victim of no customer', 'not_in_inventory', {}, version(1, { victim: '8.8.8.8' })],
    [
      'a discard of a port that it allows',
      'protected',
      {},
      version(1, {
        victim: '203.0.113.10',
        ports: [53],
        match: { ...udp([53]), dstPrefix: '203.0.113.10/32' },
      }),
    ],
    [
      'a rule for others than its victim',
      'rule_too_broad',
      {},
      version(1, { match: { ...udp([]), dstPrefix: '203.0.113.0/24' } }),
    ],
    ['a victim in another spelling', 'rule_too_broad', {}, version(1, { victim: '203.0.113.050' })],
    [
      'a prefix of a length that it does not allow',
      'rule_too_broad',
      {},
      version(1, { victim: '203.0.113.0/25', match: { ...udp([]), dstPrefix: '203.0.113.0/25' } }),
    ],
    [
      'a scrubber that it does not know',
      'action_not_allowed',
      {},
      version(1, { action: { type: 'divert', rateBps: null, scrubber: 'nowhere' } }),
    ],
    [
      'a blackhole that it does not allow',
      'action_not_allowed',
      {},
      version(1, { action: { type: 'blackhole', rateBps: null } }),
    ],
    [
      'what no neighbor of its own can enforce',
      'not_enforceable',
      { forecast: () => [{ neighbor: 'edge1', ok: false, why: 'no room in hardware' }] },
      version(1),
    ],
    [
      'more than it takes from one POP',
      'quota_imported',
      { exchange: { ...EXCHANGE, maxImportedPerPop: 0 } },
      version(1),
    ],
    ['more than a customer may have', 'quota_customer', { quotas: { maxActivePerCustomer: 0 } }, version(1)],
    ['more than a POP may have', 'quota_pop', { quotas: { maxActivePerPop: 0 } }, version(1)],
  ];
  for (const [what, reason, options, command] of cases) {
    test(`${what} (${reason}), and records it once`, () => {
      const { exchange = EXCHANGE, ...others } = options;
      const world = new World(
        'exchange' in options && options.exchange === undefined ? others : { exchange, ...others },
      );
      assert.equal(refusal(world, command), reason);
      assert.deepEqual(world.facts, ['import.refused']);
      assert.equal(refusal(world, command), reason);
      const next = { ...command, origin: { ...command.origin, n: 2 } };
      assert.equal(refusal(world, next), reason);
      assert.equal(world.journal.length, 1, 'one fact for the reason, not for each version');
      assert.equal(world.state.live.size, 0);
    });
  }

  test('to begin anything while it is paused, and takes it after that', () => {
    const world = worldOf();
    world.do({ type: 'pause', actor: ALICE, reason: 'maintenance' });
    assert.equal(refusal(world), 'paused');
    world.do({ type: 'resume', actor: ALICE, reason: 'done' });
    assert.equal(takeOver(world, version(1)).outcome, 'imported', 'the same version may be sent again');
  });

  test('to let another POP write versions of a mitigation that is not its own', () => {
    const world = worldOf();
    const own = world.attack();
    assert.equal(refusal(world, version(1, { id: own.id })), 'import_not_accepted');
    takeOver(world, version(1));
    assert.equal(refusal(world, version(9, {}, { pop: 'fra1' })), 'import_not_accepted');
    assert.deepEqual(world.get(ID).origin, { pop: 'ams1', epoch: 1, n: 1 });
  });

  test('to let a version change the victim', () => {
    const world = worldOf();
    takeOver(world, version(1));
    assert.equal(refusal(world, version(2, { victim: '203.0.113.99' })), 'import_not_accepted');
    assert.equal(world.get(ID).match.dstPrefix, '203.0.113.50/32');
  });

  test('to enforce what began in a dry run beyond its quotas', () => {
    const world = worldOf({ mode: 'dry-run' });
    takeOver(world, version(1));
    world.policy = policyOf({ exchange: EXCHANGE, quotas: { maxActivePerCustomer: 0 } });
    assert.equal(refusal(world, version(2)), 'quota_customer');
    assert.equal(world.get(ID).dryRun, true);
  });
});

describe('quotas', () => {
  test("of customers and POPs count local and other POPs' mitigations together", () => {
    const world = worldOf({ quotas: { maxActivePerCustomer: 2 } });
    takeOver(world, version(1));
    world.attack({ victim: '203.0.113.51' });
    assert.equal(world.event({ victim: '203.0.113.52' }).refusal, 'quota_customer');
    assert.equal(refusal(world, version(2, { id: importedId(2), victim: '203.0.113.53' })), 'quota_customer');
  });

  test('of new ones in a minute do not hold back what returns after an outage', () => {
    const world = worldOf({ quotas: { maxNewPerMinute: 1, maxActivePerCustomer: 50 } });
    for (let i = 1; i <= 20; i++) {
      const command = version(i, { id: importedId(i), victim: `203.0.113.${100 + i}` });
      assert.equal(takeOver(world, command).outcome, 'imported');
    }
    assert.equal(world.event().status, 'accepted', 'and they do not count against local ones');
  });

  test('of all POPs add what the others last reported, without counting anything twice', () => {
    const world = worldOf({ quotas: { maxActiveGlobal: 10 } });
    takeOver(world, version(1));
    world.elsewhere = { active: 9, stale: ['fra1'] };
    const first = world.event({ victim: '203.0.113.51' });
    assert.equal(first.status, 'accepted', 'the imported one is among the 9');
    const second = world.event({ victim: '203.0.113.52' });
    assert.equal(second.refusal, 'quota_global');
    assert.match(
      second.why.join('\n'),
      /active in all, with the last known number of fra1: 10 of at most 10/,
    );
  });
});

describe('local decisions leave it alone:', () => {
  test('an event about its victim gets a mitigation of its own', () => {
    const world = worldOf();
    takeOver(world, version(1));
    const own = world.attack();
    assert.notEqual(own.id, ID);
    assert.equal(world.state.live.size, 2);
    assert.equal(world.event().status, 'extended', 'of its own mitigation');
    assert.equal(world.get(ID).expiresAt, world.now + 100_000);
  });

  test('an unban ends only what was decided here', () => {
    const world = worldOf();
    takeOver(world, version(1));
    const own = world.attack();
    world.event({ action: 'unban' });
    assert.notEqual(world.get(own.id).ending, null);
    assert.equal(world.get(ID).ending, null);
  });

  test('rules of other POPs are not gathered into one for a prefix', () => {
    const world = worldOf({
      guardrails: { dstPrefixMinLen: 24 },
      playbooks: {
        playbooks: [{ name: 'udp', match: { vector: 'udp_flood' }, steps: [{ action: 'discard' }] }],
      },
    });
    takeOver(world, version(1));
    const wide = world.attack({ victim: '203.0.113.0/24' });
    assert.equal(world.get(ID).ending, null);
    assert.equal(wide.victim, '203.0.113.0/24');
  });

  test('an expiry of a local one does not depend on it', () => {
    const world = worldOf();
    takeOver(world, version(1, {}, { seconds: 1000 }));
    const own = world.attack();
    world.wait(121).do({ type: 'expire' });
    assert.notEqual(world.get(own.id).ending, null);
    assert.equal(world.get(ID).ending, null);
  });
});

describe('a new policy', () => {
  test('ends what it forbids, and takes it again when it is allowed again', () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.policy = policyOf({ exchange: { ...EXCHANGE, accept: ['fra1'] } });
    world.do({ type: 'policy-loaded', actor: ALICE, summary: '' });
    assert.match(world.get(ID).ending?.reason ?? '', /nothing is taken over from ams1 \(exchange.accept\)/);
    settle(world);
    assert.equal(refusal(world, version(2)), 'import_not_accepted');
    world.policy = policyOf({ exchange: EXCHANGE });
    assert.equal(takeOver(world, version(1)).outcome, 'imported', 'even the version that was ended');
  });

  test("moves it to the customer of this POP's inventory", () => {
    const world = worldOf();
    takeOver(world, version(1));
    world.policy = policyOf({
      exchange: EXCHANGE,
      inventory: { customers: [{ customer_id: 'dora', prefixes: ['203.0.113.0/24'] }] },
    });
    world.do({ type: 'policy-loaded', actor: ALICE, summary: '' });
    assert.equal(world.get(ID).customerId, 'dora');
  });
});
