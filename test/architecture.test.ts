/** The import law and the purity of the pure rooms (ARCHITECTURE: rooms, "Who may import whom"). */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { breaches, importsOf, roomOf, type SourceFile, scan } from './support/import-law.ts';

const root = join(import.meta.dirname, '..');

function sources(): readonly SourceFile[] {
  return readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({
      path: path.replaceAll('\\', '/'),
      text: readFileSync(join(root, 'src', path), 'utf8'),
    }));
}

function dependencies(): readonly string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  assert.ok(typeof manifest === 'object' && manifest !== null && 'dependencies' in manifest);
  assert.ok(typeof manifest.dependencies === 'object' && manifest.dependencies !== null);
  return Object.keys(manifest.dependencies);
}

/** Breaches in a house made of these files. */
function of(files: Readonly<Record<string, string>>): readonly string[] {
  return breaches(
    Object.entries(files).map(([path, text]) => ({ path, text })),
    ['ip-num', 'koffi', 'zod', 'pino', 'fastify', '@fastify/rate-limit', 'prom-client', 'commander'],
  );
}

/** Asserts one breach, and that it says this. */
function oneBreach(files: Readonly<Record<string, string>>, says: RegExp): void {
  const found = of(files);
  assert.equal(found.length, 1, found.join('\n') || 'no breach was found');
  assert.match(found[0] ?? '', says);
}

/** A template's placeholder, as it stands in source text. */
const hole = (code: string): string => ['$', '{', code, '}'].join('');

const EMPTY = 'export const x = 1;';

describe('the house', () => {
  it('keeps its rules', () => {
    const files = sources();
    assert.ok(files.length > 20, 'the sources were found');
    assert.deepEqual(breaches(files, dependencies()), []);
  });
});

/** What a file is named within its room; types, routes and commands are named by their folder. */
const sharesItsName = (path: string): boolean => /(?:^|\/)types\.ts$|\/(?:routes|commands)\//.test(path);

/** Values that occur more than once. */
function repeated(values: readonly string[]): readonly string[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))];
}

