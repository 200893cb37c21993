import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Forecast, NeighborForecast } from '../../src/core/decide/forecast.ts';
import type { Way } from '../../src/core/policy/playbook-schema.ts';
import { isShared, type MitigationAction } from '../../src/core/action.ts';
import type { Match } from '../../src/core/types.ts';
import { ALICE, type EventOptions, type PolicyOptions, World } from './scenario.ts';

const WEB = '203.0.113.20';

/** One router's capabilities. */
interface Router {
  readonly name?: string;
  /** Ranges of ports in one rule. */
  readonly ranges?: number;
  /** Routes of one rule. */
  readonly routes?: number;
  readonly police?: boolean;
  readonly discard?: boolean;
}

/** Routers that split a discard, and a police that shares its rate, into rules of this many ranges. */
function routers(...list: readonly Router[]): Forecast {
  return (match, action) => list.map((router) => told(router, match, action));
}

function told(router: Router, match: Match, action: MitigationAction): NeighborForecast {
  const { name: neighbor = 'edge1', ranges = 2, routes: most = 10, police = true, discard = true } = router;
  if (action.type === 'police' && !police) return { neighbor, ok: false, why: 'does not police' };
  if (action.type === 'discard' && !discard) return { neighbor, ok: false, why: 'does not discard' };
  const routes = Math.max(1, Math.ceil(match.dstPorts.length / ranges));
  if (routes > most) return { neighbor, ok: false, why: `${routes} routes` };
  if (routes > 1 && action.type === 'police' && !isShared(action)) {
    return { neighbor, ok: false, why: 'a police cannot be split' };
  }
  return { neighbor, ok: true, routes };
}

/** A world with one playbook for TCP (police, then discard) and these routers. WEB has three allowed ports. */
function world(forecast: Forecast, ways?: readonly Way[], options: PolicyOptions = {}): World {
  return new World({
    inventory: {
      customers: [
        {
          customer_id: 'acme',
          prefixes: ['203.0.113.0/24'],
          services: [{ service_id: 'web', assets: [{ ip: WEB }], allowed_ports: { tcp: [22, 80, 443] } }],
        },
      ],
    },
    playbooks: {
      playbooks: [
        {
          name: 'syn',
          match: { vector: 'syn_flood' },
          steps: [
            { action: 'police', rate_bps: 10_000_000, ttl_seconds: 120 },
            { action: 'discard', require_confidence_at_least: 0.8, require_persistence_seconds: 60 },
          ],
          ...(ways === undefined ? {} : { when_unenforceable: ways }),
        },
      ],
    },
    forecast,
    ...options,
  });
}

const SYN: EventOptions = { victim: WEB, vector: 'syn_flood' };
const AROUND = [
  [0, 21],
  [23, 79],
  [81, 442],
  [444, 65535],
];

