import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProgram, output } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { cli } from './harness.ts';

/** What bash offers for a line whose last word is being typed. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { stdout: script } = await cli(['completion', 'bash']);
  const line = ['prefixd', ...words].map((word) => `'${word}'`).join(' ');
  const text = await output('/bin/bash', [
    '--norc',
    '-c',
    `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _prefixd; printf '%s\\n' "\${COMPREPLY[@]}"`,
  ]);
  return text.split('\n').filter((word) => word !== '');
}

const skip = missingProgram('bash', 'bash');

test('bash completes commands, the commands below them, and options', { skip }, async () => {
  assert.deepEqual(await offered('mig'), ['migrate']);
  assert.deepEqual((await offered('peers', '')).filter((word) => !word.startsWith('-')).sort(), [
    ...['clear', 'disable', 'enable', 'list'],
  ]);
  assert.deepEqual(await offered('check', '--d'), ['--diff']);
  assert.deepEqual(await offered('-f', 'json', 'safelist', 'a'), ['add']);
  assert.deepEqual(await offered('withdraw', '--rea'), ['--reason']);
});

test('every command is in every script', async () => {
  const { stdout: help } = await cli(['--help']);
  const commands = [...help.matchAll(/^ {2}([a-z]+)\b/gm)]
    .map(([, name = '']) => name)
    .filter((n) => n !== 'help');
  assert.ok(commands.length > 10);
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, stdout } = await cli(['completion', shell]);
    assert.equal(code, 0);
    for (const name of commands) assert.match(stdout, new RegExp(`\\b${name}\\b`), `${shell}: ${name}`);
  }
});

// zsh and fish are not asked of a machine that runs the tests; where they are, they are asked.
for (const [shell, check] of [
  ['bash', '-n'],
  ['zsh', '-n'],
  ['fish', '--no-execute'],
] as const) {
  const program = findProgram(shell);
  if (program === undefined) continue;
  test(`${shell} reads its script without complaint`, async () => {
    const { stdout: script } = await cli(['completion', shell]);
    assert.equal(await output(program, [check, '-c', script]), '');
  });
}

test('a shell that is not known is invalid input', async () => {
  const { code, stderr } = await cli(['completion', 'tcsh']);
  assert.equal(code, 5);
  assert.match(stderr, /bash, zsh or fish/);
});
