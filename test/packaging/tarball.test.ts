/** What `npm pack` puts into the tarball, and that README and docs point to nothing else. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { PAGES, textOfPage } from '../support/doc-blocks.ts';

/** The anchor that GitHub makes of a heading. */
function anchor(heading: string): string {
  const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
  return text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');
}

interface Link {
  readonly page: string;
  /** Relative to the repository. */
  readonly path: string;
  readonly anchor: string | undefined;
}

/** Links to files and chapters; those to other places are left out. Code is not looked at. */
function linksOf(page: string): readonly Link[] {
  const prose = textOfPage(page)
    .replaceAll(/```[\s\S]*?```/g, '')
    .replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = '', fragment] = target.split('#');
    const whole = path === '' ? page : posix.join(posix.dirname(page), path);
    return [{ page, path: whole, anchor: fragment }];
  });
}

const LINKS = PAGES.flatMap(linksOf);

describe('the tarball', () => {
  let files: ReadonlySet<string> = new Set();
  before(async () => {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      maxBuffer: 2 ** 24,
    });
    const [{ files: packed }]: [{ files: { path: string }[] }] = JSON.parse(stdout);
    files = new Set(packed.map(({ path }) => path));
  });

  const has = (path: string): boolean =>
    files.has(path) || [...files].some((file) => file.startsWith(`${path}/`));

  it('has every file that README and the pages point to', () => {
    const missing = LINKS.filter(({ path }) => !has(path));
    assert.deepEqual(
      missing.map(({ page, path }) => `${page}: ${path}`),
      [],
    );
    assert.ok(LINKS.length > 60, `${LINKS.length}`);
  });

  it('has the folders that the pages name by path, and the pictures of README', () => {
    for (const path of [
      'packaging/systemd',
      'packaging/prometheus',
      'packaging/grafana',
      'packaging/docker',
      'playbooks',
    ])
      assert.ok(has(path), path);
    for (const name of ['overview.svg', 'dashboard.png']) assert.ok(has(`docs/images/${name}`), name);
  });

  it('has no tests, sources or captures', () => {
    assert.deepEqual(
      [...files].filter((path) => /^(test|src|bench|fixtures|scripts)\//.test(path)),
      [],
    );
  });
});

describe('links', () => {
  it('point to chapters that exist', () => {
    const wrong = LINKS.filter(({ path, anchor: fragment }) => {
      if (fragment === undefined || !path.endsWith('.md')) return false;
      const prose = readFileSync(path, 'utf8').replaceAll(/```[\s\S]*?```/g, '');
      return ![...prose.matchAll(/^#+ (.*)$/gm)].some(([, heading = '']) => anchor(heading) === fragment);
    });
    assert.deepEqual(
      wrong.map(({ page, path, anchor: fragment }) => `${page}: ${path}#${fragment}`),
      [],
    );
  });
});

describe('package.json', () => {
  const manifest: {
    overrides?: unknown;
    scripts: Record<string, string>;
    bin: Record<string, string>;
  } = JSON.parse(readFileSync('package.json', 'utf8'));

  it('needs no overrides, which do not travel with the package', () => {
    assert.equal(manifest.overrides, undefined);
  });

  it('has no script that npm runs, or asks about, where the tarball is installed', () => {
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      assert.equal(manifest.scripts[name], undefined, name);
    assert.equal(manifest.scripts.postprepare, manifest.scripts.prepack);
  });
});