describe('a rule that no neighbor can enforce as drafted', () => {
  test('is left as it is while one neighbor can enforce it', () => {
    const at = world(routers({ ranges: 2 }, { name: 'edge2', ranges: 4 }));
    const mitigation = at.attack(SYN);
    assert.deepEqual(mitigation.action, { type: 'police', rateBps: 10_000_000 });
    assert.match(at.why, /not enforced by 1 of 2 neighbors: edge1: a police cannot be split/);
  });

  test('becomes several rules that share the rate', () => {
    const at = world(routers({ ranges: 2 }));
    const answer = at.event(SYN);
    assert.equal(answer.status, 'accepted');
    assert.deepEqual(answer.mitigation?.action, { type: 'police', rateBps: 10_000_000, shared: true });
    assert.deepEqual(answer.mitigation?.match.dstPorts, AROUND);
    assert.match(at.why, /no neighbor can enforce this rule: edge1: a police cannot be split/);
    assert.match(
      at.why,
      /instead \(share_rate\): several rules that share the rate of 10 Mbit\/s: edge1 takes 2/,
    );
  });

  test('polices the allowed ports, too, where the rate cannot be shared', () => {
    const at = world(routers({ ranges: 2, routes: 1 }));
    const mitigation = at.attack(SYN);
    assert.deepEqual([mitigation.match.dstPorts, mitigation.excludedPorts], [[], []]);
    assert.deepEqual(mitigation.action, { type: 'police', rateBps: 10_000_000 });
    assert.match(
      at.why,
      /instead \(police_allowed_ports\): .*including the allowed ports 22, 80, 443: policed/,
    );
  });

  test('names as many ports as a rule can name', () => {
    const at = world(routers({ ranges: 2 }), ['fewer_ports']);
    const mitigation = at.attack({ ...SYN, ports: [1000, 2000, 3000] });
    assert.deepEqual(mitigation.ports, [1000, 2000]);
    assert.match(at.why, /instead \(fewer_ports\): the rule names 2 of 3 ports; port 3000 not covered/);
    assert.equal(at.wait(10).event({ ...SYN, ports: [1000, 2000, 3000] }).status, 'extended');
    assert.equal(at.state.live.size, 1);
  });

  test('covers the whole protocol: a police all of it', () => {
    const at = world(routers({ ranges: 2, routes: 1 }), ['whole_protocol']);
    assert.deepEqual(at.attack({ ...SYN, ports: [1000, 2000, 3000] }).match.dstPorts, []);
    assert.match(at.why, /instead \(whole_protocol\)/);
  });

  test('covers the whole protocol: a discard never the allowed ports', () => {
    const discarding = (ways: readonly Way[]): PolicyOptions => ({
      playbooks: {
        playbooks: [
          {
            name: 'd',
            match: { vector: 'syn_flood' },
            steps: [{ action: 'discard' }],
            when_unenforceable: ways,
          },
        ],
      },
    });
    const many = Array.from({ length: 8 }, (_, i) => 1000 * (i + 1));
    const forecast = routers({ ranges: 4, routes: 1 });
    const fewer = world(forecast, undefined, discarding(['fewer_ports']));
    assert.deepEqual(fewer.attack({ ...SYN, ports: many }).ports, many.slice(0, 4));
    const whole = world(forecast, undefined, discarding(['whole_protocol']));
    const mitigation = whole.attack({ ...SYN, ports: many });
    assert.deepEqual([mitigation.action.type, mitigation.match.dstPorts], ['discard', AROUND]);
  });

  test('is left for the next step, where the mitigation stays however unsure the reports are', () => {
    const at = world(routers({ police: false }));
    const mitigation = at.attack({ ...SYN, confidence: 0.5 });
    assert.deepEqual([mitigation.action.type, mitigation.step, mitigation.firstStep], ['discard', 1, 1]);
    assert.match(at.why, /instead \(next_step\): step 2 of 2: discard/);
    assert.equal(at.wait(60).event({ ...SYN, confidence: 0.5 }).status, 'extended');
  });

  test('tries the ways in the order of the playbook', () => {
    const forecast = routers({ ranges: 2 });
    assert.equal(world(forecast, ['next_step', 'share_rate']).attack(SYN).action.type, 'discard');
    assert.equal(isShared(world(forecast, ['share_rate', 'next_step']).attack(SYN).action), true);
  });

  test('is refused when nothing is left, and never accepted', () => {
    for (const at of [world(routers({ ranges: 2 }), []), world(routers({ police: false, discard: false }))]) {
      const answer = at.event(SYN);
      assert.deepEqual([answer.status, answer.refusal], ['rejected', 'not_enforceable']);
      assert.deepEqual(at.facts, ['event.received', 'mitigation.rejected']);
      assert.equal(at.state.live.size, 0);
      assert.match(at.why, /refused \(not_enforceable\): no neighbor can enforce the rule/);
    }
  });

  test('is never a way around a protected port', () => {
    const forecast: Forecast = (match) =>
      match.dstPorts.length === 0
        ? [{ neighbor: 'edge1', ok: true, routes: 1 }]
        : [{ neighbor: 'edge1', ok: false, why: 'it names port 179' }];
    const answer = world(forecast).event({ ...SYN, ports: [80, 179, 8080] });
    assert.equal(answer.refusal, 'protected');
  });

  test('leaves out a protected port between two allowed ones', () => {
    const forecast: Forecast = (match, action) =>
      match.dstPorts.some(([from, to]) => from === 179 && to === 179) || action.type === 'police'
        ? [{ neighbor: 'edge1', ok: false, why: 'no' }]
        : [{ neighbor: 'edge1', ok: true, routes: 1 }];
    const at = world(forecast, undefined, {
      inventory: {
        customers: [
          {
            customer_id: 'acme',
            services: [{ service_id: 'x', assets: [{ ip: WEB }], allowed_ports: { tcp: [178, 180] } }],
          },
        ],
      },
    });
    const mitigation = at.attack(SYN);
    assert.deepEqual(mitigation.match.dstPorts, [
      [0, 177],
      [181, 65535],
    ]);
    assert.deepEqual(mitigation.excludedPorts, [178, 179, 180]);
  });

  test('is decided alike in a dry run', () => {
    const at = world(routers({ ranges: 2 }), undefined, { mode: 'dry-run' });
    assert.equal(isShared(at.attack(SYN).action), true);
  });
});

