import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { unicastRoute } from '../../src/bgp/rib/unicast-route.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { desired } from '../../src/control/desired.ts';
import { checkRoute } from '../../src/control/egress.ts';
import { guardOf } from '../../src/control/egress-check.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import { forecastFor } from '../../src/control/neighbor-forecast.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { kindOfRoute, type NeighborPolicy, render, ruleText } from '../../src/control/render-rule.ts';
import { countNeighbors, viewOf } from '../../src/control/rule-view.ts';
import { WantedRoutes } from '../../src/control/wanted-routes.ts';
import { type MitigationAction, RULE_KINDS } from '../../src/core/action.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { NO_TARGETS, type Targets, type UnicastTarget } from '../../src/core/policy/scrubbers.ts';
import { initialState, ruleKey } from '../../src/core/state/state.ts';
import { knownPrefix, parseAddress } from '../../src/net/prefix.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { FakeTime, idle } from './fake-time.ts';
import {
  ban,
  claim,
  mitigation,
  neighborPolicy,
  neighborSettings,
  OPERATOR,
  POLICY,
  route,
  stateOf,
} from './support.ts';

const HOLE: UnicastTarget = { ...NO_TARGETS.blackhole.target, communities: ['65010:666'] };
const FRA: UnicastTarget = {
  ...HOLE,
  nextHopV4: '192.0.2.60',
  nextHopV6: '2001:db8:5c::60',
  communities: ['65010:100', '65010:1:2'],
};

function targetsOf(fra = FRA, allowed = true): Targets {
  return {
    scrubbers: new Map([
      [
        'fra',
        { name: 'fra', redirect: { ipv4: '192.0.2.50', vrf: '65010:666' }, divert: fra, maxDiverted: 9 },
      ],
      ['ams', { name: 'ams', redirect: { vrf: '2:65010:666' }, maxDiverted: 9 }],
      ['nowhere', { name: 'nowhere', redirect: {}, maxDiverted: 9 }],
    ]),
    blackhole: { allowed, target: HOLE, customers: [] },
  };
}

const TARGETS = targetsOf();
const BLACKHOLE: MitigationAction = { type: 'blackhole', rateBps: null };
const DIVERT: MitigationAction = { type: 'divert', rateBps: null, scrubber: 'fra' };
const TO_FRA: MitigationAction = { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } };

const HOST = { dstPrefix: '203.0.113.10/32', protocol: null, dstPorts: [], srcPorts: [] };
const HOST6 = { ...HOST, dstPrefix: '2001:db8:acd::10/128' };

/** A neighbor that is given everything. */
function whole(name: string, changes: Partial<NeighborPolicy> = {}): NeighborPolicy {
  const families = ['ipv4-flowspec', 'ipv6-flowspec', 'ipv4-unicast', 'ipv6-unicast'] as const;
  return neighborPolicy(name, {
    families: families.map((family) => FAMILIES[family]),
    announce: RULE_KINDS,
    maxUnicast: 50,
    ...changes,
  });
}

/** The texts of the routes, or the reason why there are none. */
function rendered(action: MitigationAction, neighbor = whole('edge1'), match = HOST, targets = TARGETS) {
  const said = render({ match, action, mitigationId: 'm' }, neighbor, targets);
  return said.ok ? said.routes.map(({ text }) => text).join('; ') : said.why;
}

