import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { CommandContext, Io } from '../../src/cli/command-context.ts';
import { notifyFastNetMon } from '../../src/cli/commands/notify.ts';
import type { Pace } from '../../src/cli/commands/notify.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { cli, fakeApi, program } from './harness.ts';
import type { FakeApi } from './harness.ts';

const CALL = ['notify', 'fastnetmon', '203.0.113.10', 'incoming', '118040'];
const ANSWER = { event_id: 'e', external_event_id: null, mitigation_id: 'm', status: 'accepted', why: ['w'] };

test("FastNetMon's own call reaches the daemon, arguments and details", async (t) => {
  const details = await readFile(
    new URL('../../fixtures/detectors/fastnetmon-notify.stdin', import.meta.url),
    'utf8',
  );
  const api = await fakeApi(t, { 'POST /v1/signals/fastnetmon': { status: 202, body: ANSWER } });
  const outcome = await program(t, [...CALL, 'ban'], {
    stdin: { text: details },
    env: { PREFIXD_API: api.url, PREFIXD_API_TOKEN: 'tok' },
  });
  assert.deepEqual(outcome, { code: 0, stdout: 'accepted m\n  - w\n', stderr: '' });
  const [request] = api.requests;
  assert.deepEqual(request?.body, {
    ip: '203.0.113.10',
    direction: 'incoming',
    pps: '118040',
    action: 'ban',
    details,
  });
  assert.equal(request?.headers.authorization, 'Bearer tok');
});

test("Advanced's call is its document, which a call without arguments is, too", async (t) => {
  const api = await fakeApi(t, { 'POST /v1/signals/fastnetmon': { status: 202, body: ANSWER } });
  const document = { action: 'unban', ip: '203.0.113.31', attack_details: { attack_uuid: 'u' } };
  const surroundings = { stdin: JSON.stringify(document), env: { PREFIXD_API: api.url } };
  for (const args of [['unban', '203.0.113.31'], ['203.0.113.31', 'unban'], []]) {
    const outcome = await cli(['notify', 'fastnetmon', ...args], surroundings);
    assert.equal(outcome.code, 0, outcome.stderr);
  }
  assert.deepEqual(
    api.requests.map(({ body }) => body),
    [document, document, document],
  );
});

test("Advanced's call without a document that can be read still names its victim", async (t) => {
  const api = await fakeApi(t, { 'POST /v1/signals/fastnetmon': { status: 202, body: ANSWER } });
  for (const stdin of ['', '{"action":"ban","packet_dump":["cut']) {
    await cli(['notify', 'fastnetmon', 'ban', '203.0.113.31'], { stdin, env: { PREFIXD_API: api.url } });
    const { ip, action } = Object(api.requests.at(-1)?.body);
    assert.deepEqual([ip, action], ['203.0.113.31', 'ban']);
  }
});

test('a call that is not one of FastNetMon is invalid input', async () => {
  for (const args of [['203.0.113.31'], ['203.0.113.31', 'incoming', '1'], []]) {
    assert.equal((await cli(['notify', 'fastnetmon', ...args], { inputIsTerminal: true })).code, 5);
  }
});

for (const stdin of ['closed', 'open'] as const) {
  test(`it ends by itself when standard input is ${stdin}`, { timeout: PATIENCE_MS }, async (t) => {
    const api = await fakeApi(t, { 'POST /v1/signals/fastnetmon': { status: 202, body: ANSWER } });
    const outcome = await program(t, [...CALL, 'ban', '--api', api.url], { stdin });
    assert.equal(outcome.code, 0);
    assert.equal(detailsIn(api), '');
  });
}

test('an unban does not read standard input', { timeout: PATIENCE_MS }, async (t) => {
  const api = await fakeApi(t, { 'POST /v1/signals/fastnetmon': { status: 202, body: ANSWER } });
  const outcome = await program(t, [...CALL, 'unban', '--api', api.url], { stdin: 'open' });
  assert.equal(outcome.code, 0);
});

test('at a terminal nothing is read', async (t) => {
  const api = await fakeApi(t, { 'POST /v1/signals/fastnetmon': { status: 202, body: ANSWER } });
  const surroundings = { inputIsTerminal: true, stdin: 'typed' };
  assert.equal((await cli([...CALL, 'ban', '--api', api.url], surroundings)).code, 0);
  assert.equal(detailsIn(api), '');
});

test('what the daemon refuses is not tried again', async (t) => {
  const api = await fakeApi(t, () => ({ status: 422, body: { detail: 'no', reason: 'safelisted' } }));
  const outcome = await cli([...CALL, 'ban', '--api', api.url]);
  assert.equal(outcome.code, 5);
  assert.equal(api.requests.length, 1);
});

/** A hundred times its limits: no machine is so slow. */
const HANGS_MS = 30_000;

/** So long that only a call that hangs reaches them; it is tried again soon. */
const PATIENT: Pace = {
  total: PATIENCE_MS,
  silence: PATIENCE_MS,
  connect: PATIENCE_MS,
  answer: PATIENCE_MS,
  pauses: [5, 10, 20],
};

/** Limits that are reached soon. */
const FAST: Pace = { total: 300, silence: 20, connect: 100, answer: 100, pauses: [5, 10, 20] };

function context(api: string): CommandContext {
  const io: Io = {
    stdin: new PassThrough(),
    stdout: { write: () => true },
    stderr: { write: () => true },
    env: {},
    inputIsTerminal: true,
    outputIsTerminal: false,
    columns: 80,
    errorIsTerminal: false,
    wait: () => Promise.resolve(),
  };
  return { io, options: { format: 'table', api }, color: false };
}

/** The details in the body of a recorded call. */
function detailsIn(api: FakeApi): unknown {
  return Reflect.get(Object(api.requests[0]?.body), 'details');
}

const BAN = { ip: '203.0.113.10', direction: 'incoming', pps: '1', action: 'ban' };

test('a daemon that cannot write its journal is tried again', async (t) => {
  let calls = 0;
  const api = await fakeApi(t, () => {
    calls++;
    return calls < 3 ? { status: 503, body: { detail: 'disk full' } } : { status: 202, body: ANSWER };
  });
  await notifyFastNetMon(context(api.url), BAN, PATIENT);
  assert.equal(calls, 3);
});

test('a daemon that is away is tried again, and the time is bounded', async () => {
  const begin = performance.now();
  await assert.rejects(notifyFastNetMon(context('http://127.0.0.1:1'), BAN, FAST), { exitCode: 2 });
  const took = performance.now() - begin;
  assert.ok(took > 100 && took < HANGS_MS, `it took ${took} ms`);
});

test('a daemon that takes the call and never answers does not hold FastNetMon up', async (t) => {
  const silent = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  t.after(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const begin = performance.now();
  const pace = { ...FAST, answer: 2 * HANGS_MS };
  await assert.rejects(notifyFastNetMon(context(`http://127.0.0.1:${port}`), BAN, pace), { exitCode: 2 });
  assert.ok(performance.now() - begin < HANGS_MS);
});
