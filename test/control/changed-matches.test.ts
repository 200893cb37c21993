import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChangedMatches } from '../../src/control/changed-matches.ts';
import type { Fact } from '../../src/core/facts.ts';
import { initialState, matchKey, type StateHandle } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { decide } from '../../src/core/decide/decide.ts';
import { ban, OPERATOR, POLICY } from './support.ts';

/** Folds facts as the engine does, and says what they touched. */
function follower() {
  const state: StateHandle = initialState();
  const touched = new ChangedMatches();
  let ids = 0;
  const fold = (facts: readonly Fact[]) => {
    const recorded = facts.map((fact, i) => ({ seq: state.seq + 1 + i, at: 1_000_000, fact }));
    for (const one of recorded) state.apply(one);
    return touched.by(recorded, state);
  };
  const report = (victim: string, changes = {}) => {
    const newId = (): string => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`;
    const context = { now: 1_000_000, policy: POLICY, newId };
    return fold(decide(state, ban(victim, changes), context).facts);
  };
  const only = (): Mitigation => {
    const [id = ''] = state.live;
    const mitigation = state.mitigations.get(id);
    assert.ok(mitigation);
    return mitigation;
  };
  return { state, touched, fold, report, only };
}

describe('What facts touch', () => {
  it('a new mitigation touches its match', () => {
    const { report, only } = follower();
    const touch = report('203.0.113.10');
    assert.deepEqual([...touch.keys], [matchKey(only().match)]);
    assert.deepEqual([touch.extended.size, touch.ending, touch.ended], [0, [], []]);
  });

  it('one that merely lasts longer touches no match, and is named', () => {
    const { report, only, touched, state } = follower();
    report('203.0.113.10');
    const touch = report('203.0.113.10');
    assert.deepEqual([...touch.extended], [only().id]);
    assert.equal(touch.keys.size, 0);
    assert.equal(touched.keysOf(only().id, state)[0], matchKey(only().match));
  });

  it('one that is widened touches the match it had and the one it has', () => {
    const { report, only } = follower();
    report('203.0.113.10', { ports: [53] });
    const before = matchKey(only().match);
    const touch = report('203.0.113.10', { ports: [53, 80] });
    const after = matchKey(only().match);
    assert.notEqual(before, after);
    assert.deepEqual(touch.keys, new Set([before, after]));
  });

  it('one that ends touches its match until it has ended, and no match afterwards', () => {
    const { report, fold, only, touched, state } = follower();
    report('203.0.113.10');
    const { id, match } = only();
    const ending = { to: 'withdrawn', actor: OPERATOR, reason: 'over', at: 1_000_000 } as const;
    const leaving = fold([{ type: 'mitigation.ending', id, ending }]);
    assert.deepEqual([[...leaving.keys], leaving.ending], [[matchKey(match)], [id]]);
    const gone = fold([{ type: 'mitigation.withdrawn', id }]);
    assert.deepEqual([[...gone.keys], gone.ended], [[matchKey(match)], [id]]);
    assert.equal(touched.keysOf(id, state)[0], undefined);
  });

  it('a safelist entry has every rule judged anew', () => {
    const { fold } = follower();
    const entry = {
      prefix: '203.0.113.0/24',
      reason: 'ours',
      addedBy: OPERATOR,
      addedAt: 1_000_000,
      configured: false,
    };
    assert.equal(fold([{ type: 'safelist.added', entry }]).guardChanged, true);
    assert.equal(
      fold([{ type: 'safelist.removed', prefix: entry.prefix, actor: OPERATOR }]).guardChanged,
      true,
    );
  });
});
