import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, test, type TestContext } from 'node:test';
import type { Io } from '../../src/cli/command-context.ts';
import { readSecret } from '../../src/cli/secret-prompt.ts';
import type { AuthSettings } from '../../src/http/dependencies.ts';
import { createServer } from '../../src/http/server.ts';
import { checkPassword } from '../../src/people/passwords.ts';
import { TOKENS, world } from '../http/support.ts';
import { cli, fakeApi } from './harness.ts';

/** A daemon at which alice signs in, and the home folder of its user. */
async function daemon(t: TestContext) {
  const auth: AuthSettings = {
    mode: 'bearer',
    tokens: TOKENS,
    signIn: {
      users: [
        {
          name: 'alice',
          role: 'operator',
          passwordHash: 'hash of wonderland',
          scope: { customers: ['acme'] },
        },
      ],
      idleSeconds: 3600,
      absoluteSeconds: 43_200,
    },
  };
  const made = await world({
    auth: () => auth,
    checkPassword: async (word, hash) => hash === `hash of ${word}`,
  });
  const server = await createServer(made.deps);
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const home = await mkdtemp(join(tmpdir(), 'prefixd-home-'));
  t.after(async () => {
    await server.close(0);
    await rm(home, { recursive: true, force: true });
  });
  const api = `http://127.0.0.1:${port}`;
  const run = (argv: readonly string[], stdin?: string) =>
    cli([...argv, '--api', api], { env: { HOME: home }, ...(stdin === undefined ? {} : { stdin }) });
  return { ...made, api, home, run, file: join(home, '.local', 'state', 'prefixd', 'sign-ins.json') };
}

describe('prefixd login', () => {
  test('signs in with a password from a pipe, for the commands that follow', async (t) => {
    const { run, file, engine, api } = await daemon(t);
    const before = await run(['mitigations']);
    assert.equal(before.code, 3);
    assert.match(before.stderr, /prefixd login/);
    const { code, stdout, stderr } = await run(['login', '--name', 'alice'], 'wonderland\n');
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^Signed in at http:\S+ as alice \(operator, limited to customers acme\), until 2026-11-24T/,
    );
    assert.doesNotMatch(stdout + stderr, /pxs_|wonderland/);
    assert.equal((await run(['mitigations'])).code, 0);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.match(await readFile(file, 'utf8'), new RegExp(`"${api}"`));
    // Who is limited to a customer gets neither neighbors nor counts of others.
    const status = await run(['status']);
    assert.equal(status.code, 0, status.stderr);
    assert.match(status.stdout, /^mitigations +0 active$/m);
    assert.doesNotMatch(status.stdout, /journal|edge1/);
    // A token that is given takes precedence.
    const other = await cli(['mitigations', '--api', api, '--token', 'nobody'], {
      env: { HOME: join(file, '../../../..') },
    });
    assert.equal(other.code, 3);
    assert.equal(engine.commands.length, 0);
  });

  test('refuses a wrong password, and saves nothing', async (t) => {
    const { run, file } = await daemon(t);
    const { code, stderr } = await run(['login', '--name', 'alice'], 'guess\n');
    assert.equal(code, 3);
    assert.match(stderr, /Wrong name or password/);
    await assert.rejects(stat(file));
  });

  test('says how, where there is no provider', async (t) => {
    const { run } = await daemon(t);
    const { code, stderr } = await run(['login']);
    assert.equal(code, 5);
    assert.match(stderr, /prefixd login --name NAME/);
  });

  test('sends no password where others can read it', async () => {
    const { code, stderr } = await cli(['login', '--name', 'x', '--api', 'http://192.0.2.1:8080'], {
      stdin: 'y\n',
    });
    assert.equal(code, 5);
    assert.match(stderr, /is not encrypted/);
  });

  test('does not use a file that others can read', async (t) => {
    const { run, file } = await daemon(t);
    await run(['login', '--name', 'alice'], 'wonderland\n');
    await chmod(file, 0o644);
    const { code, stderr } = await run(['mitigations']);
    assert.equal(code, 5);
    assert.match(stderr, /others can read .*sign-ins\.json/);
  });

  test('takes a damaged file for an empty one, and writes it anew', async (t) => {
    const { run, file } = await daemon(t);
    await run(['login', '--name', 'alice'], 'wonderland\n');
    await writeFile(file, '{"sign_ins": {"http://x": {"token": "a\\nb"}');
    assert.equal((await run(['mitigations'])).code, 3);
    await run(['login', '--name', 'alice'], 'wonderland\n');
    assert.equal((await run(['mitigations'])).code, 0);
  });

  test('comes back from a browser with a code that only it can redeem', async (t) => {
    const home = await mkdtemp(join(tmpdir(), 'prefixd-home-'));
    t.after(() => rm(home, { recursive: true, force: true }));
    const answer = {
      name: 'alice',
      role: 'viewer',
      scope: null,
      ends_at: '2026-11-24T00:00:00Z',
      token: 'pxs_x',
    };
    const api = await fakeApi(t, {
      'GET /v1/sign-in': { status: 200, body: { password: false, oidc: '/v1/sign-in/oidc', token: true } },
      'POST /v1/sign-in/oidc/token': { status: 200, body: answer },
    });
    /** Plays the browser as soon as the address is printed. */
    const visits: number[] = [];
    const sink = {
      out: () => undefined,
      err: (text: string) => {
        const [address] = /http:\S+\/v1\/sign-in\/oidc\S+/.exec(text) ?? [];
        if (address === undefined) return;
        const asked = new URL(address).searchParams;
        const at = `http://127.0.0.1:${asked.get('port')}`;
        void (async () => {
          for (const path of ['/', '/?code=evil&state=wrong', `/favicon.ico?state=${asked.get('state')}`]) {
            visits.push((await fetch(at + path)).status);
          }
          visits.push((await fetch(`${at}/?code=c0de&state=${asked.get('state')}`)).status);
        })();
      },
    };
    const { code, stderr } = await cli(['login', '--api', api.url], { env: { HOME: home }, sink });
    assert.equal(code, 0, stderr);
    assert.deepEqual(visits, [404, 404, 404, 200]);
    const redeemed = api.requests.at(-1);
    assert.deepEqual(Object.keys(Object(redeemed?.body)).sort(), ['code', 'verifier']);
    assert.equal(Object(redeemed?.body).code, 'c0de');
  });
});

