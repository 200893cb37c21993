import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { withTables } from '../../scripts/doc-tables.ts';
import { DEFAULT_LABELS } from '../../src/intake/alertmanager.ts';

const page = await readFile(new URL('../../docs/detectors.md', import.meta.url), 'utf8');

test('the tables of event fields, vectors and playbooks are what the program goes by', async () => {
  assert.equal(await withTables(page), page, 'run npm run docs');
});

test('every label that is read by default is named', () => {
  for (const label of Object.values(DEFAULT_LABELS).flat()) {
    assert.ok(page.includes(`\`${label}\``), label);
  }
});
