import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { Journal } from '../../src/store/journal/journal.ts';
import { StoreError } from '../../src/store/store.ts';
import { type JournalProgress, readFacts, verifyJournal } from '../../src/store/journal/verify.ts';
import { allFacts, facts, openAndRead, temporaryFolder } from './support.ts';

/** Creates 2 segments of 3 facts each, and a snapshot of fact 3. */
async function journalFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t);
  const journal = new Journal({ folder });
  await openAndRead(journal);
  await journal.append(facts(1, 3));
  await journal.snapshot({ schema: 1, seq: 3, data: { items: [1] } });
  await journal.append(facts(4, 6));
  await journal.close();
  return folder;
}

describe('Verifying a journal', () => {
  test('counts what is there and tells how far it is', async (t) => {
    const folder = await journalFolder(t);
    const seen: JournalProgress[] = [];
    const report = await verifyJournal(folder, { onProgress: (progress) => seen.push(progress) });
    assert.equal(report.damage, null);
    assert.deepEqual(
      [report.segments, report.snapshots, report.facts, report.firstSeq, report.lastSeq, report.warnings],
      [2, 1, 6, 1, 6, []],
    );
    assert.equal(report.octets, report.totalOctets);
    assert.deepEqual(
      seen.map((p) => p.facts),
      [3, 6, 6],
    );
  });

  test('works beside the daemon that owns the folder, and finds its unfinished line no damage', async (t) => {
    const folder = await journalFolder(t);
    const owner = new Journal({ folder });
    await openAndRead(owner);
    await appendFile(join(folder, 'journal-000000000004.jsonl'), '{"v":1,"se');
    const report = await verifyJournal(folder);
    assert.equal(report.damage, null);
    assert.match(report.warnings.join(), /an unterminated last line of 10 bytes/);
    await owner.close();
  });

  test('names the file and the line of the first damage, also where a restart would not look', async (t) => {
    const folder = await journalFolder(t);
    const path = join(folder, 'journal-000000000001.jsonl');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"n2"', '"n7"'));
    const report = await verifyJournal(folder);
    assert.equal(report.damage?.file, path);
    assert.equal(report.damage?.line, 2);
    assert.match(report.damage?.detail ?? '', /checksum/);
    const journal = new Journal({ folder });
    assert.deepEqual((await openAndRead(journal)).facts, facts(4, 6));
    await journal.close();
  });

  test('finds a damaged snapshot', async (t) => {
    const folder = await journalFolder(t);
    const path = join(folder, 'snapshot-000000000003.jsonl');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"item":1', '"item":2'));
    const { damage } = await verifyJournal(folder);
    assert.deepEqual([damage?.file, damage?.line], [path, 3]);
  });

  test('a folder that is not there is an error', async (t) => {
    await assert.rejects(verifyJournal(join(await temporaryFolder(t), 'none')), StoreError);
  });

  test('an empty folder is an empty journal', async (t) => {
    const report = await verifyJournal(await temporaryFolder(t));
    assert.deepEqual([report.facts, report.lastSeq, report.damage], [0, 0, null]);
  });

  test('all facts can be read without owning the folder', async (t) => {
    const folder = await journalFolder(t);
    assert.deepEqual(await allFacts({ facts: readFacts(folder) }), facts(1, 6));
  });
});