describe('while a mitigation is active', () => {
  const wide = { ...SYN, ports: [1000, 2000, 3000] };

  test('widening tries the ways, too, and changes the form of the action with the match', () => {
    const at = world(routers({ ranges: 2 }));
    const first = at.attack({ ...SYN, ports: [1000, 2000] });
    assert.equal(isShared(first.action), false);
    assert.equal(at.wait(10).event(wide).status, 'widened');
    const { ports, action } = at.get(first.id);
    assert.deepEqual([ports, isShared(action)], [[1000, 2000, 3000], true]);
  });

  test('a widening that no neighbor could enforce keeps the active rule alive', () => {
    const at = world(routers({ ranges: 2 }), []);
    const first = at.attack({ ...SYN, ports: [1000, 2000] });
    const answer = at.wait(100).event(wide);
    assert.deepEqual([answer.status, answer.refusal], ['rejected', 'not_enforceable']);
    const { ports, expiresAt } = at.get(first.id);
    assert.deepEqual([ports, expiresAt], [[1000, 2000], at.now + 120_000]);
  });

  test('a step that no neighbor could enforce is not reached, and the answer says why', () => {
    const at = world(routers({ discard: false, ranges: 4 }));
    const first = at.attack({ ...SYN, confidence: 1 });
    const answer = at.wait(90).event({ ...SYN, confidence: 1 });
    assert.equal(answer.status, 'extended');
    assert.equal(at.get(first.id).step, 0);
    assert.match(at.why, /not escalating to step 2 \(discard\): no neighbor can enforce .*does not discard/);
  });

  test('a rule with a shared rate escalates to a discard without one', () => {
    const at = world(routers({ ranges: 2 }));
    const first = at.attack({ ...SYN, confidence: 1 });
    assert.equal(at.wait(90).event({ ...SYN, confidence: 1 }).status, 'escalated');
    assert.deepEqual(at.get(first.id).action, { type: 'discard', rateBps: null });
  });

  test('a rule that no neighbor can enforce any more is brought into a form that one can', () => {
    const at = world(routers({ ranges: 4 }));
    const first = at.attack(SYN);
    assert.equal(isShared(first.action), false);
    at.policy = { ...at.policy, forecast: routers({ ranges: 2 }) };
    assert.equal(at.wait(10).event(SYN).status, 'widened');
    assert.equal(isShared(at.get(first.id).action), true);
    assert.match(at.why, /no neighbor can enforce mitigation .* in its current form/);
    assert.equal(at.wait(10).event(SYN).status, 'extended');
  });

  test('so is one that its detector holds without a word, when its TTL is renewed', () => {
    const at = world(routers({ ranges: 4 }));
    const { id } = at.attack({ ...SYN, hold: 'until_released' });
    at.policy = { ...at.policy, forecast: routers({ ranges: 2 }) };
    at.wait(115).do({ type: 'expire' });
    assert.deepEqual(at.facts, ['mitigation.widened']);
    assert.equal(isShared(at.get(id).action), true);
  });

  test('into a later step if the playbook allows it, and it stays there', () => {
    const at = world(routers({ ranges: 4 }));
    const { id } = at.attack(SYN);
    at.policy = { ...at.policy, forecast: routers({ police: false }) };
    assert.equal(at.wait(10).event(SYN).status, 'escalated');
    assert.equal(at.get(id).action.type, 'discard');
    assert.deepEqual(at.get(id).excludedPorts, [22, 80, 443]);
    assert.equal(
      at.wait(10).event({ ...SYN, confidence: 0.1 }).status,
      'extended',
      'however low its confidence',
    );
    const without = world(routers({ ranges: 4 }), ['share_rate']);
    const first = without.attack(SYN);
    without.policy = { ...without.policy, forecast: routers({ police: false }) };
    assert.equal(without.wait(10).event(SYN).status, 'extended');
    assert.match(without.why, /not enforced by 1 of 1 neighbor: .*does not police/);
    assert.equal(without.get(first.id).step, 0);
  });

  test('says that a neighbor has no room for the rule, which is accepted and waits', () => {
    const at = world(routers({ ranges: 4 }));
    at.room = () => 0;
    assert.equal(at.event(SYN).status, 'accepted');
    assert.match(
      at.why,
      /no room on edge1: max_rules is used up by stricter or older rules; the rule waits there/,
    );
  });
});

