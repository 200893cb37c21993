import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StateView } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { Publication } from '../../src/exchange/publication.ts';
import { mitigation, OPERATOR, stateOf } from '../control/support.ts';

const ID = mitigation().id;
const SECOND = 1_000;

/** A state with these mitigations, of which the ended ones are not live. */
function state(...mitigations: readonly Mitigation[]): StateView {
  const all = stateOf(mitigations, ({ id }) => id);
  const live = new Set(mitigations.filter(({ endedAt }) => endedAt === null).map(({ id }) => id));
  return { ...all, live };
}

/** Takes everything that is due, as if it were written. */
function publish(publication: Publication, view: StateView, now = 0) {
  publication.mark(ID);
  const drafts = publication.take(view, 'iad1', now, 100);
  publication.written(drafts);
  return drafts.map(({ intent, isForOthers }) => ({ kind: intent.kind, isForOthers }));
}

const withdrawn = (changes: Partial<Mitigation> = {}): Mitigation =>
  mitigation({
    ending: { to: 'withdrawn', at: 0, actor: OPERATOR, reason: 'over' },
    ...changes,
  });

describe('what a POP publishes', () => {
  it('is a mitigation once, and its end once', () => {
    const publication = new Publication();
    const everywhere = state(mitigation({ pops: ['*'] }));
    assert.deepEqual(publish(publication, everywhere), [{ kind: 'standing', isForOthers: true }]);
    assert.deepEqual(publish(publication, everywhere), []);
    assert.deepEqual(publish(publication, state(withdrawn())), [{ kind: 'ended', isForOthers: true }]);
    assert.deepEqual(publish(publication, state(withdrawn())), []);
  });

  it('wakes nobody for what is for this POP alone', () => {
    const publication = new Publication();
    assert.deepEqual(publish(publication, state(mitigation())), [{ kind: 'standing', isForOthers: false }]);
    const wider = state(mitigation({ pops: ['fra1', 'iad1'] }));
    assert.deepEqual(publish(publication, wider), [{ kind: 'standing', isForOthers: true }]);
    // Those who held it must learn that it is no longer for them.
    assert.deepEqual(publish(publication, state(mitigation())), [{ kind: 'standing', isForOthers: true }]);
  });

  it('is an extension only if it moves the end by a quarter of what is left, which comes before the published end', () => {
    const publication = new Publication();
    publish(publication, state(mitigation({ expiresAt: 120 * SECOND })));
    const extended = (seconds: number) => state(mitigation({ expiresAt: seconds * SECOND }));
    for (const now of [10, 20, 29]) {
      assert.deepEqual(publish(publication, extended(120 + now), now * SECOND), [], `${now} s`);
    }
    assert.equal(publish(publication, extended(150), 30 * SECOND).length, 1);
    // The last report before the silence: 20 s later than published.
    assert.deepEqual(publish(publication, extended(170), 50 * SECOND), []);
    publication.markDue(extended(170), 89 * SECOND);
    assert.equal(publication.isDirty, false);
    publication.markDue(extended(170), 90 * SECOND);
    assert.equal(publication.isDirty, true);
    assert.equal(publish(publication, extended(170), 90 * SECOND).length, 1);
  });

  it('is every shorter end, and every change of the rule', () => {
    const publication = new Publication();
    publish(publication, state(mitigation()));
    assert.equal(publish(publication, state(mitigation({ expiresAt: 60 * SECOND }))).length, 1);
    const police = { type: 'police', rateBps: 1 } as const;
    assert.equal(
      publish(publication, state(mitigation({ expiresAt: 60 * SECOND, action: police }))).length,
      1,
    );
  });

  it('is nothing of other POPs, of a dry run, or new during a pause', () => {
    const publication = new Publication();
    const origin = { pop: 'fra1', epoch: 1, n: 1 };
    assert.deepEqual(publish(publication, state(mitigation({ origin }))), []);
    assert.deepEqual(publish(publication, state(mitigation({ dryRun: true }))), []);
    const paused = { ...state(mitigation()), paused: { actor: OPERATOR, at: 0, reason: 'test' } };
    assert.deepEqual(publish(publication, paused), []);
    assert.equal(publish(publication, state(mitigation())).length, 1);
    assert.equal(publish(publication, { ...state(withdrawn()), paused: paused.paused }).length, 1);
  });

  it('is no end that others reach by themselves', () => {
    const publication = new Publication();
    publish(publication, state(mitigation()));
    const expired = withdrawn({ ending: { to: 'expired', at: 0, actor: OPERATOR, reason: 'TTL' } });
    assert.deepEqual(publish(publication, state(expired), 120 * SECOND), []);
    assert.equal(publication.size, 0);
  });

  it('is everything again at a new epoch, also what was withdrawn while its TTL lasts', () => {
    const publication = new Publication();
    const other = '00000000-0000-4000-8000-000000000002';
    const gone = '00000000-0000-4000-8000-000000000003';
    const old = '00000000-0000-4000-8000-000000000004';
    const view = state(
      mitigation(),
      withdrawn({ id: other }),
      withdrawn({ id: gone, endedAt: 5, status: 'withdrawn' }),
      withdrawn({ id: old, endedAt: 5, status: 'withdrawn', expiresAt: 10 }),
    );
    publication.restart(view, 20);
    const drafts = publication.take(view, 'iad1', 20, 100);
    assert.deepEqual(
      drafts.map(({ intent }) => [intent.kind, intent.id]),
      [
        ['standing', ID],
        ['ended', other],
        ['ended', gone],
      ],
    );
    // What is withdrawn before it is written again may stand elsewhere.
    const meanwhile = state(withdrawn());
    publication.restart(state(mitigation()), 20);
    assert.deepEqual(
      publication.take(meanwhile, 'iad1', 20, 100).map(({ intent }) => intent.kind),
      ['ended'],
    );
    publication.restart(view, 20);
    publication.take(view, 'iad1', 20, 100);
    // What could not be written is taken again.
    publication.giveBack(drafts);
    assert.equal(publication.take(view, 'iad1', 20, 2).length, 2);
    assert.equal(publication.take(view, 'iad1', 20, 2).length, 1);
  });
});
