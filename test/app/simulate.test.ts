import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { defaultConfig } from '../../src/config/default.ts';
import { Rehearsal, reported as reportedAt, ruleText, Simulation } from '../../src/app/simulate.ts';
import { placeInTime } from '../../src/app/simulate.ts';
import type { SimulatedStep } from '../../src/app/simulate.ts';
import type { RecordedFact } from '../../src/core/facts.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import type { Detection } from '../../src/core/types.ts';
import { sound } from '../config/folder.ts';

let policy: Policy;
before(async () => {
  policy = sound(
    await defaultConfig({
      settings: { quotas: { max_active_per_customer: 2 } },
      inventory: { customers: [{ customer_id: 'acme', prefixes: ['203.0.113.0/24'] }] },
    }),
  ).policy;
});

const BEGIN = Date.UTC(2026, 0, 1);

function detection(seconds: number, overrides: Partial<Detection> = {}): Detection {
  return {
    externalId: null,
    source: 'fnm',
    action: 'ban',
    victim: '203.0.113.10',
    vector: 'udp_flood',
    protocol: 17,
    bps: 5e9,
    pps: null,
    confidence: 0.9,
    ports: [],
    at: BEGIN + seconds * 1000,
    details: {},
    ...overrides,
  };
}

/** Makes a report with the given time. */
function reported(detection: Detection, otherwise: number) {
  return reportedAt(detection, detection.at ?? otherwise);
}

function statuses(steps: readonly SimulatedStep[]): readonly string[] {
  return steps.map(({ answer }) => (answer.type === 'event' ? answer.status : answer.type));
}

test('time comes from the events: what expired in between has expired', () => {
  const simulation = new Simulation(policy);
  const steps = [0, 60, 600].map((seconds) => simulation.step(reported(detection(seconds), 0)));
  assert.deepEqual(statuses(steps), ['accepted', 'extended', 'accepted']);
  const { mitigations, mostAtOnce, stillActive } = simulation.summary();
  assert.deepEqual(
    { mitigations, mostAtOnce, stillActive },
    { mitigations: 2, mostAtOnce: 1, stillActive: 1 },
  );
});

test('however many expire at one time, all of them have expired', () => {
  const roomy = {
    ...policy,
    quotas: { ...policy.quotas, maxNewPerMinute: 1000, maxActivePerCustomer: 1000 },
  };
  const simulation = new Simulation({ ...roomy, quotas: { ...roomy.quotas, maxActivePerPop: 1000 } });
  for (let i = 0; i < 250; i++) simulation.step(reported(detection(0, { victim: `203.0.113.${i}` }), 0));
  simulation.step(reported(detection(3600), 0));
  assert.equal(simulation.summary().stillActive, 1);
});

test('time never runs backwards', () => {
  const simulation = new Simulation(policy);
  simulation.step(reported(detection(60), 0));
  assert.equal(simulation.step(reported(detection(0), 0)).at, BEGIN + 60_000);
});

test('an event without a time happens at the time that is given', () => {
  assert.equal(reported(detection(0, { at: null }), 42).at, 42);
});

/** Takes and returns seconds; undefined if the times contradict the start. */
function placed(
  times: readonly (number | null)[],
  options: { readonly spacing?: number; readonly start?: number } = {},
): readonly number[] | undefined {
  const { spacing = 1, start = null } = options;
  return placeInTime(
    times.map((time) => time && time * 1000),
    { spacing: spacing * 1000, start: start && start * 1000, now: 5_000_000 },
  )?.map((ms) => ms / 1000);
}

test('lines without a time follow the line before by the spacing', () => {
  assert.deepEqual(placed([100, null, null, 200, null]), [100, 101, 102, 200, 201]);
  assert.deepEqual(placed([100, null, 200], { spacing: 30 }), [100, 130, 200]);
});

test('lines without a time never pass the next time in the file: they lie evenly before it', () => {
  assert.deepEqual(placed([100, null, null, null, 102]), [100, 100.5, 101, 101.5, 102]);
  assert.deepEqual(placed([100, null, 100, null, 90]), [100, 100, 100, 100, 100]);
});

