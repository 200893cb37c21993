/** Commands load few modules: a detector starts one for every attack, a shell for every TAB. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { fakeApi } from './harness.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Loaded {
  /** Files of src/, such as `cli/main.ts`. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
}

/** Runs a command line and lists what it loads. */
async function loadedBy(t: TestContext, argv: readonly string[]): Promise<Loaded> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-loaded-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const list = join(folder, 'list');
  const hooks = join(folder, 'hooks.mjs');
  const register = join(folder, 'register.mjs');
  await writeFile(list, '');
  await writeFile(
    hooks,
    `import { appendFileSync } from 'node:fs';
export async function load(url, context, next) {
  appendFileSync(${JSON.stringify(list)}, url + '\\n');
  return next(url, context);
}`,
  );
  await writeFile(
    register,
    `import { register } from 'node:module'; register(${JSON.stringify(pathToFileURL(hooks).href)});`,
  );
  await new Promise<void>((resolve) => {
    const run = ['--import', 'tsx', '--import', register, 'src/cli/main.ts', ...argv];
    const child = execFile(
      process.execPath,
      run,
      { cwd: ROOT, env: { PATH: process.env.PATH, USER: 'ana' } },
      () => resolve(),
    );
    child.stdin?.end();
  });
  const urls = (await readFile(list, 'utf8')).split('\n').filter((url) => url.startsWith('file:'));
  const paths = [...new Set(urls.map((url) => fileURLToPath(url.split('?')[0] ?? '')))];
  const packages = paths.flatMap((path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  return {
    files: paths
      .map((path) => relative(join(ROOT, 'src'), path))
      .filter((path) => path.endsWith('.ts') && !path.startsWith('..'))
      .sort(),
    packages: [...new Set(packages)].filter((name) => name !== 'tsx').sort(),
  };
}

test('--version loads the parser of command lines and nothing else', async (t) => {
  const { files, packages } = await loadedBy(t, ['--version']);
  assert.deepEqual(packages, ['commander']);
  assert.deepEqual(files, [
    'app/version.ts',
    'cli/command-context.ts',
    'cli/command.ts',
    'cli/main.ts',
    'cli/process-io.ts',
    'cli/program.ts',
    'cli/tables.ts',
    'net/nearest.ts',
  ]);
});

/** Reads addresses, which rules and victims are made of. */
const LIGHT = ['commander', 'ip-num'];

test('one-line tools load no package of the daemon', async (t) => {
  const api = await fakeApi(t, () => ({ status: 200, body: {} }));
  for (const argv of [
    ['--help'],
    ['completion', 'bash'],
    ['flowspec', 'encode'],
    ['notify', 'fastnetmon', '203.0.113.10', 'incoming', '1000', 'unban', '--api', api.url],
    ['status', '--api', api.url],
    ['complete', 'vector', '--api', api.url],
  ]) {
    const { packages } = await loadedBy(t, argv);
    assert.deepEqual(
      packages.filter((name) => !LIGHT.includes(name)),
      [],
      argv.join(' '),
    );
    assert.ok(packages.includes('commander'), argv.join(' '));
  }
});

test('a command loads no other group of commands', async (t) => {
  const { files } = await loadedBy(t, ['-f', 'json', 'flowspec', 'encode']);
  assert.ok(files.includes('cli/commands/flowspec.ts') && files.includes('tools/rule-lines.ts'));
  for (const other of [
    'cli/commands/peers.ts',
    'cli/client.ts',
    'cli/commands/simulate.ts',
    'cli/commands/daemon.ts',
    'app/daemon.ts',
  ]) {
    assert.ok(!files.includes(other), other);
  }
});
