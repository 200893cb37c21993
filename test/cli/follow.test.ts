/** `--follow` and `--watch`: what is new is shown once, and a daemon that goes away is waited for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cli, fakeApi, type Reply } from './harness.ts';

/** Returns a wait that ends at once this many times, then rejects, as Ctrl-C would end the command. */
function times(count: number): { readonly waits: number[]; readonly wait: (ms: number) => Promise<void> } {
  const waits: number[] = [];
  return {
    waits,
    wait: (ms) => {
      waits.push(ms);
      return waits.length > count ? Promise.reject(new Error('enough')) : Promise.resolve();
    },
  };
}

const ENOUGH = { message: 'enough' };

const event = (n: number) => ({
  event_id: `0b1c2d3e-4f50-4617-8293-00000000000${n}`,
  received_at: `2026-11-27T21:00:0${n}.000Z`,
  source: 'fastnetmon',
  victim_ip: `203.0.113.${n}`,
  vector: 'udp_flood',
  status: 'accepted',
  bps: 5_000_000_000,
  action: 'ban',
  reason: null,
  mitigation_id: null,
});

/** Answers one after the other, the last one for ever. */
function oneAfterTheOther(replies: readonly Reply[]): () => Reply {
  let i = 0;
  return () => replies[Math.min(i++, replies.length - 1)] ?? { status: 500 };
}

const page = (...numbers: readonly number[]): Reply => ({
  status: 200,
  body: { events: numbers.map(event), next_cursor: null },
});

/** Runs until the wait rejects; returns the output. */
async function followed(argv: readonly string[], wait: (ms: number) => Promise<void>) {
  let stdout = '';
  let stderr = '';
  const outcome = cli(argv, {
    wait,
    sink: { out: (text) => (stdout += text), err: (text) => (stderr += text) },
  });
  await assert.rejects(outcome, ENOUGH);
  return { stdout, stderr };
}

test('events --follow shows the oldest first, then each new report once, under one head', async (t) => {
  const api = await fakeApi(t, oneAfterTheOther([page(2, 1), page(2, 1), page(4, 3, 2, 1)]));
  const { waits, wait } = times(3);
  const { stdout, stderr } = await followed(
    ['events', '--follow', '--source', 'fastnetmon', '--vector', 'udp_flood', '--api', api.url],
    wait,
  );
  const lines = stdout.trimEnd().split('\n');
  assert.match(lines[0] ?? '', /^RECEIVED +VICTIM +STATUS/);
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(/ +/)[1]),
    ['203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4'],
  );
  assert.equal(stderr, '');
  assert.equal(waits[0], 2_000);
  assert.equal(api.requests[0]?.path, '/v1/events?source=fastnetmon&vector=udp_flood');
  assert.equal(api.requests[1]?.path, '/v1/events?source=fastnetmon&vector=udp_flood&limit=200');
});

test('events --follow reads page after page back to what it has shown', async (t) => {
  const api = await fakeApi(t, ({ path }) => {
    if (!path.includes('limit=')) return page(1);
    if (!path.includes('cursor='))
      return { status: 200, body: { events: [event(4), event(3)], next_cursor: 'c' } };
    return page(2, 1);
  });
  const { stdout } = await followed(['events', '--follow', '-f', 'json', '--api', api.url], times(1).wait);
  assert.deepEqual(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
    [1, 2, 3, 4].map(event),
  );
});

test('events --follow says when reports may be missing', async (t) => {
  const api = await fakeApi(t, oneAfterTheOther([page(1), page(9, 8)]));
  const { stderr } = await followed(['events', '--follow', '--api', api.url], times(1).wait);
  assert.match(stderr, /^prefixd: some reports may be missing here/);
});

for (const command of ['events', 'audit']) {
  test(`${command} --follow waits for a daemon that went away, and says so once`, async (t) => {
    const away: Reply = { status: 503, body: { detail: 'shutting down' } };
    const body = { events: [], entries: [], next_cursor: null };
    const here: Reply = { status: 200, body };
    const api = await fakeApi(t, oneAfterTheOther([here, away, away, here, here]));
    const { stderr } = await followed([command, '--follow', '-f', 'json', '--api', api.url], times(4).wait);
    assert.equal(stderr, 'prefixd: shutting down; retrying every 2 s\nprefixd: the daemon responds again\n');
  });

  test(`${command} --follow ends when its token is refused, and when there is no daemon to begin with`, async (t) => {
    const answers = oneAfterTheOther([
      { status: 200, body: { events: [], entries: [] } },
      { status: 401, body: { detail: 'invalid bearer token' } },
    ]);
    const api = await fakeApi(t, answers);
    assert.equal((await cli([command, '--follow', '--api', api.url], { wait: times(9).wait })).code, 3);
    assert.equal((await cli([command, '--follow', '--api', 'http://127.0.0.1:1'])).code, 2);
  });
}

test('--watch on a terminal takes the last picture away while the daemon is away', async (t) => {
  const peer = { name: 'edge1', state: 'established', enabled: true, uptime_seconds: 5, rules_sent: 0 };
  const here: Reply = { status: 200, body: [peer] };
  const api = await fakeApi(
    t,
    oneAfterTheOther([here, { status: 503, body: { detail: 'overloaded' } }, here]),
  );
  let stdout = '';
  const outcome = cli(['peers', '--watch', '5', '--api', api.url], {
    columns: 80,
    wait: times(2).wait,
    sink: { out: (text) => (stdout += text), err: () => undefined },
  });
  await assert.rejects(outcome, ENOUGH);
  const [before, first, second, third] = stdout.split('\u001b[H\u001b[2J');
  assert.equal(before, '');
  assert.match(first ?? '', /edge1/);
  assert.equal(second, 'overloaded; retrying every 5 s\n');
  assert.match(third ?? '', /edge1/);
});

test('--watch takes a number of seconds above 0', async () => {
  for (const every of ['0', '-1', 'often']) {
    const { code, stderr } = await cli(['peers', `--watch=${every}`, '--api', 'http://127.0.0.1:1']);
    assert.equal(code, 5);
    assert.match(
      stderr,
      /--watch: invalid number ".*": expected seconds above 0\n\(see prefixd peers list --help\)/,
    );
  }
});
