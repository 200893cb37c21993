/** Which servers, schemas and contents a journal in PostgreSQL refuses, and what it says. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { describe, test, type TestContext } from 'node:test';
import { userInfo } from 'node:os';
import { PostgresConnection } from '../../src/postgres/connection.ts';
import { migrate, requireSchema, schemaVersion } from '../../src/postgres/migrations.ts';
import { JOURNAL_TABLES } from '../../src/store/postgres/journal-tables.ts';
import type { PostgresJournalOptions } from '../../src/store/postgres/postgres-journal.ts';
import { findProgram, start, until } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { freePort } from '../support/loopback.ts';
import { missingPostgres, type PostgresServer } from '../support/postgres-server.ts';
import { undo } from '../support/undo.ts';
import { journalOf, sharedPostgres } from './postgres-support.ts';
import { fact, facts, openAndRead, temporaryFolder } from './support.ts';

describe('a journal in PostgreSQL', { skip: missingPostgres() }, () => {
  const postgres = sharedPostgres();
  let databases = 0;

  async function newDatabase(options = ''): Promise<string> {
    const name = `d${++databases}`;
    await postgres.server().sql(`CREATE DATABASE ${name} ${options}`, 'postgres');
    return name;
  }

  async function open(t: TestContext, database: string, options: Partial<PostgresJournalOptions> = {}) {
    const journal = journalOf(t, {
      url: postgres.server().url(undefined, database),
      name: 'ams1',
      ...options,
    });
    try {
      const { recovery, facts: found } = await openAndRead(journal);
      return { journal, recovery, found };
    } catch (error) {
      await journal.close();
      throw error;
    }
  }

  async function connect(t: TestContext, database: string): Promise<PostgresConnection> {
    const connection = await PostgresConnection.connect({
      url: postgres.server().url(undefined, database),
      applicationName: 'test',
      connectMs: 10_000,
      statementMs: 10_000,
    });
    undo(t, () => connection.close());
    return connection;
  }

  test('refuses synchronous_commit=off', async (t) => {
    const database = await newDatabase();
    await postgres.server().sql(`ALTER DATABASE ${database} SET synchronous_commit = off`);
    await assert.rejects(
      open(t, database),
      /cannot be used: synchronous_commit is off, so it acknowledges what a crash would lose; set it to on/,
    );
  });

  test('is not reached by a synchronous_commit that is turned off while it is connected', async (t) => {
    const database = await newDatabase();
    const { journal } = await open(t, database);
    const sql = (text: string): Promise<string> => postgres.server().sql(text, database);
    // The session writes down what it sees at each insert.
    await sql('CREATE TABLE seen (setting text)');
    await sql(`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$`);
    await sql('CREATE TRIGGER note AFTER INSERT ON prefixd.fact EXECUTE FUNCTION note()');
    await postgres.server().sql('ALTER SYSTEM SET synchronous_commit = off', 'postgres');
    await postgres.server().sql('SELECT pg_reload_conf()', 'postgres');
    try {
      await until('the change is in force', async () => (await sql('SHOW synchronous_commit')) === 'off');
      await journal.append([fact(1)]);
      await journal.append([fact(2)]);
      assert.equal(await sql('SELECT DISTINCT setting FROM seen'), 'on');
    } finally {
      await postgres.server().sql('ALTER SYSTEM RESET synchronous_commit', 'postgres');
      await postgres.server().sql('SELECT pg_reload_conf()', 'postgres');
    }
  });

  test('refuses a database that is read-only', async (t) => {
    const database = await newDatabase();
    await postgres.server().sql(`ALTER DATABASE ${database} SET default_transaction_read_only = on`);
    await assert.rejects(
      open(t, database),
      /cannot be used: it is read-only; remove default_transaction_read_only/,
    );
  });

  test('refuses a standby', async (t) => {
    const standby = await postgres.server().standby();
    undo(t, () => standby.remove());
    const journal = journalOf(t, { url: standby.url(), name: 'ams1' });
    await assert.rejects(
      journal.open(),
      /cannot be used: it is a standby and read-only; let the URL name the primary/,
    );
  });

  test('refuses an encoding that cannot keep every fact', async (t) => {
    const database = await newDatabase("ENCODING 'LATIN1' TEMPLATE template0");
    await assert.rejects(
      open(t, database),
      /the encoding of the database is LATIN1; create it with ENCODING 'UTF8'/,
    );
  });

  test('says what to do when the user may not create tables', async (t) => {
    const database = await newDatabase();
    await postgres.server().sql('CREATE ROLE guest LOGIN', 'postgres');
    const url = postgres.server().url(undefined, database).replace(userInfo().username, 'guest');
    const journal = journalOf(t, { url, name: 'ams1' });
    await assert.rejects(journal.open(), /permission denied .*; the user lacks a privilege/);
  });

  describe('behind pgbouncer', { skip: missingProgram('pgbouncer', 'pgbouncer') }, () => {
    test('is refused in transaction mode, also when its pool has many connections, and works in session mode', async (t) => {
      const database = await newDatabase();
      for (const [mode, size] of [
        ['transaction', 1],
        ['transaction', 10],
        ['statement', 10],
      ] as const) {
        const at = await startPooler(t, postgres.server(), mode, size);
        const journal = journalOf(t, { url: postgres.server().url(at, database), name: 'ams1' });
        await assert.rejects(
          journal.open(),
          /a pooler in transaction mode is between|Pooler|transaction blocks not allowed/,
          `${mode} ${size}`,
        );
      }
      const at = await startPooler(t, postgres.server(), 'session', 10);
      const journal = journalOf(t, { url: postgres.server().url(at, database), name: 'ams1' });
      await openAndRead(journal);
      await journal.append(facts(1, 3));
    });
  });

  test('creates its tables in an empty database, also when two daemons start at once', async (t) => {
    const database = await newDatabase();
    await Promise.all(['a', 'b', 'c'].map((name) => open(t, database, { name })));
    assert.equal(
      await schemaVersion(await connect(t, database), 'prefixd'),
      JOURNAL_TABLES.migrations.length,
    );
  });

  test('refuses tables that are newer than the program, and leaves older ones to prefixd db migrate', async (t) => {
    const database = await newDatabase();
    const connection = await connect(t, database);
    const steps = {
      schema: 'later',
      migrations: [{ number: 1, title: 'one', sql: 'CREATE TABLE later.a ()' }],
    };
    await requireSchema(connection, steps);
    const two = { number: 2, title: 'two', sql: 'CREATE TABLE later.b (); CREATE TABLE later.c ()' };
    const newer = { schema: 'later', migrations: [...steps.migrations, two] };
    await assert.rejects(
      requireSchema(connection, newer),
      /has version 1 and this prefixd needs 2; run prefixd db migrate/,
    );
    assert.deepEqual(await migrate(connection, newer), [two]);
    assert.deepEqual(await migrate(connection, newer), []);
    await requireSchema(connection, newer);
    await assert.rejects(
      requireSchema(connection, steps),
      /has version 2 and this prefixd knows 1 version; update prefixd/,
    );
    await assert.rejects(
      migrate(connection, steps),
      /has version 2 and this prefixd knows 1 version; update prefixd/,
    );
  });

  test('takes back a step that fails, whole', async (t) => {
    const database = await newDatabase();
    const connection = await connect(t, database);
    const bad = { number: 1, title: 'bad', sql: 'CREATE TABLE bad.a (); SELECT 1/0' };
    await assert.rejects(requireSchema(connection, { schema: 'bad', migrations: [bad] }), /division by zero/);
    assert.equal(await schemaVersion(connection, 'bad'), 0);
  });

  test('keeps several journals in one database apart', async (t) => {
    const database = await newDatabase();
    const [a, b] = await Promise.all([open(t, database, { name: 'a' }), open(t, database, { name: 'b' })]);
    await Promise.all([a.journal.append(facts(1, 3)), b.journal.append(facts(1, 2))]);
    await a.journal.close();
    await b.journal.close();
    assert.deepEqual((await open(t, database, { name: 'b' })).found, facts(1, 2));
  });

  test('names the fact that was changed, and the one that is missing', async (t) => {
    const database = await newDatabase();
    const { journal } = await open(t, database);
    await journal.append(facts(1, 9));
    await journal.close();
    const sql = (text: string): Promise<string> => postgres.server().sql(text, database);
    await sql("UPDATE prefixd.fact SET body = replace(body, 'n5', 'n6') WHERE seq = 5");
    await assert.rejects(open(t, database), /the journal "ams1", fact 5: checksum mismatch/);
    await sql('DELETE FROM prefixd.fact WHERE seq = 5');
    await assert.rejects(open(t, database), /found fact 6, but expected fact 5/);
  });

  test('skips a damaged snapshot while the facts are there, and never reads an incomplete one', async (t) => {
    const database = await newDatabase();
    const { journal } = await open(t, database);
    await journal.append(facts(1, 4));
    await journal.snapshot({ schema: 1, seq: 2, data: { a: [1, 2] } });
    await journal.snapshot({ schema: 1, seq: 3, data: { a: [1, 2, 3] } });
    await journal.close();
    const sql = (text: string): Promise<string> => postgres.server().sql(text, database);
    await sql(
      "UPDATE prefixd.snapshot_part SET body = replace(body, '3}', '4}') WHERE snapshot = (SELECT max(id) FROM prefixd.snapshot)",
    );
    const older = await open(t, database);
    assert.equal(older.recovery.snapshot?.seq, 2);
    assert.match(older.recovery.warnings.join(), /snapshot of fact 3.*checksum mismatch.*skipped/);
    await older.journal.close();
    await sql("UPDATE prefixd.snapshot SET state = 'writing'");
    const none = await open(t, database);
    assert.equal(none.recovery.snapshot, undefined);
    assert.deepEqual(none.found, facts(1, 4));
  });

  test('removes facts beyond the retention that two snapshots contain, and goes on from there', async (t) => {
    const database = await newDatabase();
    const { journal } = await open(t, database, { retention: { facts: 1, ageMs: 3_600_000 } });
    await journal.append(facts(1, 30));
    for (const seq of [10, 20, 30]) await journal.snapshot({ schema: 1, seq, data: { seq } });
    await journal.close();
    const sql = (text: string): Promise<string> => postgres.server().sql(text, database);
    assert.equal(await sql('SELECT min(seq), max(seq) FROM prefixd.fact'), '21|30');
    assert.equal(await sql("SELECT count(*) FROM prefixd.snapshot WHERE state = 'complete'"), '2');
    const next = await open(t, database, { retention: { facts: 1_000, ageMs: 0 } });
    assert.deepEqual(next.recovery.snapshot?.data, { seq: 30 });
    await next.journal.append(facts(31, 40));
    await next.journal.snapshot({ schema: 1, seq: 40, data: {} });
    assert.equal(await sql('SELECT min(seq), max(seq) FROM prefixd.fact'), '31|40');
    await next.journal.append([fact(41)]);
  });
});

async function startPooler(
  t: TestContext,
  server: PostgresServer,
  mode: string,
  size: number,
): Promise<{ readonly host: string; readonly port: number }> {
  const folder = await temporaryFolder(t);
  const port = await freePort('127.0.0.1');
  const lines = [
    '[databases]',
    `* = host=${server.folder} port=5432`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    `pool_mode = ${mode}`,
    `default_pool_size = ${size}`,
  ];
  // Any user's name is mapped to the one whom the server knows.
  lines[1] += ` user=${userInfo().username}`;
  await writeFile(`${folder}/pgbouncer.ini`, `${lines.join('\n')}\n`, { mode: 0o644 });
  const program = findProgram('pgbouncer') ?? 'pgbouncer';
  // It refuses to run as root.
  const asNobody = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const pooler = start(program, [...asNobody, `${folder}/pgbouncer.ini`]);
  undo(t, () => pooler.stop('SIGKILL'));
  await until('pgbouncer listens', () => /listening on 127/.test(pooler.log()));
  return { host: '127.0.0.1', port };
}
