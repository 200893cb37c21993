import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BAN_MEMORY_BYTES, BAN_MEMORY_SIZE, RecentBans } from '../../src/core/state/recent.ts';

const UUID = '00000000-0000-4000-8000-000000000001';

function remembering(count: number, idOf: (i: number) => string): RecentBans {
  const bans = new RecentBans();
  for (let i = 0; i < count; i++) {
    bans.add({ source: 'fnm', externalId: idOf(i), at: 0, eventId: UUID, mitigationId: null });
    bans.forget(0);
    bans.settle();
  }
  return bans;
}

describe("detectors' ids of bans", () => {
  it('are remembered by the hundred thousand when they are as long as a UUID', () => {
    const bans = remembering(BAN_MEMORY_SIZE + 10, (i) => `${i}`.padStart(36, '0'));
    assert.ok(bans.size > 0.9 * BAN_MEMORY_SIZE && bans.size <= BAN_MEMORY_SIZE, `${bans.size}`);
  });

  it('are fewer when they are long, the newest of them', () => {
    const count = 100_000;
    const bans = remembering(count, (i) => `${i}`.padStart(255, '中'));
    assert.ok(bans.size * 2 * 2 * 255 < BAN_MEMORY_BYTES, `${bans.size} are remembered`);
    assert.ok(bans.get('fnm', `${count - 1}`.padStart(255, '中')) !== undefined);
    assert.equal(bans.get('fnm', '0'.padStart(255, '中')), undefined);
  });
});
