import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UpdateLatency } from '../../../src/app/observe/metrics.ts';
import type { RecordedFact } from '../../../src/core/facts.ts';

function measuring(): { latency: UpdateLatency; seconds: number[]; time: { now: number } } {
  const time = { now: 1_000 };
  const seconds: number[] = [];
  return {
    latency: new UpdateLatency(
      () => time.now,
      (one) => seconds.push(one),
    ),
    seconds,
    time,
  };
}

function escalated(id: string, at: number): RecordedFact {
  return { seq: 1, at, fact: { type: 'mitigation.escalated', id, change: {} } };
}

describe('the latency from decision to UPDATE', () => {
  it('ends with the first UPDATE, whichever neighbor gets it, and is counted once', () => {
    const { latency, seconds, time } = measuring();
    latency.decided(escalated('m', 1_000));
    time.now = 1_250;
    latency.sent('m');
    time.now = 1_900;
    latency.sent('m');
    assert.deepEqual(seconds, [0.25]);
  });

  it('is not counted for an UPDATE without a decision, such as those of a new session', () => {
    const { latency, seconds, time } = measuring();
    latency.sent('m');
    time.now = 5_000;
    latency.decided(escalated('m', 5_000));
    assert.deepEqual(seconds, []);
  });
});
