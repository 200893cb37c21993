import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { NOON, type PolicyOptions, World } from './scenario.ts';

/** An attack on `victim`, then an event every minute for `minutes` minutes with this confidence. */
function sustained(
  minutes: number,
  confidence: number | null,
  victim = '203.0.113.50',
  options: PolicyOptions = {},
): World {
  const world = new World(options);
  world.attack({ victim, confidence });
  for (let i = 0; i < minutes; i++) world.wait(60).event({ victim, confidence });
  return world;
}

function statusOf(world: World): string {
  const { answer } = world.last;
  return answer.type === 'event' ? answer.status : answer.type;
}

describe('escalation', () => {
  test('replaces police by discard when events kept coming long enough with enough confidence', () => {
    const world = sustained(2, 0.7);
    assert.equal(statusOf(world), 'escalated');
    assert.deepEqual(world.facts, ['event.received', 'mitigation.escalated']);
    const [id = ''] = world.state.live;
    const mitigation = world.get(id);
    assert.equal(mitigation.status, 'escalated');
    assert.deepEqual(mitigation.action, { type: 'discard', rateBps: null });
    assert.equal(mitigation.step, 1);
    assert.equal(mitigation.expiresAt, world.now + 300_000);
    assert.match(world.why, /confidence 0\.7 >= 0\.7, and the attack has lasted 120 s \(>= 120 s\)/);
  });

  test('keeps the rule: the same match, so that it is one replace', () => {
    const world = new World();
    const first = world.attack({ ports: [80], confidence: 1 });
    world.wait(100).event({ ports: [80], confidence: 1 });
    world.wait(20).event({ ports: [80], confidence: 1 });
    assert.deepEqual(world.get(first.id).match, first.match);
    assert.equal(world.get(first.id).action.type, 'discard');
  });

  test('waits for persistence, and says so', () => {
    const world = sustained(1, 0.9);
    assert.equal(statusOf(world), 'extended');
    assert.match(
      world.why,
      /not escalating to step 2 \(discard\) yet: .*the attack has lasted only 60 s of 120 s/,
    );
  });

  test('waits for confidence, and says so', () => {
    const world = sustained(5, 0.69);
    assert.equal(statusOf(world), 'extended');
    assert.match(world.why, /confidence 0\.69 < 0\.7/);
  });

  test('never happens on events without confidence', () => {
    assert.equal(statusOf(sustained(5, null)), 'extended');
  });

  test('starts persistence anew when events had stopped for longer than the window', () => {
    const playbooks = {
      playbooks: [
        {
          name: 'p',
          match: { vector: 'udp_flood' },
          steps: [
            { action: 'police' as const, rate_bps: 1e6, ttl_seconds: 1800 },
            { action: 'discard' as const },
          ],
        },
      ],
    };
    const world = new World({ playbooks });
    world.attack({ confidence: 1 });
    world.wait(301);
    assert.equal(world.event({ confidence: 1 }).status, 'extended');
    assert.match(world.why, /events had stopped; the persistence timer restarts/);
    world.wait(119);
    assert.equal(world.event({ confidence: 1 }).status, 'extended');
    world.wait(1);
    assert.equal(world.event({ confidence: 1 }).status, 'escalated');
  });

  test('starts persistence anew when the clock was set back to before the step', () => {
    const world = new World();
    world.attack({ confidence: 1 });
    world.wait(-3600).do({ type: 'expire' });
    world.event({ confidence: 1 });
    assert.equal(statusOf(world), 'extended');
    world.wait(60).event({ confidence: 1 });
    assert.equal(statusOf(world), 'extended');
    world.wait(60).event({ confidence: 1 });
    assert.equal(statusOf(world), 'escalated');
  });

  test('takes what a step leaves out from the escalation section', () => {
    const world = new World({ escalation: { minPersistenceSeconds: 10, minConfidence: 0.3 } });
    world.attack({ vector: 'syn_flood', confidence: 0.3 });
    world.wait(10);
    assert.equal(world.event({ vector: 'syn_flood', confidence: 0.3 }).status, 'escalated');
  });

  test('can be switched off', () => {
    const world = sustained(5, 1, '203.0.113.50', { escalation: { enabled: false } });
    assert.equal(statusOf(world), 'extended');
    assert.match(world.why, /escalation is off/);
  });

  test('a strict customer escalates sooner, with less confidence', () => {
    const world = sustained(1, 0.56, '198.51.100.1');
    assert.equal(statusOf(world), 'escalated', '0.7 x 0.8 and 120 s x 0.5');
  });

  test('a relaxed customer escalates later, with more confidence', () => {
    const world = sustained(3, 0.84, '198.51.100.200');
    assert.equal(statusOf(world), 'extended', '120 s x 2');
    world.wait(60);
    assert.equal(world.event({ victim: '198.51.100.200', confidence: 0.83 }).status, 'extended', '0.7 x 1.2');
    assert.equal(world.event({ victim: '198.51.100.200', confidence: 0.84 }).status, 'escalated');
  });

  test('goes one step at a time, each with its own persistence', () => {
    const step = (rate_bps: number) => ({ action: 'police' as const, rate_bps, ttl_seconds: 300 });
    const playbooks = {
      playbooks: [
        {
          name: 'three',
          match: { vector: 'udp_flood' },
          steps: [step(3e6), step(2e6), { action: 'discard' as const, ttl_seconds: 300 }],
        },
      ],
    };
    const world = new World({ playbooks });
    const first = world.attack({ confidence: 1 });
    world.wait(120).event({ confidence: 1 });
    assert.equal(world.get(first.id).action.rateBps, 2e6);
    world.wait(119).event({ confidence: 1 });
    assert.equal(world.get(first.id).step, 1);
    world.wait(1).event({ confidence: 1 });
    assert.equal(world.get(first.id).action.type, 'discard');
  });

  test('may narrow the rule where the next step says so, and the rule moves with it', () => {
    const playbooks = {
      playbooks: [
        {
          name: 'narrowing',
          match: { vector: 'udp_flood' },
          steps: [
            { action: 'police' as const, rate_bps: 1e6 },
            { action: 'discard' as const, match: { packet_length: '1000-1500' } },
          ],
        },
      ],
    };
    const world = new World({ playbooks });
    const first = world.attack({ confidence: 1 });
    world.wait(119).event({ confidence: 1 });
    world.wait(1).event({ confidence: 1 });
    const escalated = world.get(first.id);
    assert.equal(escalated.step, 1);
    assert.deepEqual(escalated.match.packetLengths, [[1000, 1500]]);
    world.wait(10);
    assert.equal(
      world.event({ confidence: 1 }).mitigation?.id,
      first.id,
      'later events find the narrowed rule',
    );
  });

  test('is not taken to a step whose rule would name a protected port', () => {
    const steps = [
      { action: 'police' as const, rate_bps: 1e6 },
      { action: 'discard' as const, match: { src_ports: [179] } },
    ];
    const playbooks = { playbooks: [{ name: 'p', match: { vector: 'udp_flood' }, steps }] };
    const world = sustained(2, 1, '203.0.113.50', { playbooks });
    assert.equal(statusOf(world), 'extended');
    assert.match(world.why, /not escalating to step 2 \(discard\): .*names protected port 179/);
  });
});