describe('render', () => {
  it('redirects to a scrubber by the address of the family, else by its VRF, with a rate beside it', () => {
    const rule = 'match dst 203.0.113.10/32 then';
    assert.equal(rendered(TO_FRA), `${rule} redirect ip 192.0.2.50`);
    assert.equal(rendered({ ...TO_FRA, rateBps: 1e6 }), `${rule} rate-limit 1mbps redirect ip 192.0.2.50`);
    assert.equal(rendered({ ...TO_FRA, copy: true }), `${rule} redirect ip 192.0.2.50 copy`);
    assert.equal(
      rendered(TO_FRA, whole('edge1'), HOST6),
      'match dst 2001:db8:acd::10/128 then redirect vrf 65010:666',
    );
    assert.equal(rendered({ ...TO_FRA, target: { scrubber: 'ams' } }), `${rule} redirect vrf 2:65010:666`);
  });

  it('encodes a redirect as the dialect wants, and takes the VRF where it cannot redirect to addresses', () => {
    const rule = 'match dst 203.0.113.10/32 then redirect';
    const of = (dialect: NeighborPolicy['dialect']) => rendered(TO_FRA, whole('edge1', { dialect }));
    assert.equal(of('cisco-xr'), `${rule} next-hop 192.0.2.50`);
    assert.equal(of('arista'), `${rule} vrf 65010:666`);
  });

  it('redirects to a VRF in all forms of a route target, and to an address', () => {
    const to = (target: Extract<MitigationAction, { type: 'redirect' }>['target']) =>
      rendered({ ...TO_FRA, target }).replace(/^.*then /, '');
    for (const vrf of ['65010:666', '192.0.2.9:1', '4200000000:7', '[2001:db8::1]:5']) {
      assert.equal(to({ vrf }), `redirect vrf ${vrf}`);
    }
    assert.equal(to({ ip: '192.0.2.77' }), 'redirect ip 192.0.2.77');
  });

  it('makes one route of a diversion or a blackhole, with all communities', () => {
    const neighbor = whole('edge1', {
      communities: Uint8Array.of(0xfd, 0xe9, 0, 7),
      largeCommunities: Uint8Array.of(0, 0, 0xfd, 0xe9, 0, 0, 0, 0, 0, 0, 0, 7),
    });
    assert.equal(
      rendered(DIVERT, neighbor),
      'route 203.0.113.10/32 next-hop 192.0.2.60 community 65001:7,65010:100,no-export,65001:0:7,65010:1:2',
    );
    assert.equal(
      rendered(BLACKHOLE, whole('edge1'), HOST6),
      'route 2001:db8:acd::10/128 next-hop 100::1 community 65010:666,blackhole,no-export',
    );
    const exported = targetsOf({ ...FRA, communities: [], export: true });
    assert.equal(
      rendered(DIVERT, whole('edge1'), HOST, exported),
      'route 203.0.113.10/32 next-hop 192.0.2.60',
    );
  });

  it('says in plain words why a neighbor does not get a rule', () => {
    const only = (...announce: NeighborPolicy['announce'] & object) => whole('edge1', { announce });
    assert.equal(rendered(DIVERT, neighborPolicy('edge1')), "divert is not in the neighbor's announce list");
    assert.match(rendered(TO_FRA, only('blackhole')), /^flowspec is not in/);
    assert.match(
      rendered(BLACKHOLE, whole('edge1', { families: [FAMILIES['ipv4-flowspec']] })),
      /^ipv4-unicast is not one of the neighbor's families/,
    );
    const { nextHopV6: _, ...v4 } = FRA;
    assert.equal(
      rendered(DIVERT, whole('edge1'), HOST6, targetsOf(v4)),
      'scrubber fra has no next hop for IPv6',
    );
    assert.equal(rendered({ ...DIVERT, scrubber: 'ams' }), 'nothing can be diverted to scrubber ams');
    assert.equal(rendered({ ...DIVERT, scrubber: 'gone' }), 'there is no scrubber gone');
    assert.equal(
      rendered(BLACKHOLE, whole('edge1'), HOST, targetsOf(FRA, false)),
      'blackhole.allowed is false',
    );
    assert.equal(
      rendered({ ...TO_FRA, target: { scrubber: 'nowhere' } }),
      'scrubber nowhere has no redirect target for IPv4',
    );
    assert.match(
      rendered({ ...TO_FRA, target: { ip: '2001:db8::1' } }),
      /^generic: redirect ip: the address has another family/,
    );
    assert.match(
      rendered({ ...TO_FRA, target: { ip: '192.0.2.77' } }, whole('edge1', { dialect: 'arista' })),
      /^arista: redirect ip to an IPv4 address is not supported/,
    );
  });

  it('writes the rule of a missing target with the reason', () => {
    assert.equal(
      ruleText({ match: HOST, action: DIVERT }, NO_TARGETS),
      'route 203.0.113.10/32 (there is no scrubber fra)',
    );
    assert.equal(
      ruleText({ match: HOST, action: TO_FRA }, NO_TARGETS),
      'match dst 203.0.113.10/32 then redirect (there is no scrubber fra)',
    );
  });
});

