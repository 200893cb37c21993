import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RECENT_BYTES, RecentFacts } from '../../src/control/recent-facts.ts';
import type { RecordedFact } from '../../src/core/facts.ts';

const fact = (seq: number, length = 1): RecordedFact => ({
  seq,
  at: 0,
  fact: { type: 'safelist.removed', prefix: 'x'.repeat(length), actor: { kind: 'operator', name: 'noc' } },
});

describe('the newest facts', () => {
  it('are given after a number, and nothing where some of them are gone', () => {
    const recent = new RecentFacts();
    recent.add([fact(1), fact(2), fact(3)]);
    assert.deepEqual(
      recent.after(1, 3)?.map(({ seq }) => seq),
      [2, 3],
    );
    assert.deepEqual(recent.after(3, 3), []);
    for (let seq = 4; seq <= 25_000; seq++) recent.add([fact(seq)]);
    assert.ok(recent.size >= 10_000 && recent.size <= 20_000, `${recent.size} are kept`);
    assert.equal(recent.after(1, 25_000), undefined);
    assert.equal(recent.after(24_999, 25_000)?.length, 1);
  });

  it('are fewer when they are large, and at least one', () => {
    const recent = new RecentFacts();
    for (let seq = 1; seq <= 5000; seq++) recent.add([fact(seq, 50_000)]);
    assert.ok(recent.bytes <= RECENT_BYTES);
    assert.ok(recent.size > 100 && recent.size < 2000, `${recent.size} are kept`);
    assert.equal(recent.after(4999, 5000)?.[0]?.seq, 5000);
    recent.add([fact(5001, RECENT_BYTES)]);
    assert.equal(recent.size, 1);
  });

  it('are none at first', () => {
    assert.deepEqual(new RecentFacts().after(7, 7), []);
    assert.equal(new RecentFacts().after(6, 7), undefined);
  });
});
