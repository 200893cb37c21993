/** Copies of journals between folders and PostgreSQL. */
import assert from 'node:assert/strict';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { Journal } from '../../src/store/journal/journal.ts';
import type { Store } from '../../src/store/store.ts';
import { type CopyReport, copyJournal } from '../../src/store/transfer/copy-journal.ts';
import {
  type DatabasePlace,
  openDatabaseSource,
  openDatabaseTarget,
  verifyDatabase,
} from '../../src/store/transfer/database-journal.ts';
import { openFolderSource, openFolderTarget } from '../../src/store/transfer/folder-journal.ts';
import { cli } from '../cli/harness.ts';
import { missingPostgres } from '../support/postgres-server.ts';
import { journalOf, sharedPostgres } from './postgres-support.ts';
import { fact, facts, names, openAndRead, temporaryFolder } from './support.ts';

type Place = string | DatabasePlace;

async function copied(from: Place, to: Place): Promise<CopyReport> {
  const source = await (typeof from === 'string' ? openFolderSource(from) : openDatabaseSource(from));
  try {
    const target = await (typeof to === 'string' ? openFolderTarget(to) : openDatabaseTarget(to));
    try {
      return await copyJournal(source, target);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** The octets of all facts, in order. */
async function lines(folder: string): Promise<string> {
  const segments = (await readdir(folder)).filter((name) => name.startsWith('journal-')).sort();
  return (await Promise.all(segments.map((name) => readFile(join(folder, name), 'utf8')))).join('');
}

describe('a journal that is copied', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();
  const newPlace = (): DatabasePlace => ({ url: postgres.server().url(), name: postgres.newName() });

  /** Facts 1 to 9 with odd texts, and snapshots of 3 and 7. */
  async function fill(store: Store): Promise<void> {
    await openAndRead(store);
    await store.append(facts(1, 4));
    await store.snapshot({ schema: 1, seq: 3, data: { list: ['é', null, { a: '\0' }] } });
    await store.append([fact(5, '\n"}\u2028\ud83d\ude80\ud800\0'), ...facts(6, 8)]);
    await store.snapshot({ schema: 1, seq: 7, data: { list: [1] } });
    await store.append([fact(9)]);
    await store.close();
  }

  async function filledFolder(t: TestContext): Promise<string> {
    const folder = await temporaryFolder(t);
    await fill(new Journal({ folder }));
    return folder;
  }

  test('is the same, octet for octet, after the way to the database and back', async (t) => {
    const folder = await filledFolder(t);
    const place = newPlace();
    const there = await copied(folder, place);
    assert.deepEqual([there.facts, there.firstSeq, there.lastSeq, there.snapshots], [9, 1, 9, 2]);
    const back = join(await temporaryFolder(t), 'back');
    const again = await copied(place, back);
    assert.equal(again.sha256, there.sha256);
    assert.equal(await lines(back), await lines(folder));
    const found = await openAndRead(new Journal({ folder: back }));
    assert.deepEqual(found.recovery.snapshot, { schema: 1, seq: 7, data: { list: [1] } });
    assert.deepEqual(found.facts, facts(8, 9));
    assert.deepEqual(found.recovery.warnings, []);
  });

  test('is continued by a daemon in either place', async (t) => {
    const place = newPlace();
    await copied(await filledFolder(t), place);
    const there = journalOf(t, place);
    const found = await openAndRead(there);
    assert.deepEqual(found.recovery.snapshot?.seq, 7);
    assert.deepEqual(found.facts, facts(8, 9));
    await there.append([fact(10)]);
    await there.snapshot({ schema: 1, seq: 10, data: {} });
    await there.append([fact(11)]);
    await there.close();
    const back = await temporaryFolder(t);
    await copied(place, back);
    const journal = new Journal({ folder: back });
    assert.deepEqual((await openAndRead(journal)).facts, [fact(11)]);
    await journal.append([fact(12)]);
    await journal.close();
  });

  test('keeps its numbers when its oldest facts have been removed', async (t) => {
    const place = newPlace();
    const source = journalOf(t, { ...place, retention: { facts: 1, ageMs: 3_600_000 } });
    await openAndRead(source);
    await source.append(facts(1, 30));
    for (const seq of [10, 20, 30]) await source.snapshot({ schema: 1, seq, data: { seq } });
    await source.close();
    const folder = await temporaryFolder(t);
    assert.deepEqual((await copied(place, folder)).firstSeq, 21);
    const second = newPlace();
    assert.deepEqual((await copied(folder, second)).firstSeq, 21);
    const next = journalOf(t, second);
    const found = await openAndRead(next);
    assert.equal(found.recovery.snapshot?.seq, 30);
    await next.append([fact(31)]);
  });

  test('may be empty, and have thousands of facts', async (t) => {
    const empty = await temporaryFolder(t);
    const none = new Journal({ folder: empty });
    await openAndRead(none);
    await none.close();
    assert.equal((await copied(empty, newPlace())).facts, 0);
    const many = await temporaryFolder(t);
    const journal = new Journal({ folder: many });
    await openAndRead(journal);
    await journal.append(facts(1, 3_500));
    await journal.snapshot({ schema: 1, seq: 2_750, data: {} });
    await journal.close();
    const place = newPlace();
    await copied(many, place);
    const back = await temporaryFolder(t);
    await copied(place, back);
    assert.equal(await lines(back), await lines(many));
  });

  test('is refused while a daemon has it, and where there are facts already', async (t) => {
    const folder = await temporaryFolder(t);
    const running = new Journal({ folder });
    await openAndRead(running);
    await running.append([fact(1)]);
    await assert.rejects(copied(folder, newPlace()), new RegExp(`${folder} is in use`));
    await running.close();
    const place = newPlace();
    const there = journalOf(t, { ...place, owner: 'process 7 on edge1' });
    await openAndRead(there);
    await there.append([fact(1)]);
    await assert.rejects(copied(place, await temporaryFolder(t)), /is in use by process 7 on edge1/);
    await there.close();
    await assert.rejects(
      copied(await filledFolder(t), place),
      /has facts already; copy to a journal with another name/,
    );
    await assert.rejects(
      copied(place, await filledFolder(t)),
      /has a journal already; copy to an empty folder/,
    );
    await assert.rejects(copied(newPlace(), folder), /no journal "/);
  });

  test('leaves nothing behind when it fails', async (t) => {
    const place = newPlace();
    const source = journalOf(t, place);
    await openAndRead(source);
    await source.append(facts(1, 3_000));
    await source.close();
    const damage = `UPDATE prefixd.fact SET body = replace(body, 'n2500', 'n25OO') FROM prefixd.journal
      WHERE id = journal AND name = '${place.name}' AND seq = 2500`;
    await postgres.server().sql(damage);
    const folder = await temporaryFolder(t);
    await assert.rejects(copied(place, folder), /fact 2500: checksum mismatch/);
    assert.deepEqual(await names(folder), []);
    const broken = await filledFolder(t);
    const [segment = ''] = (await readdir(broken)).filter((name) => name.startsWith('journal-')).sort();
    await rm(join(broken, segment));
    const target = newPlace();
    await copied(broken, target);
    const report = await verifyDatabase(target);
    assert.deepEqual([report.firstSeq, report.damage], [5, null]);
  });

  test('is verified in the database, also while a daemon writes it', async (t) => {
    const place = newPlace();
    const daemon = journalOf(t, place);
    await openAndRead(daemon);
    await daemon.append(facts(1, 5));
    await daemon.snapshot({ schema: 1, seq: 5, data: {} });
    const report = await verifyDatabase(place);
    assert.deepEqual(
      [report.facts, report.firstSeq, report.lastSeq, report.snapshots, report.damage],
      [5, 1, 5, 1, null],
    );
    const sql = (text: string): Promise<string> => postgres.server().sql(text);
    await sql(
      `DELETE FROM prefixd.fact USING prefixd.journal WHERE id = journal AND name = '${place.name}' AND seq = 3`,
    );
    assert.match((await verifyDatabase(place)).damage?.detail ?? '', /found fact 4, but expected fact 3/);
  });

  test('is copied and verified from the command line, which takes the URL from the environment only', async (t) => {
    const folder = await filledFolder(t);
    const place = newPlace();
    const env = { DATABASE: place.url };
    const there = await cli(['journal', 'copy', folder, `postgres:DATABASE/${place.name}`], { env });
    assert.equal(there.code, 0, there.stderr);
    assert.match(there.stdout, /^facts +9 \(1 to 9\)$/m);
    assert.match(there.stdout, /^sha256 +[0-9a-f]{64}, the same in both$/m);
    const verified = await cli(['journal', 'verify', `postgres:DATABASE/${place.name}`], { env });
    assert.deepEqual([verified.code, /^journal +intact$/m.test(verified.stdout)], [0, true]);
    const back = join(await temporaryFolder(t), 'back');
    const again = await cli(['journal', 'copy', `postgres:DATABASE/${place.name}`, back, '-f', 'json'], {
      env,
    });
    assert.equal(JSON.parse(again.stdout).facts, 9);
    const none = await cli(['journal', 'verify', 'postgres:DATABASE/none'], { env });
    assert.deepEqual([none.code, /no journal "none"/.test(none.stderr)], [4, true]);
    const unset = await cli(['journal', 'verify', 'postgres:NOTHING/x'], { env });
    assert.deepEqual([unset.code, /NOTHING is not set/.test(unset.stderr)], [5, true]);
    const shown = await cli(['journal', 'verify', 'postgresql://u:hush@h/d'], { env });
    assert.deepEqual([shown.code, shown.stderr.includes('hush')], [5, false]);
  });

  test('has tables that the command line creates and updates', async () => {
    await postgres.server().sql('CREATE DATABASE fresh', 'postgres');
    const env = { DATABASE: postgres.server().url(undefined, 'fresh'), GONE: 'postgresql://127.0.0.1:1/x' };
    const first = await cli(['db', 'migrate', '--url-env', 'DATABASE'], { env });
    assert.equal(first.code, 0, first.stderr);
    assert.match(first.stdout, /^applied 1: /m);
    assert.match(first.stdout, /schema prefixd has version 1, 1 step applied/);
    const second = await cli(['db', 'migrate', '--url-env', 'DATABASE', '-f', 'json'], { env });
    assert.deepEqual(JSON.parse(second.stdout).applied, []);
    const gone = await cli(['db', 'migrate', '--url-env', 'GONE'], { env });
    assert.deepEqual([gone.code, /connection refused/.test(gone.stderr)], [2, true]);
  });
});
