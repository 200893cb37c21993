import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LoadJudge, metInterval } from '../../src/http/overload.ts';

describe('overload', () => {
  it('sheds reads before events, each after two late windows, and nothing when the loop is in time again', () => {
    const judge = new LoadJudge({ readsMs: 100, eventsMs: 400 });
    const shed = (): string =>
      `${judge.shedsReads ? 'reads ' : ''}${judge.shedsEvents ? 'events' : ''}`.trim();
    const after = [200, 200, 500, 500, 200, 20, 500, 20].map((late) => {
      judge.note(late);
      return shed();
    });
    assert.deepEqual(after, ['', 'reads', 'reads', 'reads events', 'reads', '', '', '']);
  });

  it('never sheds events while reads are taken', () => {
    const judge = new LoadJudge({ readsMs: 100, eventsMs: 50 });
    for (const late of [80, 80]) judge.note(late);
    assert.ok(!judge.shedsEvents);
  });

  it('takes intervals as whoever comes at any moment meets them', () => {
    // Ten of 10 ms and one of 100 ms: mean 18.2, deviation 25.9; half of the time is in the long one.
    assert.equal(Math.round(metInterval(18.18, 25.87)), 55);
    assert.equal(metInterval(0, 0), 0);
  });
});
