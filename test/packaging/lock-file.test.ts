import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { at } from './files.ts';

function json(name: string): unknown {
  return JSON.parse(readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), 'utf8'));
}

const keys = (value: unknown): readonly string[] => Object.keys(Object(value));

/** Whether a package in `folder` of the lock file would find `name`, as Node looks it up: in its own folder, then in those above. */
function finds(packages: ReadonlySet<string>, folder: string, name: string): boolean {
  const parts = folder === '' ? [] : folder.split('/node_modules/');
  for (let depth = parts.length; depth >= 0; depth--) {
    const above = parts.slice(0, depth).join('/node_modules/');
    if (packages.has(above === '' ? `node_modules/${name}` : `${above}/node_modules/${name}`)) return true;
  }
  return false;
}

describe('the lock file', () => {
  const manifest = json('package.json');
  const lock = json('package-lock.json');
  const entries = Object.entries(Object(at(lock, 'packages')));
  const names = new Set(entries.map(([folder]) => folder));

  it('has the dependencies of package.json', () => {
    for (const kind of ['dependencies', 'devDependencies']) {
      assert.deepEqual(at(lock, 'packages', '', kind), at(manifest, kind));
    }
  });

  it('has an entry for every package of every platform, so that npm ci accepts it and npm install adds nothing', () => {
    const missing: string[] = [];
    for (const [folder, entry] of entries) {
      const optionalPeers = new Set(keys(at(entry, 'peerDependenciesMeta')));
      const wanted = [
        ...keys(at(entry, 'dependencies')),
        ...keys(at(entry, 'optionalDependencies')),
        ...keys(at(entry, 'peerDependencies')).filter((name) => !optionalPeers.has(name)),
      ];
      for (const name of wanted) if (!finds(names, folder, name)) missing.push(`${name} of ${folder}`);
    }
    assert.ok(entries.length > 80);
    assert.deepEqual(missing, []);
  });

  it('has a hash for every package, names no registry, and no key that an older npm deletes', () => {
    for (const [folder, entry] of entries) {
      if (folder === '') continue;
      assert.match(String(at(entry, 'integrity')), /^sha512-/, folder);
      assert.equal(at(entry, 'resolved'), undefined, folder);
      assert.equal(at(entry, 'libc'), undefined, folder);
    }
  });
});
