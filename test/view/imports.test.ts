/** Another POP's mitigation is shown as that: in the API, the feed, the audit log and alerts. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AlertEvent, alertOf } from '../../src/alert/alert.ts';
import type { Fact } from '../../src/core/facts.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { AuditTrail } from '../../src/store/audit/audit-entry.ts';
import { factView } from '../../src/view/fact.ts';
import { historyView } from '../../src/view/history.ts';
import { decidedMitigationView } from '../../src/view/mitigation.ts';
import { EXCHANGE, importedId, takeOver, version } from '../core/intents.ts';
import { NOON, World } from '../core/scenario.ts';

const DEFAULT: readonly AlertEvent[] = ['mitigation.created', 'mitigation.withdrawn', 'mitigation.expired'];

function alerted(fact: Fact, of: Mitigation, wanted: readonly AlertEvent[]): string | undefined {
  return alertOf({ seq: 1, at: NOON, fact }, new Set(wanted), 'iad1', () => of)?.summary;
}

function worldWithImport(): World {
  const world = new World({ exchange: EXCHANGE });
  takeOver(world, version(1, { pops: ['ams1', 'iad1'] }));
  return world;
}

describe('a mitigation of another POP', () => {
  it('names the POP that decided it and those that filter', () => {
    const world = worldWithImport();
    const view = decidedMitigationView(world.get(importedId(1)));
    assert.deepEqual([view.pop, view.origin, view.pops], ['iad1', 'ams1', ['ams1', 'iad1']]);
    const own = decidedMitigationView(new World().attack());
    assert.deepEqual([own.pop, own.origin, own.pops], ['iad1', null, ['iad1']]);
  });

  it('says in its history from whom it came and who extended it', () => {
    const world = worldWithImport();
    world.wait(30);
    takeOver(world, version(2, { pops: ['ams1', 'iad1'] }));
    const life = world.state.lifeOf(importedId(1));
    assert.ok(life !== undefined);
    assert.deepEqual(
      historyView(life, new Map()).map(({ text }) => text),
      [
        'taken over from ams1 (via exchange): discard, until 2026-01-15T12:01:40.000Z',
        'extended by ams1 (via exchange) until 2026-01-15T12:02:10.000Z',
      ],
    );
  });

  it('is in the audit log as the act of its POP', () => {
    const world = worldWithImport();
    takeOver(world, version(2, { step: 1, pops: ['ams1'] }));
    const trail = new AuditTrail();
    const entries = world.journal.map((fact) => trail.entryOf(fact));
    assert.deepEqual(
      entries.map(({ action, actor }) => [action, actor.name, actor.via]),
      [
        ['mitigation.imported', 'ams1', 'exchange'],
        ['mitigation.widened', 'ams1', 'exchange'],
      ],
    );
    assert.deepEqual(entries[1]?.before?.pops, ['ams1', 'iad1']);
    assert.deepEqual(entries[1]?.after?.pops, ['ams1']);
  });

  it('raises alerts only where they are asked for, because its own POP tells of it', () => {
    const world = worldWithImport();
    const of = world.get(importedId(1));
    const begun: Fact = { type: 'mitigation.imported', mitigation: of };
    const over: Fact = { type: 'mitigation.expired', id: of.id };
    assert.equal(alerted(begun, of, DEFAULT), undefined);
    assert.equal(alerted(over, of, DEFAULT), undefined);
    const asked = [...DEFAULT, 'mitigation.imported'] as const;
    assert.match(alerted(begun, of, asked) ?? '', /^Mitigation of another POP taken over: udp_flood on 203/);
    assert.match(alerted(over, of, asked) ?? '', /^Mitigation expired/);
  });

  it('that is refused is recorded with the reason, in the feed and in the audit log', () => {
    const world = new World({ exchange: EXCHANGE, safelist: ['203.0.113.50/32'] });
    takeOver(world, version(1));
    const [refused] = world.journal;
    assert.ok(refused !== undefined);
    const view = factView(refused);
    assert.deepEqual(
      [view.type, view.mitigation_id, view.origin, view.reason],
      ['import.refused', importedId(1), 'ams1', 'safelisted'],
    );
    const entry = new AuditTrail().entryOf(refused);
    assert.deepEqual(
      [entry.actor.name, entry.target.id, entry.reason],
      ['ams1', importedId(1), 'safelisted'],
    );
    assert.match(
      alerted(refused.fact, new World().attack(), ['import.refused']) ?? '',
      /^Mitigation of POP ams1 refused: udp_flood on 203\.0\.113\.50/,
    );
  });
});