describe('stepping down', () => {
  test('an escalated mitigation is not extended by an event of little confidence and rate', () => {
    const world = sustained(2, 0.9);
    const [id = ''] = world.state.live;
    const { expiresAt } = world.get(id);
    world.wait(60);
    const answer = world.event({ confidence: 0.2, bps: 1e6 });
    assert.equal(answer.status, 'accepted_no_mitigation');
    assert.match(
      world.why,
      /is not extended: confidence 0.2 has fallen below 0.7, and the rate has fallen to 1 Mbit\/s/,
    );
    assert.equal(world.get(id).expiresAt, expiresAt);
    world.now = expiresAt;
    world.do({ type: 'expire' });
    assert.equal(world.get(id).ending?.to, 'expired');
  });

  test('little confidence alone, at a rate that the step before would have cut, still extends', () => {
    const world = sustained(2, 0.9);
    world.wait(60);
    assert.equal(world.event({ confidence: 0.2, bps: 1e9 }).status, 'extended');
  });

  test("figures below the playbook's own do not extend its mitigation", () => {
    const steps = [{ action: 'police' as const, rate_bps: 1e6 }];
    const playbooks = {
      playbooks: [{ name: 'big', match: { vector: 'udp_flood', min_bps: 1e9 }, steps }],
      default_playbook: { steps },
    };
    const world = new World({ playbooks });
    const first = world.attack({ bps: 2e9 });
    world.wait(60);
    assert.equal(world.event({ bps: 5e8 }).status, 'accepted_no_mitigation');
    assert.equal(world.get(first.id).expiresAt, NOON + 120_000);
    assert.equal(world.event({}).status, 'extended', 'an event that gives no rate has not fallen');
  });
});

describe('TTL', () => {
  test('is scaled by the profile', () => {
    const world = new World();
    assert.equal(world.attack({ victim: '198.51.100.1' }).expiresAt, NOON + 180_000, 'strict x 1.5');
    assert.equal(world.attack({ victim: '198.51.100.200' }).expiresAt, NOON + 90_000, 'relaxed x 0.75');
  });

  test('out of bounds after scaling is brought within them, and the answer says so', () => {
    const world = new World({ timers: { minTtlSeconds: 100, maxTtlSeconds: 150 } });
    assert.equal(world.attack({ victim: '198.51.100.1' }).expiresAt, NOON + 150_000);
    assert.match(world.why, /TTL 180 s lowered to the maximum of 150 s/);
    assert.equal(world.attack({ victim: '198.51.100.200' }).expiresAt, NOON + 100_000);
  });

  test('of a step without one is the default', () => {
    const world = new World({ timers: { defaultTtlSeconds: 77 } });
    world.policy = new World({
      timers: { defaultTtlSeconds: 77 },
      playbooks: { default_playbook: { steps: [{ action: 'discard' }] } },
    }).policy;
    assert.equal(world.attack({}).expiresAt, NOON + 77_000);
  });
});