describe('of a diversion, a blackhole and a discard of one prefix', () => {
  it('the first two share one route, whose stricter wins, and the rule stands beside it', () => {
    const all = [
      mitigation({ id: 'd', action: DIVERT, match: HOST }),
      mitigation({ id: 'b', action: BLACKHOLE, match: HOST, createdAt: 5 }),
      mitigation({ id: 'f', match: HOST }),
    ];
    const wanted = desired(stateOf(all, ruleKey), all.map(ruleKey), 10);
    assert.deepEqual(
      [...wanted].map(([key, rule]) => `${key} ${rule?.mitigationId}`),
      [`${ruleKey(all[0] ?? assert.fail())} b`, `${ruleKey(all[2] ?? assert.fail())} f`],
    );
  });
});

function unicast(host: number): OutRoute {
  const nextHop = parseAddress('192.0.2.1') ?? assert.fail();
  return unicastRoute({ prefix: knownPrefix(`203.0.113.${host}/32`), nextHop, owner: `m${host}` });
}

function claimUnicast(host: number, createdAt: number, action = BLACKHOLE) {
  const placed = claim(`unicast|${host}`, [unicast(host)], 0, createdAt);
  return { ...placed, rule: { ...placed.rule, action } };
}

describe('the budgets of a neighbor', () => {
  it('count FlowSpec and unicast routes apart', () => {
    const table = new WantedRoutes(1, 2);
    table.place('a', claim('a', [route(1)]));
    for (const host of [1, 2, 3]) table.place(`unicast|${host}`, claimUnicast(host, host));
    assert.deepEqual([...table.overBudget], ['unicast|3']);
    assert.equal(table.size, 3);
    table.place('b', claim('b', [route(2)], 0, 9));
    assert.deepEqual([...table.overBudget].sort(), ['b', 'unicast|3']);
    table.place('unicast|1', undefined);
    assert.deepEqual([...table.overBudget], ['b']);
  });

  it('leave out what the egress check refuses, until it does no more', () => {
    const refused = new Set(['m1']);
    const table = new WantedRoutes(10, 1, ({ owner }) => refused.has(owner));
    for (const host of [1, 2, 3]) table.place(`unicast|${host}`, claimUnicast(host, host));
    assert.deepEqual([...table.overBudget], ['unicast|3']);
    assert.equal(table.route(unicast(1).key)?.owner, 'm1', 'it is shown as held back, not as over budget');
    assert.equal(table.roomFor(BLACKHOLE), -1);
    refused.clear();
    assert.deepEqual([...table.reapplyBudgets()], [unicast(2).key]);
    assert.deepEqual([...table.overBudget].sort(), ['unicast|2', 'unicast|3']);
  });

  it('have room by the kind of the action', () => {
    const table = new WantedRoutes(10, 2);
    table.place('unicast|1', claimUnicast(1, 1, DIVERT));
    table.place('unicast|2', claimUnicast(2, 2, DIVERT));
    assert.equal(table.roomFor({ type: 'discard', rateBps: null }), 10);
    assert.equal(table.roomFor(DIVERT), 0);
    assert.equal(table.roomFor(BLACKHOLE), 2, 'a stricter one goes before');
    assert.equal(new WantedRoutes(10).roomFor(BLACKHOLE), 0);
  });
});