describe('a stranger finds his way, because', () => {
  it('no two files have one name', () => {
    const names = sources().flatMap(({ path }) => (sharesItsName(path) ? [] : [path.replace(/^.*\//, '')]));
    assert.deepEqual(repeated(names), []);
  });

  it('no two types have one name', () => {
    const types = sources().flatMap(({ text }) =>
      [...text.matchAll(/^(?:export )?(?:abstract )?(?:interface|type|class) ([A-Z]\w*)/gm)].map(
        ([, name = '']) => name,
      ),
    );
    assert.ok(types.length > 500, `${types.length} types were found`);
    assert.deepEqual(repeated(types), []);
  });

  it('no file is longer than 400 lines', () => {
    const long = sources().filter(({ text }) => text.trimEnd().split('\n').length > 400);
    assert.deepEqual(
      long.map(({ path }) => path),
      [],
    );
  });

  it('every room has a README of at most 20 lines, whose files exist', () => {
    const rooms = new Set(sources().map(({ path }) => roomOf(path)));
    const missing: string[] = [];
    for (const room of rooms) {
      const text = readFileSync(join(root, 'src', room, 'README.md'), 'utf8');
      assert.ok(text.trimEnd().split('\n').length <= 20, `src/${room}/README.md is long`);
      for (const [, file = ''] of text.matchAll(/`([\w./-]+\.ts)`/g)) {
        if (!existsSync(join(root, 'src', room, file))) missing.push(`src/${room}/README.md: ${file}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('the table of ten changes names files that exist', () => {
    const text = readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
    const files = [...text.matchAll(/`(src\/[\w/-]+(?:\.ts|\/))`/g)].map(([, file = '']) => file);
    assert.ok(files.length >= 15, `${files.length} files were found`);
    assert.deepEqual(
      files.filter((file) => !existsSync(join(root, file))),
      [],
    );
  });
});

describe('the law notices', () => {
  it('an import from a sibling room, whatever the form of the import', () => {
    const forms = [
      "import { x } from '../flowspec/nlri.ts';",
      "import type { x } from '../flowspec/nlri.ts';",
      "import {\n  x,\n} from '../flowspec/nlri.ts';",
      "import '../flowspec/nlri.ts';",
      "export { x } from '../flowspec/nlri.ts';",
      "export * from '../flowspec/nlri.ts';",
      "const y = await import('../flowspec/nlri.ts');",
      "export type Y = import('../flowspec/nlri.ts').X;",
      'import { x } from "../flowspec/nlri.ts";',
      "const y = await import(/* late */ '../flowspec/nlri.ts');",
    ];
    for (const text of forms) {
      oneBreach(
        { 'bgp/wire/update.ts': text, 'bgp/flowspec/nlri.ts': EMPTY },
        /src\/bgp\/wire\/update\.ts:1: bgp\/wire may not import bgp\/flowspec/,
      );
    }
  });

  it('core knowing bgp, and bgp knowing core', () => {
    oneBreach({ 'core/a.ts': "import '../bgp/wire/b.ts';", 'bgp/wire/b.ts': EMPTY }, /core may not import/);
    oneBreach({ 'bgp/speaker/a.ts': "import '../../core/b.ts';", 'core/b.ts': EMPTY }, /may not import core/);
  });

  it('http reaching for the speaker or the store', () => {
    oneBreach({ 'http/a.ts': "import '../bgp/rib/b.ts';", 'bgp/rib/b.ts': EMPTY }, /http may not import bgp/);
    oneBreach({ 'http/a.ts': "import '../store/b.ts';", 'store/b.ts': EMPTY }, /http may not import store/);
  });

  it('anything importing the command line', () => {
    oneBreach({ 'app/a.ts': "import '../cli/b.ts';", 'cli/b.ts': EMPTY }, /app may not import cli/);
  });

  it('a file outside of every room', () => {
    oneBreach({ 'util.ts': EMPTY }, /belongs to no room/);
    oneBreach({ 'helpers/a.ts': EMPTY }, /belongs to no room/);
  });

  it('a cycle, also one of types only', () => {
    oneBreach(
      {
        'core/a.ts': "import { b } from './b.ts';",
        'core/b.ts': "import { c } from './c.ts';",
        'core/c.ts': "import type { A } from './a.ts';",
      },
      /cycle: core\/a\.ts -> core\/b\.ts -> core\/c\.ts -> core\/a\.ts/,
    );
    oneBreach({ 'core/a.ts': "export * from './a.ts';" }, /cycle: core\/a\.ts -> core\/a\.ts/);
  });

  it('an import without its extension, of a missing file, or from outside of src/', () => {
    oneBreach({ 'core/a.ts': "import './b';", 'core/b.ts': EMPTY }, /is no \.ts file under src/);
    oneBreach({ 'core/a.ts': "import './gone.ts';" }, /is no \.ts file under src/);
    oneBreach({ 'core/a.ts': "import '../../test/b.ts';" }, /is no \.ts file under src/);
    oneBreach({ 'core/a.ts': "import './b.js';", 'core/b.ts': EMPTY }, /is no \.ts file under src/);
  });

  it('a dynamic import that hides its target', () => {
    oneBreach({ 'app/a.ts': 'const m = await import(name);' }, /must name its module/);
  });

  it('a package that is not declared, or a Node module without node:', () => {
    oneBreach({ 'app/a.ts': "import x from 'left-pad';" }, /"left-pad" is not a dependency/);
    oneBreach({ 'app/a.ts': "import x from 'fs';" }, /lacks "node:"/);
    assert.deepEqual(of({ 'http/a.ts': "import limit from '@fastify/rate-limit';" }), []);
  });

  it('a reserved package outside of its place', () => {
    oneBreach({ 'core/a.ts': "import { IPv4 } from 'ip-num';" }, /only net\/prefix\.ts may import ip-num/);
    oneBreach({ 'net/bytes.ts': "import { IPv4 } from 'ip-num';" }, /only net\/prefix\.ts/);
    oneBreach(
      { 'bgp/speaker/tcp/net-transport.ts': "import koffi from 'koffi';" },
      /only .*socket-options\.ts/,
    );
    oneBreach({ 'control/a.ts': "import { Counter } from 'prom-client';" }, /only app\/ may import/);
    assert.deepEqual(of({ 'net/prefix.ts': "import { IPv4 } from 'ip-num';" }), []);
    assert.deepEqual(of({ 'bgp/speaker/tcp/socket-options.ts': "const k = await import('koffi');" }), []);
    assert.deepEqual(of({ 'store/journal/kernel-lock.ts': "const k = await import('koffi');" }), []);
  });

  it('a pure room that imports Node or a package with effects', () => {
    oneBreach({ 'core/a.ts': "import { readFileSync } from 'node:fs';" }, /may not import "node:fs"/);
    oneBreach({ 'tools/a.ts': "export type { Socket } from 'node:net';" }, /may not import "node:net"/);
    oneBreach({ 'intake/a.ts': "import { pino } from 'pino';" }, /may not import "pino"/);
    oneBreach({ 'control/desired.ts': "import { join } from 'node:path';" }, /may not import "node:path"/);
    assert.deepEqual(of({ 'intake/a.ts': "import { z } from 'zod';" }), []);
    assert.deepEqual(of({ 'control/reconciler.ts': "import { join } from 'node:path';" }), []);
  });

  it('a file with effects that a pure file runs', () => {
    const render = { 'control/render.ts': "import { now } from './clock.ts';" };
    const clock = { 'control/clock.ts': 'export const now = () => Date.now();' };
    oneBreach(
      { 'control/desired.ts': "import { x } from './render.ts';", ...render, ...clock },
      /src\/control\/clock\.ts:1: Date\.now/,
    );
    assert.deepEqual(
      of({ 'control/desired.ts': "import type { x } from './render.ts';", ...render, ...clock }),
      [],
    );
  });

  it('a clock, randomness, timers, Buffer and process in a pure room', () => {
    const impure = [
      'const t = Date.now();',
      'const t = new Date();',
      'const t = new Date;',
      'const t = Date();',
      'const r = Math.random();',
      'const r = crypto.randomUUID();',
      'const r = randomUUID();',
      'const t = performance.now();',
      'setTimeout(f, 1);',
      'const t = setInterval;',
      'const b = Buffer.from(x);',
      'function f(b: Buffer) {}',
      'const e = process.env.HOME;',
      'const e = globalThis.process;',
      'console.log(1);',
      'await fetch(url);',
      `const s = \`at ${hole('Date.now()')} ms\`;`,
    ];
    for (const text of impure) {
      const found = of({ 'bgp/fsm/step.ts': text });
      assert.equal(found.length, 1, `${text}: ${found.join('; ') || 'not noticed'}`);
      assert.deepEqual(of({ 'app/a.ts': text }), [], `the shell may: ${text}`);
    }
  });

  it('none of these where they are only words, names or a time that was passed in', () => {
    const pure = [
      '// Date.now() is passed in; import x from "fs"',
      '/* setTimeout lives in the shell */',
      "const text = 'Math.random() or process.env, import(name)';",
      'const text = `never Buffer.from`;',
      'const t = new Date(now).toISOString();',
      'const isQuote = /["\'`]/.test(c); // Buffer',
      'interface X { readonly process: string; crypto: boolean }',
      'const half = a / b; const s = "Date.now()"; const c = d / e;',
      'const p = rule.process.name;',
    ];
    for (const text of pure) assert.deepEqual(of({ 'core/a.ts': text }), [], text);
  });

  it('barrels, default exports and ways around the compiler', () => {
    oneBreach({ 'core/index.ts': EMPTY }, /no barrels/);
    oneBreach({ 'core/a.ts': 'export default 1;' }, /default export/);
    oneBreach({ 'core/a.ts': 'const a = 1; export { a as default };' }, /default export/);
    oneBreach({ 'app/a.ts': 'const a = b as unknown as string;' }, /as unknown as/);
    oneBreach({ 'app/a.ts': `// @${'ts-ignore'}` }, /switches a check off/);
    oneBreach({ 'app/a.ts': `// ${'biome'}-ignore lint: no` }, /switches a check off/);
  });
});

describe('reading sources', () => {
  it('finds imports behind comments, strings, templates and regular expressions', () => {
    const text = [
      "import a from './a.ts'; // import './no.ts'",
      'const re = /\\/\\* " \' ` [/"] /g;',
      `const t = \`x ${hole(`f(\`y ${hole("'}'")} import './no.ts'\`)`)} z\`;`,
      '/*',
      "import './no.ts'",
      '*/',
      "export type { B } from './b.ts';",
    ].join('\n');
    assert.deepEqual(importsOf(text), [
      { specifier: './a.ts', line: 1, typeOnly: false },
      { specifier: './b.ts', line: 7, typeOnly: true },
    ]);
  });

  it('keeps the number of lines', () => {
    const text = 'a\n/* b\nc */\n`d\ne`\nf';
    assert.equal(scan(text).code.split('\n').length, text.split('\n').length);
  });
});
