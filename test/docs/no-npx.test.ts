/** The name is free in the registry: `npx prefixd` outside of the clone would run the program of whoever takes it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..', '..');

test('no example and no text of the program runs npx prefixd', () => {
  const files = ['docs', 'packaging', 'src', 'playbooks', 'adapters'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
  for (const page of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'])
    files.push(join(root, page));
  assert.ok(files.length > 200);
  const found = files.filter((file) => /\bnpx (?:-\S+ )*prefixd\b/.test(readFileSync(file, 'utf8')));
  assert.deepEqual(found, []);
});

test('the package cannot be published by accident', () => {
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.ok(typeof manifest === 'object' && manifest !== null && 'private' in manifest);
  assert.equal(manifest.private, true);
});
