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
  const state = initialState();
  const engine = {
    state,
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
  return { imported, rejected, source, reader, state };
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

  it('goes on to what has ended behind what cannot be recorded, and stays before it', async () => {
    const { imported, rejected, source, reader } = setUp();
    const held = row(5, 1);
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 1 }, rows: [held] };
    reader.hear([heartbeat(5, 1)], 0);
    await reader.read(source, 0);
    imported.length = 0;
    // More than one batch of new mitigations, and then the end of the first one.
    const fresh = Array.from({ length: 99 }, (_, i) => row(5, i + 2));
    source.intents = [...fresh, { ...row(5, 1, true), n: 101 }];
    for (const { id } of fresh) rejected.add(id);
    reader.hear([heartbeat(5, 101)], 0);
    await reader.read(source, 0);
    assert.deepEqual(imported, ['ended 101']);
    assert.match(reader.failure?.message ?? '', /the disk is full/);
    imported.length = 0;
    rejected.clear();
    await reader.read(source, 0);
    assert.equal(imported.length, 99, 'everything is read again when the disk works');
    assert.equal(reader.pops.get('fra')?.cursor?.n, 101);
  });

  it('passes on a version whose time is over if the mitigation is held here', async () => {
    const { imported, source, reader } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 1 }, rows: [row(5, 1)] };
    source.intents = [
      { ...row(5, 1), n: 2, remainingMs: -5_000 },
      { ...row(5, 2), n: 3, remainingMs: -5_000 },
    ];
    reader.hear([heartbeat(5, 3)], 0);
    await reader.read(source, 0);
    assert.deepEqual(imported, ['standing 1', 'standing 2']);
  });

  it('sends a version again whose end this POP allows only by and by', async () => {
    const { imported, source, reader, state } = setUp();
    source.live = { cursor: { pop: 'fra', epoch: 5, n: 2 }, rows: [row(5, 1), row(5, 2)] };
    reader.hear([heartbeat(5, 2)], 0);
    await reader.read(source, 0);
    imported.length = 0;
    const origin = { pop: 'fra', epoch: 5 };
    // The first is due; the second lasts as long as its POP stated.
    for (const [n, expiresAt] of [
      [1, 5_000],
      [2, 61_000],
    ] as const) {
      const one = mitigation({ id: id(n), pops: ['*'], origin: { ...origin, n }, expiresAt });
      state.apply({ seq: n, at: 0, fact: { type: 'mitigation.imported', mitigation: one } });
    }
    await reader.goOn();
    assert.deepEqual(imported, ['standing 1']);
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
