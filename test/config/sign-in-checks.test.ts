import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { loadConfigApart } from '../../src/config/load-apart.ts';
import { NOBODYS_HASH } from '../../src/people/passwords.ts';
import { folder, INVENTORY, PLAYBOOKS, SHORTEST } from './folder.ts';

const USERS = `users:
  - name: alice
    role: operator
    password: ${NOBODYS_HASH}
    scope: { customers: [acme], actions: [police] }
`;

const AUTH = (signIn: string, more = ''): string =>
  `${SHORTEST}http:\n  auth:\n    mode: bearer\n${more}    sign_in:\n${signIn
    .trim()
    .split('\n')
    .map((line) => `      ${line}`)
    .join('\n')}\n`;

const ENV = { PREFIXD_API_TOKEN: 'a-token-of-the-test-only' };

async function files(t: TestContext, settings: string, users = USERS, mode = 0o600): Promise<string> {
  const path = await folder(t, {
    'prefixd.yaml': settings,
    'inventory.yaml': INVENTORY,
    'playbooks.yaml': PLAYBOOKS,
  });
  await writeFile(join(path, 'users.yaml'), users);
  await chmod(join(path, 'users.yaml'), mode);
  return path;
}

async function findings(t: TestContext, settings: string, users?: string, mode?: number) {
  const result = await loadConfig(await files(t, settings, users, mode), ENV);
  const line = ({ path, message }: { path: string; message: string }) => `${path}: ${message}`;
  return {
    problems: result.ok ? [] : result.problems.map(line),
    warnings: result.warnings.map(line),
    auth: result.ok ? result.config.http.auth : undefined,
  };
}

const OIDC = `
public_url: https://prefixd.example.net
oidc:
  issuer: https://login.example.net
  client_id: prefixd
  grants: [{ value: noc, role: operator }]
`;

describe('sign-in of people', () => {
  test('is read from the users file, also in a thread of its own', async (t) => {
    const path = await files(t, AUTH('users_file: users.yaml'));
    for (const result of [await loadConfig(path, ENV), await loadConfigApart(path, ENV)]) {
      assert.ok(result.ok, JSON.stringify(result));
      assert.deepEqual(result.warnings, []);
      const { auth } = result.config.http;
      assert.ok(auth.mode === 'bearer');
      assert.deepEqual(auth.signIn, {
        users: [
          {
            name: 'alice',
            role: 'operator',
            passwordHash: NOBODYS_HASH,
            scope: { customers: ['acme'], actions: ['police'] },
          },
        ],
        idleSeconds: 3600,
        absoluteSeconds: 43_200,
      });
      assert.doesNotMatch(JSON.stringify(result.config.shown), /scrypt/);
    }
  });

  test('is read with a provider', async (t) => {
    const { problems, auth } = await findings(t, AUTH(OIDC));
    assert.deepEqual(problems, []);
    assert.ok(auth?.mode === 'bearer');
    assert.equal(auth.signIn?.oidc?.roleClaim, 'groups');
    assert.deepEqual(auth.signIn?.oidc?.grants, [{ value: 'noc', role: 'operator' }]);
  });

  test('needs a file that exists, with hashes and without doubles', async (t) => {
    const missing = await findings(t, AUTH('users_file: nobody.yaml'));
    assert.match(missing.problems.join('\n'), /file not found/);
    const plain = await findings(
      t,
      AUTH('users_file: users.yaml'),
      USERS.replace(NOBODYS_HASH, 'wonderland'),
    );
    assert.match(
      plain.problems.join('\n'),
      /users\[0\]\.password: invalid value \(not shown: it may be a secret\)/,
    );
    const twice = await findings(t, AUTH('users_file: users.yaml'), USERS + USERS.replace('users:\n', ''));
    assert.deepEqual(twice.problems, ['users[1].name: name "alice" is used twice']);
    const detector = await findings(t, AUTH('users_file: users.yaml'), USERS.replace('operator', 'detector'));
    assert.match(detector.problems.join('\n'), /users\[0\]\.role/);
  });

  test('warns of a users file that others can read, and of customers that do not exist', async (t) => {
    const open = await findings(t, AUTH('users_file: users.yaml'), USERS, 0o644);
    assert.match(
      open.warnings.join('\n'),
      /^http\.auth\.sign_in\.users_file: every user of this machine can read or change/,
    );
    const unknown = await findings(
      t,
      AUTH('users_file: users.yaml'),
      USERS.replace('[acme]', '[acme, acne]'),
    );
    assert.deepEqual(unknown.warnings, ['users[0].scope.customers[1]: the inventory has no customer "acne"']);
    const token =
      '    tokens: [{ name: a, role: viewer, token_env: PREFIXD_API_TOKEN, scope: { customers: [acne] } }]\n';
    const limited = await findings(t, AUTH('users_file: users.yaml', token));
    assert.deepEqual(limited.warnings, [
      'http.auth.tokens[0].scope.customers[0]: the inventory has no customer "acne"',
    ]);
  });

  for (const [what, signIn, expected] of [
    ['nobody who could sign in', 'idle_seconds: 600', /sign_in: nobody can sign in/],
    ['a provider without the way back', OIDC.replace(/public_url.*\n/, ''), /oidc: oidc needs public_url/],
    [
      'a provider over plain HTTP',
      OIDC.replace('https://login', 'http://login'),
      /issuer: .* is not encrypted/,
    ],
    [
      'a way back over plain HTTP',
      OIDC.replace('https://prefixd', 'http://prefixd'),
      /public_url: .* is not encrypted/,
    ],
    ['a way back with a path', OIDC.replace('.net\noidc', '.net/x\noidc'), /public_url: invalid value/],
    ['a provider without grants', OIDC.replace('[{ value: noc, role: operator }]', '[]'), /grants/],
    [
      'an idle time above the absolute one',
      'users_file: users.yaml\nidle_seconds: 600\nabsolute_seconds: 300',
      /idle_seconds: 600 is above/,
    ],
  ] as const) {
    test(`refuses ${what}`, async (t) => {
      assert.match((await findings(t, AUTH(signIn))).problems.join('\n'), expected);
    });
  }

  test('leaves no token the name of a webhook, whose sender is nobody else', async (t) => {
    const token = '    tokens: [{ name: "webhook:kentik", role: viewer, token_env: PREFIXD_API_TOKEN }]\n';
    const { problems } = await findings(t, AUTH('users_file: users.yaml', token));
    assert.match(problems.join('\n'), /http\.auth\.tokens\[0\]\.name: invalid value/);
  });

  test('may use plain HTTP on this machine, for a try', async (t) => {
    const local = OIDC.replace('https://login.example.net', 'http://127.0.0.1:9000').replace(
      'https://prefixd.example.net',
      'http://localhost:8080',
    );
    assert.deepEqual((await findings(t, AUTH(local))).problems, []);
  });
});