describe("an operator's own mitigation that no neighbor can enforce", () => {
  const ask = (at: World, action: MitigationAction, ports: readonly number[]) =>
    at.do({
      type: 'mitigate',
      actor: ALICE,
      victim: '203.0.113.50',
      protocol: 6,
      ports,
      action,
      ttlSeconds: 300,
      reason: 'customer called',
    }).answer;

  test('is refused, not changed, and the refusal says what would work', () => {
    const at = world(routers({ ranges: 2 }));
    const answer = ask(at, { type: 'police', rateBps: 1e6 }, [1000, 2000, 3000]);
    assert.ok(answer.type === 'refused');
    assert.equal(answer.reason, 'not_enforceable');
    assert.match(
      answer.detail,
      /edge1: a police cannot be split\. Alternatives: several rules that share the rate \(share_rate\); fewer ports \(the first 2\); no ports \(the whole protocol\); discard/,
    );
    assert.deepEqual(at.facts, ['mitigation.rejected']);
  });

  test('is made when the rate may be shared', () => {
    const at = world(routers({ ranges: 2 }));
    const answer = ask(at, { type: 'police', rateBps: 1e6, shared: true }, [1000, 2000, 3000]);
    assert.ok(answer.type === 'mitigation');
    assert.equal(isShared(answer.mitigation.action), true);
  });
});

describe('a rule for a prefix', () => {
  const hosts = 4;
  const carpet = (forecast: Forecast): World =>
    world(forecast, undefined, {
      guardrails: { dstPrefixMinLen: 24 },
      aggregation: { hosts },
      quotas: { maxActivePerCustomer: 50 },
    });
  const bomb = (at: World): void => {
    for (let host = 1; host <= hosts; host++) at.event({ ...SYN, victim: `203.0.113.${host}` });
  };
  const live = (at: World): readonly string[] =>
    [...at.state.live]
      .map((id) => at.get(id))
      .flatMap((one) => (one.ending === null ? [one.match.dstPrefix] : []));

  test('spares the allowed ports of every asset inside, in rules that share the rate', () => {
    const at = carpet(routers({ ranges: 2 }));
    bomb(at);
    assert.deepEqual(live(at), ['203.0.113.0/24']);
    const [mitigation] = [...at.state.live].map((id) => at.get(id)).filter(({ ending }) => ending === null);
    assert.deepEqual([mitigation && isShared(mitigation.action), mitigation?.match.dstPorts], [true, AROUND]);
  });

  test('that no neighbor could enforce leaves the hosts their own', () => {
    const wide: Forecast = (match) =>
      match.dstPrefix.endsWith('/24')
        ? [{ neighbor: 'edge1', ok: false, why: 'too wide' }]
        : [{ neighbor: 'edge1', ok: true, routes: 1 }];
    const at = carpet(wide);
    bomb(at);
    assert.equal(live(at).length, hosts);
    assert.ok(live(at).every((prefix) => prefix.endsWith('/32')));
  });
});
