import assert from 'node:assert/strict';
import {
  appendFile,
  copyFile,
  mkdir,
  readFile,
  stat,
  truncate,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { crc32 } from 'node:zlib';
import { takeKernelLock } from '../../src/store/journal/kernel-lock.ts';
import { Journal, type JournalOptions } from '../../src/store/journal/journal.ts';
import { StoreError } from '../../src/store/store.ts';
import { storeContract } from './contract.ts';
import { allFacts, fact, facts, linesOf, names, openAndRead, temporaryFolder } from './support.ts';

storeContract('Journal', async (t) => {
  const folder = await temporaryFolder(t);
  return () => new Journal({ folder });
});

const FIRST = 'journal-000000000001.jsonl';

/** Creates a folder with a closed journal of `count` facts. */
async function written(
  t: TestContext,
  count: number,
  options: Partial<JournalOptions> = {},
): Promise<string> {
  const folder = await temporaryFolder(t);
  const journal = new Journal({ folder, ...options });
  await openAndRead(journal);
  await journal.append(facts(1, count));
  await journal.close();
  return folder;
}

/** Creates a journal with 2 snapshots (of facts 2 and 4), 3 segments and 5 facts. */
async function rotated(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const journal = new Journal({ folder });
  await openAndRead(journal);
  for (const seq of [2, 4]) {
    await journal.append(facts(seq - 1, seq));
    await journal.snapshot({ schema: 1, seq, data: { seq } });
  }
  await journal.append([fact(5)]);
  await journal.close();
  return folder;
}

/** Reads a journal after a restart. */
async function readBack(folder: string): ReturnType<typeof openAndRead> {
  const journal = new Journal({ folder });
  const found = await openAndRead(journal);
  await journal.close();
  return found;
}

async function refusal(folder: string): Promise<string> {
  const journal = new Journal({ folder });
  try {
    await openAndRead(journal);
    return 'not refused';
  } catch (error) {
    assert.ok(error instanceof StoreError, String(error));
    return error.message;
  } finally {
    await journal.close();
  }
}

describe('Files of the journal', () => {
  test('a line is readable JSON with version, number, time, fact and the CRC-32 of the bytes before it', async (t) => {
    const folder = await written(t, 1);
    const [line = ''] = await linesOf(join(folder, FIRST));
    assert.deepEqual(JSON.parse(line), {
      v: 1,
      seq: 1,
      at: 1_700_000_000_001,
      fact: fact(1).fact,
      crc: crc32(line.slice(0, line.indexOf(',"crc"')))
        .toString(16)
        .padStart(8, '0'),
    });
    assert.ok(line.startsWith('{"v":1,"seq":1,"at":1700000000001,"fact":{"type":"control.paused",'));
  });

  test('files and the folder are for the owner alone', async (t) => {
    const folder = join(await temporaryFolder(t), 'deep', 'data');
    const journal = new Journal({ folder });
    await openAndRead(journal);
    await journal.append(facts(1, 1));
    await journal.snapshot({ schema: 1, seq: 1, data: {} });
    await journal.close();
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    for (const name of await names(folder))
      assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600, name);
  });

  test('a snapshot starts a new segment, and the older ones stay', async (t) => {
    const folder = await rotated(t);
    assert.deepEqual(await names(folder), [
      FIRST,
      'journal-000000000003.jsonl',
      'journal-000000000005.jsonl',
      'snapshot-000000000002.jsonl',
      'snapshot-000000000004.jsonl',
    ]);
    assert.equal((await linesOf(join(folder, FIRST))).length, 2);
  });

  test('facts appended while a snapshot is written are neither lost nor doubled', async (t) => {
    const folder = await temporaryFolder(t);
    const journal = new Journal({ folder });
    await openAndRead(journal);
    await journal.append(facts(1, 10));
    const data = { list: Array.from({ length: 20_000 }, (_, i) => ({ i, text: 'x'.repeat(50) })) };
    const snapshot = journal.snapshot({ schema: 1, seq: 10, data });
    await assert.rejects(
      journal.snapshot({ schema: 1, seq: 9, data: {} }),
      /a snapshot is already being written/,
    );
    for (let seq = 11; seq <= 40; seq++) await journal.append([fact(seq)]);
    await snapshot;
    await journal.append([fact(41)]);
    await journal.close();
    const { facts: found, recovery } = await readBack(folder);
    assert.deepEqual(found, facts(11, 41));
    assert.deepEqual(recovery.snapshot?.data, data);
  });

  test('appends that overlap share a write and an fsync', async (t) => {
    const folder = await temporaryFolder(t);
    const groups: number[] = [];
    const journal = new Journal({ folder, onSync: ({ facts: count }) => groups.push(count) });
    await openAndRead(journal);
    await Promise.all(facts(1, 50).map((one) => journal.append([one])));
    assert.deepEqual(groups, [50]);
    const first = journal.append([fact(51)]);
    await Promise.resolve();
    await Promise.resolve();
    await Promise.all([first, ...facts(52, 60).map((one) => journal.append([one]))]);
    assert.equal(
      groups.reduce((sum, n) => sum + n),
      60,
    );
    assert.ok(groups.length <= 3, String(groups));
    await journal.close();
  });

  test('old segments go when they are too many or too old, but never those that a damaged snapshot would need', async (t) => {
    const folder = await temporaryFolder(t);
    let now = Date.now();
    const journal = new Journal({ folder, retention: { segments: 2, ageMs: 1000_000 }, clock: () => now });
    await openAndRead(journal);
    for (let seq = 1; seq <= 6; seq++) {
      await journal.append([fact(seq)]);
      await journal.snapshot({ schema: 1, seq, data: {} });
    }
    const segments = async (): Promise<number[]> =>
      (await names(folder)).filter((n) => n.startsWith('journal')).map((n) => Number(n.slice(8, 20)));
    // Segment 7 is current, 6 follows the older snapshot (5); 5 and 4 are old.
    assert.deepEqual(await segments(), [4, 5, 6, 7]);
    now += 2_000_000;
    await journal.append([fact(7)]);
    await journal.snapshot({ schema: 1, seq: 7, data: {} });
    assert.deepEqual(await segments(), [7, 8]);
    assert.deepEqual(
      (await names(folder)).filter((n) => n.startsWith('snapshot')),
      ['snapshot-000000000006.jsonl', 'snapshot-000000000007.jsonl'],
    );
    await journal.close();
    await utimes(join(folder, 'journal-000000000008.jsonl'), 0, 0);
    assert.deepEqual((await readBack(folder)).facts, []);
  });
});

