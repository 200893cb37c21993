import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { activeEverywhere } from '../../src/core/policy/guardrails.ts';
import { elsewhereOf } from '../../src/exchange/pop-overview.ts';
import type { Heartbeat, KnownPop } from '../../src/exchange/types.ts';

/** fra has `active` of its own, of which `imported` are carried out here. */
function fra(active: number, imported: number, lagMs = 100): KnownPop {
  const heartbeat = { active } as Heartbeat;
  return { name: 'fra', isSelf: false, isAccepted: true, lagMs, heartbeat, imported, unreadable: 0 };
}

/** This POP has 10 of its own beside what it imported. */
function count(pop: KnownPop) {
  const { imported } = pop;
  const state = {
    activeTotal: () => 10 + imported,
    activeImported: () => new Map([['fra', imported]]),
  };
  return activeEverywhere(state, elsewhereOf([pop]), false);
}

describe('the limit on all POPs', () => {
  it('counts each mitigation once, whether it is imported or not', () => {
    assert.equal(count(fra(100, 100)).count, 110);
    assert.equal(count(fra(100, 0)).count, 110);
    assert.equal(count(fra(100, 40)).count, 110);
  });

  it('counts what was imported since the last heartbeat', () => {
    assert.equal(count(fra(0, 30)).count, 40);
  });

  it('says that a number is old', () => {
    assert.match(count(fra(100, 0, 600_000)).words, /last known number of fra/);
  });
});