describe('a forecast of targets', () => {
  const of = (action: MitigationAction, neighbor: NeighborPolicy, match = HOST) => {
    const [one] = forecastFor([neighbor], [179], TARGETS, POLICY.playbooks)(match, action);
    return one?.ok === true ? one.routes : one?.why;
  };

  it('is the verdict of rendering, judge and budget', () => {
    assert.equal(of(DIVERT, whole('edge1')), 1);
    assert.equal(of(BLACKHOLE, whole('edge1')), 1);
    assert.equal(of(TO_FRA, whole('edge1')), 1);
    assert.match(String(of(DIVERT, neighborPolicy('edge1'))), /announce list/);
    assert.equal(of(DIVERT, whole('edge1', { maxUnicast: 0 })), 'it needs 1 route, but max_unicast is 0');
    assert.match(
      String(of({ ...TO_FRA, target: { ip: '192.0.2.200' } }, whole('edge1'))),
      /the egress check would hold it back: its redirect is not to a configured target/,
    );
    const around = { ...HOST, dstPrefix: '192.0.2.1/32' };
    assert.match(String(of(BLACKHOLE, whole('edge1'), around)), /is inside its destination/);
    assert.equal(of(BLACKHOLE, whole('edge1')), 1, 'one destination says nothing of another');
  });

  it('knows the targets that only playbooks name', () => {
    const { playbooks } = buildPlaybooks({
      playbooks: [
        { name: 'p', match: { vector: 'udp_flood' }, steps: [{ action: 'redirect', ip: '192.0.2.200' }] },
      ],
    });
    const to: MitigationAction = { ...TO_FRA, target: { ip: '192.0.2.200' } };
    const [one] = forecastFor([whole('edge1')], [], NO_TARGETS, playbooks)(HOST, to);
    assert.equal(one?.ok, true, JSON.stringify(one));
  });
});

describe('the guard of a policy', () => {
  const judge = (action: MitigationAction, targets: Targets, rule = TARGETS, match = HOST) => {
    const said = render({ match, action, mitigationId: 'm' }, whole('edge1'), rule);
    assert.ok(said.ok, JSON.stringify(said));
    const [one] = said.routes;
    return checkRoute(one ?? assert.fail(), guardOf({ ...POLICY, targets }, initialState(), []));
  };

  it('lets through what the policy configures', () => {
    for (const action of [DIVERT, BLACKHOLE, TO_FRA]) assert.equal(judge(action, TARGETS), undefined);
  });

  it('refuses a blackhole unless blackholes are allowed, and targets that are not configured', () => {
    assert.match(judge(BLACKHOLE, targetsOf(FRA, false)) ?? '', /blackhole are not configured/);
    assert.match(judge(DIVERT, NO_TARGETS) ?? '', /divert are not configured/);
    assert.match(
      judge(DIVERT, targetsOf({ ...FRA, nextHopV4: '192.0.2.61' })) ?? '',
      /next hop 192\.0\.2\.60/,
    );
    assert.match(judge(TO_FRA, NO_TARGETS) ?? '', /not to a configured target/);
  });

  it('refuses a scrubber the route without its own communities', () => {
    const bare = targetsOf({ ...FRA, communities: [] });
    assert.match(judge(DIVERT, TARGETS, bare) ?? '', /lacks the community 65010:100/);
  });

  it('refuses what no customer owns', () => {
    const elsewhere = { ...HOST, dstPrefix: '8.8.8.8/32' };
    assert.match(judge(BLACKHOLE, TARGETS, TARGETS, elsewhere) ?? '', /not in the inventory/);
  });
});

const ESCALATING = buildPlaybooks({
  playbooks: [
    {
      name: 'udp',
      match: { vector: 'udp_flood' },
      steps: [
        { action: 'police', rate_bps: 5_000_000, ttl_seconds: 600 },
        {
          action: 'redirect',
          to: 'fra',
          ttl_seconds: 600,
          require_confidence_at_least: 0.5,
          require_persistence_seconds: 60,
        },
        {
          action: 'blackhole',
          ttl_seconds: 600,
          require_confidence_at_least: 0.5,
          require_persistence_seconds: 60,
        },
      ],
    },
    { name: 'syn', match: { vector: 'syn_flood' }, steps: [{ action: 'divert', to: 'fra' }] },
  ],
}).playbooks;

