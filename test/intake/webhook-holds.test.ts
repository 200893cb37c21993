/** What alarms of a webhook do to mitigations: repeated, ended, out of order, and about many hosts of one prefix. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AdapterSettings } from '../../src/intake/webhook/adapter-settings.ts';
import { compileAdapter } from '../../src/intake/webhook/compile-adapter.ts';
import { readPart, selectParts } from '../../src/intake/webhook/read-document.ts';
import { isActive } from '../../src/core/state/indices.ts';
import { FNM, NOON, type PolicyOptions, World } from '../core/scenario.ts';

const MAPPING: AdapterSettings = {
  each: '$',
  event_id: '$.AlarmID',
  victim_ip: '$.target',
  vector: { constant: 'udp_flood' },
  action: { path: '$.state', map: { alarm: 'ban', clear: 'unban' }, otherwise: 'ignore' },
  timestamp: { path: '$.StartTime', format: 'YYYY-MM-DD HH:mm:ss UTC' },
};

const ALARM = { AlarmID: 17, target: '203.0.113.50', state: 'alarm', StartTime: '2026-01-15 12:00:00 UTC' };

class Hook extends World {
  readonly #adapter;

  constructor(mapping = MAPPING, options: PolicyOptions = {}) {
    super(options);
    const { adapter } = compileAdapter('kentik', mapping);
    assert.ok(adapter !== undefined);
    this.#adapter = adapter;
  }

  /** Sends a document; returns the statuses of its events. */
  send(document: unknown): readonly string[] {
    const parts = selectParts(this.#adapter, document, 1000);
    assert.ok(parts.ok);
    return parts.value.flatMap((part) =>
      readPart(this.#adapter, part, undefined, 1000).map(({ signal }) => {
        if (signal.kind !== 'detection') return signal.kind;
        const { answer } = this.do({ type: 'event', detection: signal.detection, actor: FNM });
        assert.ok(answer.type === 'event');
        return answer.status;
      }),
    );
  }

  get victims(): readonly string[] {
    return [...this.state.mitigations.values()].filter(isActive).map(({ victim }) => victim);
  }
}

describe('an alarm', () => {
  it('that is repeated under its id keeps its mitigation, however long ago it began', () => {
    const world = new Hook();
    assert.deepEqual(world.send(ALARM), ['accepted']);
    for (let minutes = 1; minutes <= 20; minutes++) {
      world.wait(60);
      assert.deepEqual(world.send(ALARM), ['extended'], `after ${minutes} minutes`);
    }
    assert.deepEqual(world.victims, ['203.0.113.50']);
  });

  it('that began long before its first report is mitigated', () => {
    const world = new Hook();
    world.wait(3600);
    assert.deepEqual(world.send(ALARM), ['accepted']);
  });

  it('ends with its clear, which has the time of its beginning, too', () => {
    const world = new Hook();
    world.send(ALARM);
    world.wait(600);
    assert.deepEqual(world.send({ ...ALARM, state: 'clear' }), ['withdrawn']);
  });

  it('does not end with the clear of an earlier one', () => {
    const world = new Hook();
    world.wait(600);
    world.send({ ...ALARM, AlarmID: 18, StartTime: '2026-01-15 12:10:00 UTC' });
    assert.deepEqual(world.send({ ...ALARM, state: 'clear' }), ['no_active_mitigation']);
    assert.equal(world.victims.length, 1);
  });

  it('of two about one victim holds it until both are clear', () => {
    const world = new Hook();
    world.send(ALARM);
    world.send({ ...ALARM, AlarmID: 18 });
    assert.deepEqual(world.send({ ...ALARM, state: 'clear' }), ['released']);
    assert.deepEqual(world.send({ ...ALARM, AlarmID: 18, state: 'clear' }), ['withdrawn']);
  });

  it('in another state decides nothing', () => {
    const world = new Hook();
    assert.deepEqual(world.send({ ...ALARM, state: 'acknowledged' }), ['ignored']);
    assert.equal(world.journal.length, 0);
  });

  it('ahead of our clock began now', () => {
    const world = new Hook();
    world.send({ ...ALARM, StartTime: '2026-01-15 12:30:00 UTC' });
    const [mitigation] = world.state.mitigations.values();
    assert.equal(mitigation?.holds?.[0]?.beganAt, NOON);
  });
});

describe('carpet bombing in one document', () => {
  const LIST: AdapterSettings = { ...MAPPING, victim_ip: '$.targets' };
  const targets = Array.from({ length: 30 }, (_, i) => `203.0.113.${100 + i}`);
  const options: PolicyOptions = { guardrails: { dstPrefixMinLen: 24 } };

  it('is one rule for the prefix, and steps back to the hosts when it narrows', () => {
    const world = new Hook(LIST, options);
    const statuses = world.send({ ...ALARM, targets });
    assert.equal(statuses.length, 30);
    assert.deepEqual(world.victims, ['203.0.113.0/24']);
    world.wait(60);
    world.send({ ...ALARM, targets: targets.slice(3), state: 'clear' });
    assert.deepEqual([...world.victims].sort(), targets.slice(0, 3));
  });

  it('is about fewer victims later: each has its own hold, and one clear ends one of them', () => {
    const world = new Hook(LIST);
    world.send({ ...ALARM, targets: targets.slice(0, 2) });
    world.wait(60);
    assert.deepEqual(world.send({ ...ALARM, targets: targets.slice(0, 1) }), ['extended']);
    assert.deepEqual(world.send({ ...ALARM, targets: targets[1], state: 'clear' }), ['withdrawn']);
    assert.deepEqual(world.victims, [targets[0]]);
  });

  it('may be reported as the prefix itself', () => {
    const world = new Hook(MAPPING, options);
    assert.deepEqual(world.send({ ...ALARM, target: '203.0.113.0/24' }), ['accepted']);
    assert.deepEqual(world.victims, ['203.0.113.0/24']);
    assert.deepEqual(world.send({ ...ALARM, target: '203.0.113.0/24', state: 'clear' }), ['withdrawn']);
  });
});
