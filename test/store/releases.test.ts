/** Tests that journals, snapshots and audit logs of earlier releases load with the same meaning. */
import assert from 'node:assert/strict';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { initialState, restoreState, type StateView } from '../../src/core/state/state.ts';
import { Journal } from '../../src/store/journal/journal.ts';
import { readFacts, verifyJournal } from '../../src/store/journal/verify.ts';
import { temporaryFolder } from './support.ts';

const RELEASE = join(import.meta.dirname, '../../fixtures/releases/0.1/journal');

/** Copies a journal, because opening one writes to it. */
async function copied(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  await cp(RELEASE, folder, { recursive: true });
  return folder;
}

/** The mitigations as 0.1 itself showed them when it wrote these files. */
const MITIGATIONS = [
  ['203.0.113.10/32', 'active', 'police'],
  ['203.0.113.77/32', 'active', 'discard'],
  ['2001:db8:acd::20/128', 'active', 'police'],
  ['192.0.2.99/32', 'rejected', 'police'],
  ['203.0.113.81/32', 'withdrawn', 'police'],
  ['203.0.113.82/32', 'withdrawn', 'police'],
  ['203.0.113.83/32', 'rejected', 'police'],
];

function assertSameMeaning(state: StateView): void {
  const found = [...state.mitigations.values()].map(({ match, status, action }) => [
    match.dstPrefix,
    status,
    action.type,
  ]);
  assert.deepEqual(found.sort(), [...MITIGATIONS].sort());
  assert.deepEqual([...state.safelist.keys()], ['203.0.113.9/32']);
  assert.equal(state.paused, undefined);
  assert.equal(state.seq, 25);
}

describe('Files of 0.1', () => {
  test('verify without damage', async () => {
    const { damage, facts, snapshots, warnings } = await verifyJournal(RELEASE);
    assert.deepEqual(
      { damage, facts, snapshots, warnings },
      { damage: null, facts: 25, snapshots: 1, warnings: [] },
    );
  });

  test('replay fact by fact to the same state', async () => {
    const state = initialState();
    for await (const facts of readFacts(RELEASE)) for (const fact of facts) state.apply(fact);
    assertSameMeaning(state);
  });

  test('restore from their snapshot to the same state, and take new facts that name their POP', async (t) => {
    const folder = await copied(t);
    const journal = new Journal({ folder });
    const { snapshot, facts } = await journal.open();
    assert.ok(snapshot, 'the snapshot is used');
    for await (const slice of facts) assert.deepEqual(slice, []);
    assertSameMeaning(restoreState(snapshot));
    const actor = { kind: 'operator', name: 'alice' } as const;
    await journal.append([
      {
        pop: 'ams1',
        seq: 26,
        at: 1_795_900_000_000,
        fact: { type: 'control.paused', actor, reason: 'test' },
      },
    ]);
    await journal.close();
    const read = [];
    for await (const slice of readFacts(folder)) read.push(...slice);
    assert.deepEqual(read.map(({ pop, seq }) => [pop, seq]).slice(-2), [
      [undefined, 25],
      ['ams1', 26],
    ]);
  });

  test('have an audit log of one JSON object a line', async () => {
    const lines = (await readFile(join(RELEASE, 'audit.jsonl'), 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 25);
    for (const line of lines) assert.equal(typeof JSON.parse(line), 'object', line);
  });
});
