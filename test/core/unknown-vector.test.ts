/** Attacks of an unknown kind: as little of the victim's traffic is policed as the report allows. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readPlaybooks } from '../../src/config/load.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import { type PlaybooksData, playbooksSchema, type StepData } from '../../src/core/policy/playbook-schema.ts';
import { type EventOptions, World } from './scenario.ts';

/** A world with the default playbook that is shipped. */
async function shipped(): Promise<World> {
  const sources = await readPlaybooks(`${import.meta.dirname}/../..`, []);
  const value = sources.find(({ file }) => file.endsWith('default.yaml'))?.value;
  const { default_playbook } = Object(value) as PlaybooksData;
  assert.ok(default_playbook !== undefined);
  return new World({ playbooks: { default_playbook } });
}

describe('an unknown vector, with the shipped default playbook', () => {
  const cases: readonly (readonly [string, EventOptions, object])[] = [
    ['the reported protocol', { protocol: 17 }, { protocol: 17, dstPorts: [] }],
    [
      'the reported ports',
      { ports: [80, 443] },
      {
        protocol: null,
        dstPorts: [
          [80, 80],
          [443, 443],
        ],
      },
    ],
    ['both', { protocol: 6, ports: [80] }, { protocol: 6, dstPorts: [[80, 80]] }],
  ];
  for (const [what, report, match] of cases) {
    test(`is policed at 10 Mbit/s for ${what} alone`, async () => {
      const world = await shipped();
      const mitigation = world.attack({ vector: 'weird', ...report });
      const { protocol, dstPorts } = mitigation.match;
      assert.deepEqual({ protocol, dstPorts }, match);
      assert.deepEqual(mitigation.action, { type: 'police', rateBps: 10_000_000 });
      assert.doesNotMatch(world.why, /all protocols/);
    });
  }

  test('has ten times the rate for the whole host where the report names neither, and the answer says so', async () => {
    const world = await shipped();
    const { action, match } = world.attack({ vector: 'weird' });
    assert.deepEqual(match, { dstPrefix: '203.0.113.50/32', protocol: null, dstPorts: [], srcPorts: [] });
    assert.deepEqual(action, { type: 'police', rateBps: 100_000_000 });
    assert.match(
      world.why,
      /^vector weird is unknown: the rule matches all protocols of the host, so the action is police at 100 Mbit\/s \(whole_host_rate_bps\); a report that names a protocol or ports leads to a narrower rule$/m,
    );
  });

  test('names TCP and UDP when the rule excludes allowed ports', async () => {
    const world = await shipped();
    world.attack({ vector: 'unknown', victim: '203.0.113.10' });
    assert.match(world.why, /^the vector is unknown: the rule matches both TCP and UDP of the host, so/m);
  });

  test('keeps its rate when it is reported again', async () => {
    const world = await shipped();
    const { id } = world.attack({ vector: 'weird' });
    assert.equal(world.wait(10).event({ vector: 'weird' }).status, 'extended');
    assert.equal(world.get(id).action.rateBps, 100_000_000);
  });
});

describe('a step of a playbook', () => {
  test('has one rate for everything unless it names another for the whole host', () => {
    const world = new World({
      playbooks: { default_playbook: { steps: [{ action: 'police', rate_bps: 1e7 }] } },
    });
    assert.equal(world.attack({ vector: 'weird' }).action.rateBps, 1e7);
    assert.match(world.why, /the rule matches all protocols of the host; a report/);
  });

  test('that escalates for the whole host has its own rate', () => {
    const step = {
      action: 'police',
      require_persistence_seconds: 0,
      require_confidence_at_least: 0,
    } as const;
    const world = new World({
      playbooks: {
        default_playbook: {
          steps: [
            { action: 'police', rate_bps: 1e7, whole_host_rate_bps: 1e8 },
            { ...step, rate_bps: 5e6, whole_host_rate_bps: 5e7 },
          ],
        },
      },
    });
    const { id } = world.attack({ vector: 'weird' });
    assert.equal(world.wait(1).event({ vector: 'weird', confidence: 1 }).status, 'escalated');
    assert.equal(world.get(id).action.rateBps, 5e7);
  });

  test('may not have such a rate of 0, and not with a discard', () => {
    const problems = (step: StepData): readonly string[] => {
      const data = { default_playbook: { steps: [step] } };
      const parsed = playbooksSchema.safeParse(data);
      if (!parsed.success) return parsed.error.issues.map(({ path }) => path.join('.'));
      return buildPlaybooks(parsed.data).problems.map(({ severity }) => severity);
    };
    assert.deepEqual(problems({ action: 'police', rate_bps: 1, whole_host_rate_bps: 0 }), [
      'default_playbook.steps.0.whole_host_rate_bps',
    ]);
    assert.deepEqual(problems({ action: 'discard', whole_host_rate_bps: 5 }), ['warning']);
  });
});
