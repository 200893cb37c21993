import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findProgram, output } from '../support/children.ts';
import { missingProgram } from '../support/daemons.ts';
import { PREFIXD_COMMAND } from '../support/program.ts';
import { cli, fakeApi } from './harness.ts';

/** Returns bash's completions of a line's last word; `prefixd` is this program. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { stdout: script } = await cli(['completion', 'bash']);
  // Bash cuts words at colons, too; the script must not depend on how.
  const line = ['prefixd', ...words].join(' ');
  const text = await output('/bin/bash', [
    '--norc',
    '-c',
    `prefixd() { ${PREFIXD_COMMAND} "$@"; }
${script}
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'; COMP_LINE='${line}'; COMP_POINT=\${#COMP_LINE}; _prefixd
printf '%s\\n' "\${COMPREPLY[@]}"`,
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

test('bash completes fixed values of options and operands', { skip }, async () => {
  assert.deepEqual(await offered('-f', 'j'), ['json']);
  assert.deepEqual(await offered('mitigate', '203.0.113.10', '--action', ''), [
    ...['police', 'discard', 'redirect', 'divert', 'blackhole'],
  ]);
  assert.deepEqual(await offered('completion', 'z'), ['zsh']);
  assert.deepEqual(await offered('mitigations', '--status', 'w'), ['withdrawn']);
  // A value that nothing is known of offers no commands either.
  assert.deepEqual(await offered('withdraw', '--reason', ''), []);
});

const ANSWERS = {
  'GET /v1/peers': { status: 200, body: [{ name: 'edge1', address: '192.0.2.1' }, { name: '$(touch x) y' }] },
  'GET /v1/mitigations?status=pending,active,escalated&limit=200': {
    status: 200,
    body: {
      mitigations: [{ mitigation_id: '3f2a9c1b-0000-4000-8000-000000000001', victim_ip: '203.0.113.10' }],
    },
  },
  'GET /v1/config/inventory': {
    status: 200,
    body: { customers: [{ customer_id: 'acme', name: 'Acme Ltd' }] },
  },
  'GET /v1/config/playbooks': {
    status: 200,
    body: { playbooks: [{ name: 'ours', match: { vector: ['udp_flood', 'our_vector'] } }] },
  },
  'GET /v1/scrubbers': { status: 200, body: { scrubbers: [{ name: 'fra' }] } },
  'GET /v1/safelist': { status: 200, body: [{ prefix: '2001:db8::/32', reason: 'r' }] },
};

test('bash completes values that the daemon knows, and quotes them', { skip }, async (t) => {
  const { url, requests } = await fakeApi(t, ANSWERS);
  const api = ['--api', url, '--token', 's3cret'];
  const only = async (...words: readonly string[]) =>
    (await offered(...words)).filter((word) => !word.startsWith('--'));
  assert.deepEqual(await only(...api, 'peers', 'disable', ''), ['edge1', '\\$\\(touch\\ x\\)\\ y']);
  assert.deepEqual(await only(...api, 'withdraw', '3f'), ['3f2a9c1b-0000-4000-8000-000000000001']);
  assert.deepEqual(await only('withdraw', ...api, '--customer', ''), ['acme']);
  assert.deepEqual(await only(...api, 'mitigate', '--to', ''), ['fra']);
  assert.deepEqual(await only(...api, 'events', '--vector', 'our'), ['our_vector']);
  // Completions leave out the text up to the last colon, which is typed already.
  assert.deepEqual(await only(...api, 'safelist', 'remove', '2001:d'), ['db8::/32']);
  assert.equal(requests[0]?.headers.authorization, 'Bearer s3cret');
});

test('values are silent when the daemon is away, and the known vectors need none', { skip }, async () => {
  const away = ['--api', 'http://127.0.0.1:1'];
  for (const kind of ['neighbor', 'id', 'customer', 'entry', 'scrubber']) {
    assert.deepEqual(await cli(['complete', kind, ...away]), { code: 0, stdout: '', stderr: '' });
  }
  const { code, stdout, stderr } = await cli(['complete', 'vector', ...away]);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  assert.match(stdout, /^udp_flood$/m);
});

test('every command is in every script', async () => {
  const { stdout } = await cli(['--help']);
  const help = stdout.slice(stdout.indexOf('Commands:'), stdout.indexOf('Examples:'));
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

const fish = findProgram('fish');

test('fish completes values, with what they are', { skip: missingProgram('fish', 'fish') }, async (t) => {
  const { url } = await fakeApi(t, ANSWERS);
  const { stdout: script } = await cli(['completion', 'fish']);
  const offers = (line: string): Promise<string> =>
    output(fish ?? '', [
      '--no-config',
      '-c',
      `function prefixd; ${PREFIXD_COMMAND} $argv; end
${script}
complete -C '${line}'`,
    ]);
  assert.match(await offers(`prefixd --api ${url} peers disable e`), /^edge1\t192\.0\.2\.1$/m);
  assert.match(await offers(`prefixd withdraw --api ${url} --customer a`), /^acme\tAcme Ltd$/m);
  assert.match(await offers('prefixd -f '), /^json\t/m);
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
  assert.match(stderr, /Allowed choices are bash, zsh, fish/);
});
