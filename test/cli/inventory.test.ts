/** `prefixd inventory status | diff | sync | accept`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cli, fakeApi } from './harness.ts';

const COPY = {
  digest: 'sha256:aa',
  read_at: '2026-11-23T12:00:00Z',
  api_version: '4.6',
  customers: 2,
  prefixes: 10,
  assets: 1,
  safelist: 0,
  notes: [
    { text: 'a prefix belongs to two customers; the older one has it', count: 3, example: '10.0.0.0/8' },
  ],
};

const STATUS = {
  source: 'netbox',
  from: 'https://netbox.example.net',
  copy: COPY,
  last_success_at: '2026-11-23T12:05:00Z',
  next_read_at: '2026-11-23T12:10:00Z',
  reading: null,
  failure: { code: 'unavailable', text: 'HTTP 502', since: '2026-11-23T12:06:00Z', attempts: 1 },
  waiting: {
    digest: 'sha256:bb',
    reason: '5 of 10 prefixes would vanish',
    since: '2026-11-23T12:06:00Z',
    differences: 5,
    customers: 2,
    prefixes: 5,
    assets: 1,
  },
};

const DIFF = {
  digest: 'sha256:bb',
  reason: '5 of 10 prefixes would vanish',
  differences: 3,
  lines: ['prefix 10.0.0.0/8: removed from acme'],
};

test('inventory shows the copy, failures and what waits', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/inventory': { status: 200, body: STATUS } });
  const { stdout, code } = await cli(['inventory', '--api', api.url]);
  assert.equal(code, 0);
  assert.equal(
    stdout,
    `source        netbox https://netbox.example.net, API 4.6
in use        2 customers, 10 prefixes, 1 asset; read 2026-11-23T12:00:00Z
last success  2026-11-23T12:05:00Z
next read     2026-11-23T12:10:00Z
failure       HTTP 502 (since 2026-11-23T12:06:00Z, 1 attempt)
waiting       5 of 10 prefixes would vanish (2 customers, 5 prefixes, 1 asset; 5 differences)
note          a prefix belongs to two customers; the older one has it: 3 times, such as 10.0.0.0/8
`,
  );
});

test('inventory says when there is no other system', async (t) => {
  const api = await fakeApi(t, {
    'GET /v1/inventory': { status: 200, body: { ...STATUS, source: 'files', copy: null } },
  });
  assert.match((await cli(['inventory', '--api', api.url])).stdout, /All customers are in inventory\.yaml/);
});

test('inventory diff shows the first differences and counts the others', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/inventory/diff': { status: 200, body: DIFF } });
  const { stdout } = await cli(['inventory', 'diff', '--api', api.url]);
  assert.equal(
    stdout,
    'Not used: 5 of 10 prefixes would vanish\nprefix 10.0.0.0/8: removed from acme\n... and 2 more\n',
  );
  const none = { digest: null, reason: null, differences: 0, lines: [] };
  const empty = await fakeApi(t, { 'GET /v1/inventory/diff': { status: 200, body: none } });
  assert.equal((await cli(['inventory', 'diff', '--api', empty.url])).stdout, 'No inventory waits.\n');
});

test('inventory sync says what became of the answer', async (t) => {
  const body = { result: 'waiting', reason: '5 of 10 prefixes would vanish' };
  const api = await fakeApi(t, { 'POST /v1/inventory/sync': { status: 200, body } });
  const { stdout } = await cli(['inventory', 'sync', '--api', api.url]);
  assert.match(stdout, /is not used: 5 of 10 prefixes would vanish/);
  assert.deepEqual(api.requests[0]?.body, { operator_id: 'ana' });
});

test('inventory accept accepts what diff has shown, and asks before it withdraws many mitigations', async (t) => {
  const effect = 'the new configuration would withdraw 9 of 9 active mitigations';
  const api = await fakeApi(t, ({ method, body }) => {
    if (method === 'GET') return { status: 200, body: DIFF };
    const isConfirmed = typeof body === 'object' && body !== null && 'confirm' in body;
    return isConfirmed
      ? { status: 200, body: { result: 'adopted', reason: null } }
      : {
          status: 409,
          body: {
            status: 409,
            detail: 'no',
            reason: 'needs_confirmation',
            effect,
            would_withdraw: 9,
            active: 9,
          },
        };
  });
  const refused = await cli(['inventory', 'accept', '--api', api.url]);
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, /would withdraw 9 of 9/);
  const accepted = await cli(['inventory', 'accept', '--yes', '--api', api.url]);
  assert.equal(accepted.stdout, 'The inventory is in use.\n');
  assert.deepEqual(api.requests.at(-1)?.body, { operator_id: 'ana', digest: 'sha256:bb', confirm: true });
});
