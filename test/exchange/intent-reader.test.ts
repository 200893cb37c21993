import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Answer, Command } from '../../src/core/commands.ts';
import { standingIntent } from '../../src/core/own-intents.ts';
import { initialState } from '../../src/core/state/state.ts';
import type { IntentVersion } from '../../src/core/types.ts';
import { encodeIntent } from '../../src/exchange/intent-codec.ts';
import { IntentReader, type IntentSource } from '../../src/exchange/intent-reader.ts';
import type { Heartbeat, IntentRow } from '../../src/exchange/types.ts';
import { mitigation, POLICY } from '../control/support.ts';

const id = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

function row(epoch: number, n: number, ended = false): IntentRow {
  const standing = standingIntent(mitigation({ id: id(n), pops: ['*'] }), 0).intent;
  const over = { kind: 'ended', id: id(n), to: 'withdrawn', reason: 'over', actorName: 'kim' } as const;
  const body = encodeIntent(ended ? over : standing);
  return { pop: 'fra', epoch, n, id: id(n), body, remainingMs: 60_000, ageMs: 0 };
}

function heartbeat(epoch: number, n: number): Heartbeat {
  const figures = { sessionsUp: 1, sessionsTotal: 1, active: 0, policyHash: '' };
  return { name: 'fra', epoch, n, version: '', ageMs: 0, ...figures };
}

/** A database with one POP's rows. */
class FakeSource implements IntentSource {
  intents: readonly IntentRow[] = [];
  live: { cursor: IntentVersion; rows: readonly IntentRow[] } | undefined;
  reads: string[] = [];

  readAfter(cursors: readonly IntentVersion[]): Promise<readonly IntentRow[]> {
    this.reads.push(`after ${cursors.map(({ epoch, n }) => `${epoch}/${n}`).join()}`);
    assert.ok(this.reads.length < 20, this.reads.join('\n'));
    const [cursor] = cursors;
    return Promise.resolve(
      this.intents.filter(({ epoch, n }) => epoch === cursor?.epoch && n > (cursor?.n ?? 0)),
    );
  }

  readLive() {
    this.reads.push('live');
    return Promise.resolve(this.live);
  }
}

function setUp() {
  const imported: string[] = [];
  const rejected = new Set<string>();
  const source = new FakeSource();
  const engine = {
    state: initialState(),
    policy: { ...POLICY, exchange: { accept: ['fra'], maxImportedPerPop: 100 } },
    submit: (command: Command): Promise<Answer> => {
      if (command.type !== 'import') throw new Error(command.type);
      const { intent, origin } = command;
      if (rejected.has(intent.id)) return Promise.reject(new Error('the disk is full'));
      imported.push(`${intent.kind} ${origin.n}`);
      return Promise.resolve({ type: 'import', outcome: 'imported', refusal: undefined, detail: '' });
    },
  };
  const reader = new IntentReader({ engine, clock: () => 1_000 });
  return { imported, rejected, source, reader };
}

describe('reading intents', () => {
  it('begins with what is live, and goes on after it', async () => {
    const { imported, source, reader } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 2 }, rows: [row(5, 2)] };
    source.intents = [row(5, 1), row(5, 2), row(5, 3)];
    reader.hear([heartbeat(5, 3)], 0);
    await reader.read(source, 0);
    assert.deepEqual(imported, ['standing 2', 'standing 3']);
    assert.equal(reader.pops.get('fra')?.currentAt, 0);
  });

  it('reads a new epoch from what is live', async () => {
    const { imported, source, reader } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 0 }, rows: [] };
    reader.hear([heartbeat(5, 0)], 0);
    await reader.read(source, 0);
    source.live = { cursor: { pop: 'fra', epoch: 6, n: 1 }, rows: [row(6, 1)] };
    reader.hear([heartbeat(6, 1)], 0);
    await reader.read(source, 0);
    assert.deepEqual(imported, ['standing 1']);
  });

  it('reads what is live if the next number is deleted', async () => {
    const { imported, source, reader } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 1 }, rows: [row(5, 1)] };
    reader.hear([heartbeat(5, 1)], 0);
    await reader.read(source, 0);
    source.intents = [row(5, 4)];
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 4 }, rows: [row(5, 3), row(5, 4)] };
    reader.hear([heartbeat(5, 4)], 0);
    await reader.read(source, 0);
    assert.deepEqual(imported, ['standing 1', 'standing 3', 'standing 4']);
  });

  for (const [what, stale] of [
    ['of an epoch that is over', heartbeat(5, 9)],
    ['of rows that the database has lost', heartbeat(6, 9)],
  ] as const) {
    it(`does not begin again and again because of a heartbeat ${what}`, async () => {
      const { source, reader } = setUp();
      source.live = { cursor: { pop: 'fra', epoch: 6, n: 1 }, rows: [row(6, 1)] };
      source.intents = [row(6, 1)];
      reader.hear([stale], 0);
      await reader.read(source, 0);
      assert.deepEqual(source.reads, ['live', 'after 6/1']);
    });
  }

  it('stays before what cannot be recorded, and takes it again', async () => {
    const { imported, rejected, source, reader } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 0 }, rows: [] };
    source.intents = [row(5, 1), row(5, 2), row(5, 3)];
    rejected.add(id(2));
    reader.hear([heartbeat(5, 3)], 0);
    await reader.read(source, 0);
    assert.match(reader.failure?.message ?? '', /the disk is full/);
    assert.equal(reader.pops.get('fra')?.currentAt, undefined);
    rejected.clear();
    imported.length = 0;
    await reader.read(source, 0);
    assert.deepEqual(imported, ['standing 2', 'standing 3']);
    assert.equal(reader.failure, undefined);
  });

  it('ends what began in the same batch', async () => {
    const { imported, source, reader } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 0 }, rows: [] };
    const ended = row(5, 1, true);
    source.intents = [row(5, 1), { ...ended, n: 2 }];
    reader.hear([heartbeat(5, 2)], 0);
    await reader.read(source, 0);
    assert.deepEqual(imported, ['standing 1', 'ended 2']);
  });
});
