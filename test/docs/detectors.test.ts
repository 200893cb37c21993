import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { withVectorTable } from '../../scripts/vector-table.ts';
import { DEFAULT_LABELS } from '../../src/ingest/alertmanager.ts';

const page = await readFile(new URL('../../docs/detectors.md', import.meta.url), 'utf8');

test('the table of vectors is what the program goes by', () => {
  assert.equal(withVectorTable(page), page, 'run npm run docs');
});

test('every label that is read by default is named', () => {
  for (const label of Object.values(DEFAULT_LABELS).flat()) {
    assert.ok(page.includes(`\`${label}\``), label);
  }
});
