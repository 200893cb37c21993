import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cli, fakeApi } from './harness.ts';

const POPS = {
  pop: 'ber',
  exchange: { state: 'connected', since: '2026-01-01T00:00:00.000Z', problem: null },
  pops: [
    {
      name: 'ber',
      self: true,
      accepted: true,
      state: 'up',
      lag_seconds: 0.2,
      version: '0.2.0',
      same_policy: true,
      sessions_up: 2,
      sessions_total: 2,
      active: 4,
      imported: 0,
      unreadable: 0,
    },
    {
      name: 'fra',
      self: false,
      accepted: true,
      state: 'silent',
      lag_seconds: 75,
      version: '0.2.0',
      same_policy: false,
      sessions_up: 1,
      sessions_total: 2,
      active: 3,
      imported: 2,
      unreadable: 1,
    },
    {
      name: 'par',
      self: false,
      accepted: true,
      state: 'unknown',
      lag_seconds: null,
      version: null,
      same_policy: null,
      sessions_up: null,
      sessions_total: null,
      active: null,
      imported: 0,
      unreadable: 0,
    },
  ],
  requests: [
    {
      request: 'safelist add 203.0.113.10/32',
      operator: 'kim',
      age_seconds: 12,
      confirmations: [
        { pop: 'fra', state: 'unconfirmed', detail: 'it has not answered yet; it does this when it returns' },
        { pop: 'par', state: 'done', detail: '' },
      ],
    },
  ],
};

test('pops shows state and lag, and what has not been confirmed', async (t) => {
  const api = await fakeApi(t, { 'GET /v1/pops': { status: 200, body: POPS } });
  const { stdout } = await cli(['pops', '--api', api.url], { columns: 160, env: { NO_COLOR: '1' } });
  assert.match(stdout, /^ber \(this\) +up +0\.2s +2\/2 +4 +- +- +0\.2\.0$/m);
  assert.match(stdout, /^fra +silent, 1 unreadable +1m15s +1\/2 +3 +2 +differs +0\.2\.0$/m);
  assert.match(stdout, /^par +unknown +- +- +- +0 +- +-$/m);
  assert.match(
    stdout,
    /^safelist add 203\.0\.113\.10\/32 +kim +12s +fra +unconfirmed +it has not answered yet/m,
  );
});

test('pops says that the database cannot be used, and that there is no exchange', async (t) => {
  const problem = 'cannot connect to PostgreSQL at db:5432';
  const api = await fakeApi(t, {
    'GET /v1/pops': { status: 200, body: { ...POPS, exchange: { ...POPS.exchange, problem } } },
  });
  assert.match(
    (await cli(['pops', '--api', api.url])).stdout,
    /^! cannot connect to PostgreSQL at db:5432$/m,
  );
  const alone = await fakeApi(t, {
    'GET /v1/pops': { status: 200, body: { pop: 'ber', exchange: null, pops: [], requests: [] } },
  });
  const { stdout } = await cli(['pops', '--api', alone.url]);
  assert.equal(stdout, 'POP ber is on its own: exchange is not configured.\n');
});

test('a command for several POPs says what each did, and fails if one has not', async (t) => {
  const confirmations = [
    { pop: 'ber', state: 'done', detail: '' },
    { pop: 'fra', state: 'unconfirmed', detail: 'it has not answered yet' },
  ];
  const api = await fakeApi(t, {
    'POST /v1/control/pause': { status: 200, body: { paused: true, affected: [], confirmations } },
  });
  const argv = ['pause', '--pop', 'all', '--reason', 'test', '--operator', 'kim', '--api', api.url];
  const { stdout, stderr, code } = await cli(argv);
  assert.match(stdout, /^ber +done$/m);
  assert.match(stdout, /^fra +unconfirmed +it has not answered yet$/m);
  assert.match(stderr, /not done at fra \(unconfirmed\)/);
  assert.equal(code, 1);
  assert.deepEqual(api.requests[0]?.body, { operator_id: 'kim', reason: 'test', pops: ['*'] });
  const invalid = await cli([
    'pause',
    '--pop',
    'a b',
    '--reason',
    'x',
    '--operator',
    'kim',
    '--api',
    api.url,
  ]);
  assert.equal(invalid.code, 5);
});

test('a list of all POPs shows what is elsewhere', async (t) => {
  const elsewhere = [
    {
      mitigation_id: '0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9',
      pop: 'fra',
      customer_id: 'acme',
      victim_ip: '203.0.113.77',
      vector: 'udp_flood',
      action_type: 'discard',
      rate_bps: null,
      expires_at: '2099-01-01T00:00:00.000Z',
    },
  ];
  const body = { mitigations: [], next_cursor: null, elsewhere };
  const api = await fakeApi(t, { 'GET /v1/mitigations?pop=all': { status: 200, body } });
  const { stdout } = await cli(['mitigations', '--pop', 'all', '--api', api.url]);
  assert.match(stdout, /STATUS +FROM +VICTIM/);
  assert.match(stdout, /not here +fra +203\.0\.113\.77 +discard/);
});