async function house(neighbors: readonly NeighborPolicy[] = [whole('edge1')], changes: Partial<Policy> = {}) {
  const time = new FakeTime();
  let ids = 0;
  const policy: Policy = { ...POLICY, targets: TARGETS, playbooks: ESCALATING, ...changes };
  const { engine } = await openEngine({
    store: new MemoryStore(),
    policy,
    clock: () => time.now,
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    snapshotEvery: 0,
  });
  const announcer = new MockAnnouncer(
    neighbors.map((one) => neighborSettings(one.name, { families: one.families })),
    () => time.now,
  );
  /** One line for each write: what was announced, then what was withdrawn. */
  const written: string[] = [];
  announcer.subscribe({
    onSent: (_peer, announced, withdrawn) =>
      written.push(
        [...announced.map(({ text }) => `+ ${text}`), ...withdrawn.map(({ text }) => `- ${text}`)].join(' '),
      ),
  });
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors,
    clock: () => time.now,
    timers: time,
    intervalMs: 30_000,
    log: () => undefined,
  });
  await reconciler.start();
  await announcer.start();
  await idle();
  const attack = async (changes = {}): Promise<string> => {
    const answer = await engine.submit(ban('203.0.113.10', changes));
    assert.ok(answer.type === 'event' && answer.mitigation !== undefined, JSON.stringify(answer));
    await idle();
    return answer.mitigation.id;
  };
  return {
    time,
    engine,
    policy,
    announcer,
    reconciler,
    written,
    attack,
    view: viewOf(reconciler, engine, announcer),
  };
}

const POLICED = 'match dst 203.0.113.10/32 proto udp then rate-limit 5mbps';
const REDIRECTED = 'match dst 203.0.113.10/32 proto udp then redirect ip 192.0.2.50';
const HOLED = 'route 203.0.113.10/32 next-hop 192.0.2.1 community 65010:666,blackhole,no-export';

describe('a mitigation that escalates from police over redirect to blackhole', () => {
  it('replaces its rule, then announces its route before it withdraws the rule, in one write', async () => {
    const at = await house();
    const id = await at.attack();
    at.time.now += 60_000;
    await at.attack();
    at.time.now += 60_000;
    await at.attack();
    assert.deepEqual(at.written, [`+ ${POLICED}`, `+ ${REDIRECTED}`, `+ ${HOLED} - ${REDIRECTED}`]);
    assert.deepEqual(
      at.view.rulesOf(id).map(({ kind, state, rule }) => `${kind} ${state} ${rule}`),
      [`blackhole sent ${HOLED}`],
    );
    assert.equal(at.view.ruleText(id), HOLED);
    assert.equal(at.view.ruleCounts()[0]?.sent, 1);
    await at.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
    await idle();
    assert.equal(at.written.at(-1), `- ${HOLED}`);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'withdrawn');
  });

  it('leaves its last rule on a neighbor that is not given the route, and withdraws both at its end', async () => {
    const at = await house([whole('upstream'), neighborPolicy('edge1')]);
    const id = await at.attack();
    for (let i = 0; i < 2; i++) {
      at.time.now += 60_000;
      await at.attack();
    }
    const states = () =>
      at.view.rulesOf(id).map(({ neighbor, kind, state, rule }) => `${neighbor} ${kind} ${state} ${rule}`);
    assert.deepEqual(states(), [`upstream blackhole sent ${HOLED}`, `edge1 flowspec sent ${REDIRECTED}`]);
    assert.deepEqual(countNeighbors(at.view.rulesOf(id)), {
      sent: 2,
      pending: 0,
      unsupported: 0,
      overBudget: 0,
    });
    assert.deepEqual(at.view.shortfalls(), []);
    const held = (peer: string) => [...at.announcer.ribOut(peer).effectiveKeys()].length;
    assert.deepEqual([held('upstream'), held('edge1')], [1, 1]);

    at.time.now += 30_000;
    await at.attack();
    await at.reconciler.full();
    assert.deepEqual(
      [held('upstream'), held('edge1')],
      [1, 1],
      'neither an extension nor a full run changes it',
    );
    await at.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
    await idle();
    assert.deepEqual([held('upstream'), held('edge1')], [0, 0]);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'withdrawn');
  });

  it('is unsupported on a neighbor that can hold neither the route nor the rule before it', async () => {
    const at = await house([whole('upstream'), whole('scrub', { announce: ['divert'] })]);
    const id = await at.attack();
    for (let i = 0; i < 2; i++) {
      at.time.now += 60_000;
      await at.attack();
    }
    const [, scrub] = at.view.rulesOf(id);
    assert.deepEqual([scrub?.kind, scrub?.state], ['flowspec', 'unsupported']);
    assert.match(scrub?.why ?? '', /flowspec is not in the neighbor's announce list/);
  });

  it('goes before the filter of another mitigation with the same match', () => {
    const kept = {
      match: HOST,
      ports: [],
      excludedPorts: [],
      action: { type: 'discard', rateBps: null },
      step: 0,
    } as const;
    const away = mitigation({ id: 'b', action: BLACKHOLE, match: HOST, filter: kept });
    const policed = mitigation({ id: 'p', match: HOST, createdAt: 9 });
    const key = ruleKey(policed);
    const state = { ...stateOf([away, policed], ruleKey), withMatch: () => new Set(['b', 'p']) };
    assert.equal(desired(state, [key], 10).get(key)?.mitigationId, 'p');
    const alone = { ...state, withMatch: () => new Set(['b']) };
    assert.deepEqual(desired(alone, [key], 10).get(key)?.instead, { match: HOST, action: BLACKHOLE });
  });
});

