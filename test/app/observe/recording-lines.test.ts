import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { auditLines, recordingLines } from '../../../src/app/observe/health-lines.ts';
import type { Recording } from '../../../src/control/types.ts';
import { StoreError } from '../../../src/store/store.ts';

const NOW = 10_000_000;
const WELL: Recording = {
  phase: 'ready',
  writingSince: undefined,
  snapshottingSince: undefined,
  unrecorded: 0,
  unrecordedSince: undefined,
};

const codes = (changes: Partial<Recording>): readonly string[] =>
  recordingLines({ ...WELL, ...changes }, NOW).map(({ code, since }) => `${code} since ${since}`);

describe('of writing down, health says', () => {
  it('nothing while it works, nor of a write that is under way', () => {
    assert.deepEqual(codes({}), []);
    assert.deepEqual(codes({ phase: 'writing', writingSince: NOW - 500 }), []);
  });

  it('that a write hangs, since it began', () => {
    assert.deepEqual(codes({ phase: 'stalled', writingSince: NOW - 9_000 }), [
      `journal_stalled since ${NOW - 9_000}`,
    ]);
  });

  it('how much is in effect and not recorded, since the first of it', () => {
    const some = { phase: 'failing', unrecorded: 2, unrecordedSince: NOW - 60_000 } as const;
    assert.deepEqual(codes(some), [`unrecorded since ${NOW - 60_000}`]);
    const [line] = recordingLines({ ...WELL, ...some }, NOW);
    assert.match(line?.text ?? '', /^2 operators' actions are in effect but not recorded yet/);
  });

  it('what to look at: the disk, or the database', () => {
    const hanging = { ...WELL, phase: 'stalled', writingSince: NOW } as const;
    assert.match(recordingLines(hanging, NOW)[0]?.text ?? '', /; check the disk of storage\.path$/);
    const medium = { noun: 'database', key: 'storage.url_env' };
    assert.match(
      recordingLines(hanging, NOW, medium)[0]?.text ?? '',
      /check the database of storage\.url_env$/,
    );
  });

  it('that a snapshot takes longer than any should', () => {
    assert.deepEqual(codes({ snapshottingSince: NOW - 299_999 }), []);
    assert.deepEqual(codes({ snapshottingSince: NOW - 300_000 }), [`snapshot since ${NOW - 300_000}`]);
  });

  it('why the audit log is not written, or that it does not answer', () => {
    assert.deepEqual(auditLines({ failure: undefined, writingSince: NOW - 9_999 }, NOW), []);
    assert.equal(auditLines({ failure: undefined, writingSince: NOW - 10_000 }, NOW)[0]?.code, 'audit');
    const failure = new StoreError('cannot write the audit log /x: no space left');
    assert.match(auditLines({ failure, writingSince: undefined }, NOW)[0]?.text ?? '', /no space left/);
  });
});
