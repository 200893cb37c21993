import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST } from '../config/folder.ts';
import { PREFIXD_COMMAND } from '../support/program.ts';
import { fakeApi, program } from './harness.ts';

test('--version is the version of the package', async (t) => {
  const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  assert.deepEqual(await program(t, ['--version']), { code: 0, stdout: `${manifest.version}\n`, stderr: '' });
});

test('the program begins with a line for the shell', async () => {
  const text = await readFile(new URL('../../src/cli/main.ts', import.meta.url), 'utf8');
  assert.ok(text.startsWith('#!/usr/bin/env node\n'));
});

test('help is no failure, and names every command', async (t) => {
  const { code, stdout } = await program(t, ['--help']);
  assert.equal(code, 0);
  for (const command of [
    'run',
    'check',
    'status',
    'peers',
    'mitigations',
    'withdraw',
    'safelist',
    'notify',
  ]) {
    assert.match(stdout, new RegExp(`^ {2}${command}\\b`, 'm'));
  }
});

for (const argv of [
  ['frobnicate'],
  ['peers', 'frobnicate', 'x'],
  ['status', '--frobnicate'],
  ['-f', 'xml', 'peers'],
  ['withdraw'],
  [],
]) {
  test(`"prefixd ${argv.join(' ')}" is invalid input`, async (t) => {
    const { code, stderr } = await program(t, argv);
    assert.equal(code, 5);
    assert.notEqual(stderr, '');
  });
}

test('check --print prints what is in effect, with names of variables in place of secrets', async (t) => {
  const text = `${SHORTEST}http: { auth: { mode: bearer, bearer_token_env: TOK } }
alerting: { destinations: [{ type: webhook, url: "https://hooks.example/s3cret?k=s3cret" }] }
`;
  const path = await folder(t, {
    'prefixd.yaml': text,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  const { code, stdout, stderr } = await program(t, ['check', '--print', '--config', path], {
    env: { TOK: 'hunter22' },
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /bearer_token_env: TOK/);
  assert.match(stdout, /hold_time_seconds: 90/);
  assert.match(stdout, /url: https:\/\/hooks\.example\/\*\*\*/);
  assert.doesNotMatch(stdout + stderr, /hunter22|s3cret/);
});

test('check ends in one line that counts what it found', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': SHORTEST,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  const { code, stdout, stderr } = await program(t, ['check', '--config', path]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'OK: 1 customer, 1 playbook, 1 neighbor\n');
  assert.match(stderr, /^note: vectors without a playbook .*gre_flood/m);
});

test('warnings are listed and counted, and leave the exit code at 0', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': SHORTEST.slice(0, SHORTEST.indexOf('  neighbors:')),
    'inventory.yaml': 'customers: []\n',
    'playbooks.yaml': `${PLAYBOOKS}default_playbook: { steps: [{ action: discard }] }\n`,
  });
  const { code, stdout, stderr } = await program(t, ['check', '--config', path]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'OK: 0 customers, 2 playbooks, 0 neighbors; 2 warnings\n');
  assert.match(
    stderr,
    /^warning: .*prefixd\.yaml:2:3: bgp\.neighbors: there is no neighbor: .*\nwarning: .*inventory\.yaml:1:12: customers: the inventory is empty/m,
  );
});

test('check lists every problem and ends with 5', async (t) => {
  const path = await folder(t, {
    'prefixd.yaml': `${SHORTEST}mode: on\nquota: {}\n`,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  const { code, stdout, stderr } = await program(t, ['check', '--config', path]);
  assert.equal(code, 5);
  assert.equal(stdout, '');
  assert.match(stderr, /prefixd\.yaml:8:7: mode: /);
  assert.match(stderr, /prefixd\.yaml:9:1: quota: unknown key "quota"; did you mean "quotas"\?/);
  assert.match(stderr, /^prefixd: 2 errors in the configuration\n$/m);
  const asJson = await program(t, ['check', '--config', path, '-f', 'json']);
  assert.equal(asJson.code, 5);
  const { ok, problems } = JSON.parse(asJson.stdout);
  assert.equal(ok, false);
  assert.deepEqual(
    problems.map((one: { path: string }) => one.path),
    ['mode', 'quota'],
  );
});

test('a reader that has seen enough is no error', async (t) => {
  const peers = Array.from({ length: 5_000 }, (_, i) => ({ name: `peer${i}`, state: 'idle' }));
  const api = await fakeApi(t, { 'GET /v1/peers': { status: 200, body: peers } });
  const command = `${PREFIXD_COMMAND} peers --api ${api.url} | head -1`;
  const child = spawn('bash', ['-c', `set -o pipefail; ${command}`], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
});
