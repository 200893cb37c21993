/** The section `storage`: a folder, or a database whose URL is a secret. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { folder, INVENTORY, load, PLAYBOOKS, problemsOf, SHORTEST, sound } from './folder.ts';

const URL = 'postgresql://prefixd:hush@db.example.net/prefixd';
const POSTGRES = `${SHORTEST}pop: ams1\nstorage: { driver: postgres, url_env: DATABASE_URL }\n`;

test('the journal is in a folder by default, with the audit log beside it', async (t) => {
  const directory = await folder(t, {
    'prefixd.yaml': SHORTEST,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  const { storage, observability } = sound(await loadConfig(directory, {}));
  assert.deepEqual(storage, { driver: 'jsonl', path: join(directory, 'data') });
  assert.equal(observability.auditLogPath, join(directory, 'data/audit.jsonl'));
});

test('a journal in a database is named after the POP, and the audit log is beside it there', async (t) => {
  const { storage, observability, secrets, shown } = sound(await load(t, POSTGRES, { DATABASE_URL: URL }));
  assert.ok(storage.driver === 'postgres');
  assert.deepEqual([storage.url, storage.journal], [URL, 'ams1']);
  assert.equal(observability.auditLogPath, undefined);
  assert.deepEqual(secrets, [URL]);
  assert.doesNotMatch(JSON.stringify(shown), /hush/);
});

test('name and audit log may be others', async (t) => {
  const text = POSTGRES.replace('DATABASE_URL }', 'DATABASE_URL, journal: edge }');
  const { storage, observability } = sound(
    await load(t, `${text}observability: { audit_log_path: /var/log/audit.jsonl }\n`, { DATABASE_URL: URL }),
  );
  assert.equal(storage.driver === 'postgres' && storage.journal, 'edge');
  assert.equal(observability.auditLogPath, '/var/log/audit.jsonl');
});

test('what does not belong together is refused', async (t) => {
  const said = async (storage: string, environment = {}): Promise<string> =>
    problemsOf(await load(t, `${SHORTEST}storage: ${storage}\n`, environment)).join('\n');
  assert.match(
    await said('{ driver: postgres }'),
    /storage\.driver: driver postgres needs url_env, which is not set/,
  );
  assert.match(await said('{ url_env: X }'), /storage\.url_env: url_env has no effect with driver jsonl/);
  assert.match(await said('{ journal: x }'), /storage\.journal: journal has no effect with driver jsonl/);
  const postgres = '{ driver: postgres, url_env: DATABASE_URL }';
  assert.match(await said(postgres), /the environment variable DATABASE_URL is not set/);
  const wrong = await said(postgres, { DATABASE_URL: 'mysql://prefixd:hush@h/d' });
  assert.match(wrong, /DATABASE_URL is not a URL that begins with postgresql:/);
  assert.doesNotMatch(wrong, /hush/);
});