describe('Recovery of a damaged journal', () => {
  test('an unterminated last line is dropped with a warning, and the next fact takes its place', async (t) => {
    const folder = await written(t, 3);
    const path = join(folder, FIRST);
    const [, , third = ''] = await linesOf(path);
    await truncate(path, (await stat(path)).size - 7);
    const journal = new Journal({ folder });
    const { facts: found, recovery } = await openAndRead(journal);
    assert.deepEqual(found, facts(1, 2));
    assert.deepEqual(recovery.warnings, [
      `${path}: an unterminated last line of ${third.length - 6} bytes is dropped; it was never acknowledged`,
    ]);
    await journal.append([fact(3)]);
    await journal.close();
    assert.deepEqual((await readBack(folder)).facts, facts(1, 3));
  });

  test('a torn first line leaves an empty journal', async (t) => {
    const folder = await written(t, 1);
    await truncate(join(folder, FIRST), 10);
    const { facts: found, recovery } = await readBack(folder);
    assert.deepEqual(found, []);
    assert.equal(recovery.warnings.length, 1);
  });

  test('any octet changed in a line refuses to start and names the line', async (t) => {
    const folder = await written(t, 3);
    const path = join(folder, FIRST);
    const sound = await readFile(path);
    const second = sound.indexOf('\n') + 1;
    const third = sound.indexOf('\n', second) + 1;
    for (let at = second; at < third - 1; at += 5) {
      const damaged = Buffer.from(sound);
      damaged[at] = (damaged[at] ?? 0) ^ 0x01;
      await writeFile(path, damaged);
      const message = await refusal(folder);
      assert.ok(message.startsWith(`${path}:2: `), `octet ${at}: ${message}`);
    }
    await writeFile(path, sound);
    assert.equal(await refusal(folder), 'not refused');
  });

  test('a damaged line feed after the last fact costs nothing: the fact is kept and the line mended', async (t) => {
    const folder = await written(t, 3);
    const path = join(folder, FIRST);
    const sound = await readFile(path);
    for (const octet of [0x0b, 0x4a, 0x00]) {
      const damaged = Buffer.from(sound);
      damaged[damaged.length - 1] = octet;
      await writeFile(path, damaged);
      const { facts: found, recovery } = await readBack(folder);
      assert.deepEqual(found, facts(1, 3));
      assert.match(
        recovery.warnings.join(),
        /the line feed after the last fact is damaged; the fact is intact/,
      );
      assert.deepEqual(await readFile(path), sound);
    }
  });

  test('the zeros of a write that a power failure tore are dropped with a warning, and writing continues', async (t) => {
    for (const remains of [
      '\0'.repeat(4096),
      `${'\0'.repeat(512)}"}\n{"v":1,`,
      `{"v":1,"seq":4${'\0'.repeat(90)}\n`,
    ]) {
      const folder = await written(t, 3);
      const path = join(folder, FIRST);
      await appendFile(path, remains);
      const journal = new Journal({ folder });
      const { facts: found, recovery } = await openAndRead(journal);
      assert.deepEqual(found, facts(1, 3));
      assert.match(recovery.warnings.join(), new RegExp(`${remains.length} bytes .*dropped`));
      await journal.append([fact(4)]);
      await journal.close();
      assert.deepEqual((await readBack(folder)).facts, facts(1, 4));
    }
  });

  test('zeros with an intact fact behind them, or in a segment that others follow, are damage', async (t) => {
    const folder = await written(t, 3);
    const path = join(folder, FIRST);
    const lines = await linesOf(path);
    await writeFile(path, `${lines[0]}\n${'\0'.repeat(lines[1]?.length ?? 0)}\n${lines[2]}\n`);
    assert.match(await refusal(folder), /:2: not a journal record/);
    const other = await rotated(t);
    await unlink(join(other, 'snapshot-000000000004.jsonl'));
    await appendFile(join(other, 'journal-000000000003.jsonl'), '\0\0\0\n');
    assert.match(await refusal(other), /journal-000000000003\.jsonl:3: not a journal record/);
  });

  test('a line that is missing, doubled, or moved is named', async (t) => {
    const folder = await written(t, 4);
    const path = join(folder, FIRST);
    const [one, two, three, four] = await linesOf(path);
    for (const [order, message] of [
      [[one, three, four], ':2: found fact 3, but expected fact 2'],
      [[one, two, two, three, four], ':3: found fact 2, but expected fact 3'],
      [[two, one, three, four], ':1: found fact 2, but expected fact 1'],
      [[one, '', two, three, four], ':2: not a journal record'],
    ] as const) {
      await writeFile(path, `${order.join('\n')}\n`);
      assert.equal(await refusal(folder), `${path}${message}`);
    }
  });

  test('a version this daemon does not know is refused, though its checksum is right', async (t) => {
    const folder = await written(t, 1);
    const path = join(folder, FIRST);
    const [line = ''] = await linesOf(path);
    const body = line.slice(0, -18).replace('{"v":1', '{"v":2');
    await writeFile(path, `${body},"crc":"${crc32(body).toString(16).padStart(8, '0')}"}\n`);
    assert.match(await refusal(folder), /:1: schema version 2 is not 1; was it written by a newer prefixd\?/);
  });

  test('a refused journal is not touched, and its folder is free again', async (t) => {
    const folder = await written(t, 2);
    const path = join(folder, FIRST);
    await writeFile(path, `x${await readFile(path, 'utf8')}torn`);
    const before = await readFile(path, 'utf8');
    assert.match(await refusal(folder), /:1: /);
    assert.equal(await readFile(path, 'utf8'), before);
    assert.match(await refusal(folder), /:1: /);
  });

  test('a line cut off in a segment that others follow is damage', async (t) => {
    const folder = await rotated(t);
    await unlink(join(folder, 'snapshot-000000000004.jsonl'));
    const path = join(folder, 'journal-000000000003.jsonl');
    await truncate(path, (await stat(path)).size - 1);
    assert.match(
      await refusal(folder),
      /journal-000000000003\.jsonl: the last line is incomplete \(\d+ bytes\), but a newer segment follows/,
    );
  });

  test('a segment that is missing is named by its facts', async (t) => {
    const folder = await rotated(t);
    await unlink(join(folder, 'journal-000000000005.jsonl'));
    assert.match(
      await refusal(folder),
      /ends with journal-000000000003\.jsonl, but a newer segment existed when the snapshot of fact 4 was written/,
    );
    // Snapshots of 0.1 lack `followed`: a lost segment cannot be detected, so this journal ends with the snapshot.
    const snapshot = join(folder, 'snapshot-000000000004.jsonl');
    await writeFile(snapshot, asOfOldVersion(await readFile(snapshot, 'utf8')));
    assert.equal(await refusal(folder), 'not refused');
    await unlink(join(folder, 'journal-000000000003.jsonl'));
    assert.match(
      await refusal(folder),
      /journal-000000000001\.jsonl: the journal ends with fact 2, but a snapshot exists for fact 4/,
    );
    await unlink(join(folder, FIRST));
    assert.match(
      await refusal(folder),
      /the journal's facts 5 and later are missing; restore the folder from a backup/,
    );
  });

  test('a damaged snapshot is made up for by the one before it, with a warning', async (t) => {
    const folder = await rotated(t);
    const path = join(folder, 'snapshot-000000000004.jsonl');
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('"value":4', '"value":5'));
    const { facts: found, recovery } = await readBack(folder);
    assert.equal(recovery.snapshot?.seq, 2);
    assert.deepEqual(found, facts(3, 5));
    assert.match(
      recovery.warnings.join(),
      /snapshot-000000000004\.jsonl:3: checksum mismatch: recorded [0-9a-f]{8}, computed/,
    );
  });

  test('with all snapshots damaged the journal starts from its first fact, and refuses when that is gone', async (t) => {
    const folder = await rotated(t);
    for (const seq of [2, 4]) await truncate(join(folder, `snapshot-00000000000${seq}.jsonl`), 60);
    const journal = new Journal({ folder });
    const { facts: found, recovery } = await openAndRead(journal);
    assert.equal(recovery.snapshot, undefined);
    assert.deepEqual(found, facts(1, 5));
    assert.equal(recovery.warnings.length, 2);
    await journal.close();
    await unlink(join(folder, FIRST));
    assert.match(
      await refusal(folder),
      /the journal's facts 1 to 2 are missing \(.*snapshot-000000000004\.jsonl:2: .*\); restore/,
    );
  });

  test('a snapshot that a crash left half written is removed', async (t) => {
    const folder = await rotated(t);
    await writeFile(join(folder, 'snapshot-000000000005.jsonl.tmp'), '{"v":1');
    const journal = new Journal({ folder });
    assert.equal((await openAndRead(journal)).recovery.snapshot?.seq, 4);
    assert.ok(!(await names(folder)).some((name) => name.endsWith('.tmp')));
    await journal.close();
  });

  test('a crash between the new segment and its snapshot loses nothing', async (t) => {
    const folder = await written(t, 3);
    await writeFile(join(folder, 'journal-000000000004.jsonl'), '');
    await writeFile(join(folder, 'snapshot-000000000003.jsonl.tmp'), '{"v":1');
    const journal = new Journal({ folder });
    assert.deepEqual((await openAndRead(journal)).facts, facts(1, 3));
    await journal.append([fact(4)]);
    await journal.close();
    assert.deepEqual((await readBack(folder)).facts, facts(1, 4));
  });

  test('a crash of 0.1 between its snapshot and the new segment loses nothing', async (t) => {
    const folder = await temporaryFolder(t);
    const journal = new Journal({ folder });
    await openAndRead(journal);
    await journal.append(facts(1, 3));
    await journal.snapshot({ schema: 1, seq: 2, data: {} });
    await journal.close();
    await unlink(join(folder, 'journal-000000000004.jsonl'));
    const snapshot = join(folder, 'snapshot-000000000002.jsonl');
    await writeFile(snapshot, asOfOldVersion(await readFile(snapshot, 'utf8')));
    const again = new Journal({ folder });
    assert.deepEqual((await openAndRead(again)).facts, [fact(3)]);
    await again.append([fact(4)]);
    await again.close();
    assert.deepEqual(await names(folder), [FIRST, 'snapshot-000000000002.jsonl']);
  });

  test('an empty segment that a failed rotation left is passed over and removed', async (t) => {
    const folder = await written(t, 3);
    await writeFile(join(folder, 'journal-000000000003.jsonl'), '');
    const journal = new Journal({ folder });
    assert.deepEqual((await openAndRead(journal)).facts, facts(1, 3));
    await journal.append([fact(4)]);
    await journal.close();
    assert.deepEqual(await names(folder), [FIRST]);
    await writeFile(join(folder, 'journal-000000000009.jsonl'), '');
    assert.match(
      await refusal(folder),
      /journal-000000000009\.jsonl: the segment begins with fact 9, but the previous one ends with fact 4/,
    );
  });

  test('files of others in the folder are left alone', async (t) => {
    const folder = await written(t, 1);
    await writeFile(join(folder, 'audit.jsonl'), 'x\n');
    await mkdir(join(folder, 'journal-old'));
    await copyFile(join(folder, FIRST), join(folder, `${FIRST}.bak`));
    await appendFile(join(folder, `${FIRST}.bak`), 'y');
    assert.deepEqual((await readBack(folder)).facts, facts(1, 1));
  });

  test('a folder that is a file, or cannot be read, is a clear error', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'file'), '');
    await assert.rejects(
      new Journal({ folder: join(folder, 'file') }).open(),
      /^StoreError: cannot open the journal in .*file/,
    );
  });

  test('closing while facts are read ends the reading', async (t) => {
    const folder = await written(t, 2);
    const journal = new Journal({ folder });
    const recovery = await journal.open();
    await journal.close();
    await assert.rejects(allFacts(recovery), /closed while it was being read/);
    assert.equal(await refusal(folder), 'not refused');
  });

  test('closed while it waits for its lock, does not keep it', async (t) => {
    const folder = await temporaryFolder(t);
    let lockIt = (): void => undefined;
    const locked = new Promise<void>((resolve) => {
      lockIt = resolve;
    });
    const takeSlowly: typeof takeKernelLock = async (path) => {
      await locked;
      return takeKernelLock(path);
    };
    const journal = new Journal({ folder, lock: { takeKernelLock: takeSlowly } });
    const opened = journal.open();
    await journal.close();
    lockIt();
    await assert.rejects(opened, /closed while it was being opened/);
    assert.deepEqual((await readBack(folder)).facts, []);
  });
});

/** Rewrites the snapshot as version 0.1 wrote it, without `followed`. */
function asOfOldVersion(text: string): string {
  const [header = '', ...rest] = text.split('\n');
  const body = [header.replace(',"followed":true', ''), ...rest.slice(0, -2), ''].join('\n');
  const crc = crc32(body).toString(16).padStart(8, '0');
  return `${body}{"lines":${rest.length - 1},"crc":"${crc}"}\n`;
}