test('lines without a time in front happen before the first time, or from the start on', () => {
  assert.deepEqual(placed([null, null, 100]), [98, 99, 100]);
  assert.deepEqual(placed([null, null, 100], { start: 60 }), [60, 61, 100]);
  assert.deepEqual(placed([null, null, 100], { start: 99 }), [99, 99.5, 100]);
  assert.equal(placed([null, 100], { start: 101 }), undefined);
});

test('without any time in the file the first line happens at the start, or now', () => {
  assert.deepEqual(placed([null, null, null]), [5000, 5001, 5002]);
  assert.deepEqual(placed([null, null], { start: 60, spacing: 0 }), [60, 60]);
  assert.deepEqual(placed([]), []);
});

test('the same input gives the same output, ids included', () => {
  const run = () => {
    const simulation = new Simulation(policy);
    return [0, 10, 200].map((seconds) => simulation.step(reported(detection(seconds), 0)));
  };
  assert.deepEqual(run(), run());
});

test('the summary counts answers, customers and refusals by reason', () => {
  const simulation = new Simulation(policy);
  for (const victim of ['203.0.113.1', '203.0.113.2', '203.0.113.3', '192.0.2.77']) {
    simulation.step(reported(detection(0, { victim }), 0));
  }
  const { byStatus, refusals, customers, mostAtOnce } = simulation.summary();
  assert.deepEqual(Object.fromEntries(byStatus), { accepted: 2, rejected: 2 });
  assert.deepEqual(Object.fromEntries(refusals), { quota_customer: 1, not_in_inventory: 1 });
  assert.deepEqual(Object.fromEntries(customers), { acme: 2 });
  assert.equal(mostAtOnce, 2);
});

/** Records the facts of a daemon with another policy. */
function record(): readonly RecordedFact[] {
  const live = new Simulation(policy);
  const { answer } = live.step(reported(detection(0), 0));
  assert.ok(answer.type === 'event' && answer.mitigation !== null);
  const mitigation = { ...answer.mitigation, id: 'aaaaaaaa-0000-4000-8000-000000000001' };
  const actor = { kind: 'operator', name: 'ana' } as const;
  const facts: readonly RecordedFact['fact'][] = [
    {
      type: 'event.received',
      event: {
        id: 'bbbbbbbb-0000-4000-8000-000000000001',
        receivedAt: BEGIN,
        detection: detection(0),
        actor: { kind: 'detector', name: 'fnm' },
        status: 'accepted',
        refusal: null,
        mitigationId: mitigation.id,
        why: [],
      },
    },
    { type: 'mitigation.created', mitigation },
    {
      type: 'mitigation.ending',
      id: mitigation.id,
      ending: { to: 'withdrawn', at: BEGIN + 1000, actor, reason: 'false positive' },
    },
    { type: 'mitigation.withdrawn', id: mitigation.id },
    {
      type: 'safelist.added',
      entry: {
        prefix: '203.0.113.0/24',
        reason: 'x',
        addedAt: BEGIN + 2000,
        addedBy: actor,
        configured: false,
      },
    },
  ];
  return facts.map((fact, i) => ({ seq: i + 1, at: BEGIN + i * 1000, fact }));
}

test('a record is decided anew: reports and operators speak, the daemon does not repeat itself', () => {
  const simulation = new Simulation(policy);
  const rehearsal = new Rehearsal(simulation);
  const steps = record().flatMap((fact) => rehearsal.step(fact) ?? []);
  assert.deepEqual(
    steps.map(({ command }) => command.type),
    ['event', 'withdraw', 'safelist-add'],
  );
  assert.equal(simulation.summary().stillActive, 0);
});

test('the rule is told in operator notation', () => {
  const { answer } = new Simulation(policy).step(reported(detection(0, { ports: [53] }), 0));
  assert.ok(answer.type === 'event' && answer.mitigation !== null);
  assert.match(
    ruleText(answer.mitigation),
    /^match dst 203\.0\.113\.10\/32 proto udp dst-port 53 then rate-limit /,
  );
});
