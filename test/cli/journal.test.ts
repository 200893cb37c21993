import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Journal } from '../../src/store/journal/journal.ts';
import type { RecordedFact } from '../../src/core/facts.ts';
import { folder } from '../config/folder.ts';
import { cli } from './harness.ts';

/** A journal of three facts, closed. */
async function journal(t: TestContext): Promise<string> {
  const path = await folder(t, {});
  const store = new Journal({ folder: path });
  const { facts: before } = await store.open();
  for await (const facts of before) assert.equal(facts.length, 0);
  const actor = { kind: 'operator', name: 'ana' } as const;
  await store.append(
    (['control.paused', 'control.resumed', 'control.paused'] as const).map(
      (type, i): RecordedFact => ({ seq: i + 1, at: 1_000 * i, fact: { type, actor, reason: 'test' } }),
    ),
  );
  await store.close();
  return path;
}

test('a whole journal is said to be whole', async (t) => {
  const { code, stdout } = await cli(['journal', 'verify', await journal(t)]);
  assert.equal(code, 0);
  assert.match(stdout, /^journal +intact$/m);
  assert.match(stdout, /^facts +3 \(1 to 3\)$/m);
});

test('damage is told with file and line', async (t) => {
  const path = await journal(t);
  const segment = (await readdir(path)).find((name) => name.endsWith('.jsonl'));
  assert.ok(segment);
  const content = await readFile(join(path, segment), 'utf8');
  await writeFile(join(path, segment), content.replace('control.resumed', 'control.rEsumed'));
  const { code, stderr, stdout } = await cli(['journal', 'verify', path, '-f', 'json']);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`${segment}:2: `));
  assert.equal(JSON.parse(stdout).damage.line, 2);
});

test('a folder that is not there is invalid input', async () => {
  assert.equal((await cli(['journal', 'verify', '/nonexistent'])).code, 5);
});

test('a folder without a journal is not called whole', async (t) => {
  const path = await folder(t, { 'prefixd.yaml': 'mode: dry-run' });
  const { code, stdout, stderr } = await cli(['journal', 'verify', path]);
  assert.deepEqual(
    { code, stdout, stderr },
    {
      code: 4,
      stdout: '',
      stderr: `prefixd: no journal in ${path}\n`,
    },
  );
});

test('a journal can be simulated', async (t) => {
  const { code, stdout } = await cli(['simulate', await journal(t)]);
  assert.equal(code, 0);
  assert.match(stdout, /pause -> done/);
});
