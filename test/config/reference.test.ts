import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { configurationReference } from '../../src/config/reference.ts';

const PAGE = new URL('../../docs/configuration.md', import.meta.url);

test('docs/configuration.md is what the schemas say', async () => {
  assert.equal(await readFile(PAGE, 'utf8'), configurationReference(), 'run npm run docs');
});

test('every key has words for what it takes and what it means', () => {
  const rows = configurationReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  assert.ok(rows.length > 80);
  for (const row of rows) {
    const [, key, takes, , meaning] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    assert.notEqual(takes, '', `${key} takes nothing`);
    assert.notEqual(meaning, '', `${key} has no meaning`);
  }
});