describe('a blackhole that is lifted to see whether the attack goes on', () => {
  it('has no route meanwhile, lacks nothing, and gets its route back at the next report', async () => {
    const lifting = { ...HOLE, return: { ...HOLE.return, probeSeconds: 30 } };
    const targets = { ...TARGETS, blackhole: { ...TARGETS.blackhole, target: lifting } };
    const at = await house([whole('edge1')], { targets });
    const id = await at.attack();
    for (let i = 0; i < 2; i++) {
      at.time.now += 60_000;
      await at.attack();
    }
    at.time.now = at.engine.state.mitigations.get(id)?.expiresAt ?? 0;
    await at.engine.submit({ type: 'expire' });
    await idle();
    assert.equal(at.written.at(-1), `- ${HOLED}`);
    assert.deepEqual([at.view.rulesOf(id), at.view.shortfalls()], [[], []]);
    at.time.now += 10_000;
    await at.attack();
    assert.equal(at.written.at(-1), `+ ${HOLED}`);
    assert.equal(at.engine.state.mitigations.get(id)?.status, 'escalated');
  });
});

describe('a diversion', () => {
  const DIVERTED = 'route 203.0.113.10/32 next-hop 192.0.2.60 community 65010:100,no-export,65010:1:2';

  it('follows its scrubber when that moves, in one replacing announcement', async () => {
    const at = await house();
    const id = await at.attack({ vector: 'syn_flood' });
    assert.deepEqual(at.written, [`+ ${DIVERTED}`]);
    const moved = { ...at.policy, targets: targetsOf({ ...FRA, nextHopV4: '192.0.2.61' }) };
    await at.engine.adopt(moved, { type: 'policy-loaded', actor: OPERATOR, summary: 'moved' });
    await idle();
    assert.deepEqual(at.written, [`+ ${DIVERTED}`, `+ ${DIVERTED.replace('.60', '.61')}`]);
    assert.equal(at.view.rulesOf(id)[0]?.kind, 'divert');
  });

  it('waits for room in max_unicast, and says so', async () => {
    const at = await house([whole('edge1', { maxUnicast: 1 })]);
    await at.attack({ vector: 'syn_flood' });
    at.time.now += 1;
    const answer = await at.engine.submit(ban('203.0.113.11', { vector: 'syn_flood' }));
    await idle();
    assert.ok(answer.type === 'event' && answer.mitigation !== undefined);
    const [rule] = at.view.rulesOf(answer.mitigation.id);
    assert.equal(rule?.state, 'over_budget');
    assert.equal(rule?.why, 'max_unicast (1) is used up by stricter or older rules');
  });

  it('is held back on a session that did not negotiate unicast', async () => {
    const at = await house();
    const id = await at.attack({ vector: 'syn_flood' });
    await at.announcer.reconfigure([neighborSettings('edge1')]);
    await idle();
    assert.equal(at.view.rulesOf(id)[0]?.why, 'the session did not negotiate ipv4-unicast');
    assert.equal(at.view.shortfalls()[0]?.count, 1);
  });
});

describe('kindOfRoute', () => {
  it('tells a blackhole by its community', () => {
    assert.equal(kindOfRoute(route(1)), 'flowspec');
    assert.equal(kindOfRoute(unicast(1)), 'divert');
  });
});