describe('prefixd logout', () => {
  test('ends the sign-in at the daemon and here', async (t) => {
    const { run, actions } = await daemon(t);
    await run(['login', '--name', 'alice'], 'wonderland\n');
    const { code, stdout } = await run(['logout']);
    assert.equal(code, 0);
    assert.match(stdout, /^Signed out at http:/);
    assert.equal(actions.at(-1)?.type, 'person.signed_out');
    assert.equal((await run(['mitigations'])).code, 3);
    assert.equal((await run(['logout'])).code, 4);
  });

  test('ends it here even if the daemon cannot be reached', async (t) => {
    const { run, home, api, file } = await daemon(t);
    await run(['login', '--name', 'alice'], 'wonderland\n');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(api, 'http://127.0.0.1:1'));
    const { code, stderr } = await cli(['logout', '--api', 'http://127.0.0.1:1'], { env: { HOME: home } });
    assert.equal(code, 0);
    assert.match(stderr, /removed here, but the daemon was not told/);
    assert.doesNotMatch(await readFile(file, 'utf8'), /pxs_/);
  });
});

describe('prefixd users hash', () => {
  test('prints a hash for the users file', async () => {
    const { code, stdout } = await cli(['users', 'hash'], { stdin: 'correct horse\n' });
    assert.equal(code, 0);
    assert.equal(await checkPassword('correct horse', stdout.trim()), true);
  });

  test('refuses a short password, and none', async () => {
    assert.equal((await cli(['users', 'hash'], { stdin: 'short\n' })).code, 5);
    assert.equal((await cli(['users', 'hash'])).code, 5);
  });
});

describe('a password prompt', () => {
  /** A terminal at which somebody types these keys. */
  function terminal(keys: readonly string[]) {
    const written: string[] = [];
    const modes: boolean[] = [];
    const stdin = Object.assign(Readable.from(keys.map((key) => Buffer.from(key))), {
      setRawMode: (raw: boolean) => modes.push(raw),
    });
    const io: Io = {
      stdin,
      stdout: { write: (text) => written.push(text) },
      stderr: { write: (text) => written.push(text) },
      env: {},
      inputIsTerminal: true,
      outputIsTerminal: true,
      errorIsTerminal: true,
      columns: 80,
      wait: async () => undefined,
    };
    return { io, written, modes };
  }

  test('shows nothing of what is typed, and gives the terminal back', async () => {
    const { io, written, modes } = terminal(['gr', '\u00fcx', '\u007f', 'n', '\r', 'more']);
    assert.equal(await readSecret(io, 'Password'), 'gr\u00fcn');
    assert.deepEqual(written, ['Password: ', '\n']);
    assert.deepEqual(modes, [true, false]);
  });

  test('is left with Ctrl-C, also then with the terminal given back', async () => {
    const { io, modes } = terminal(['abc\u0003']);
    await assert.rejects(readSecret(io, 'Password'), /interrupted/);
    assert.deepEqual(modes, [true, false]);
  });
});
