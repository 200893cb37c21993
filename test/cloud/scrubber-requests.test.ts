import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PostAnswer } from '../../src/alert/post.ts';
import { idle } from '../control/fake-time.ts';
import { mitigation, OPERATOR } from '../control/support.ts';
import { CloudBench, idOf, pending, SECRET, settings, TO_CLOUD } from './support.ts';

const ONE = '203.0.113.1/32';
const SHARED = { dstPrefix: ONE, protocol: null, dstPorts: [], srcPorts: [] };

/** A bench whose scrubber answers with these codes, one after the other, and then 200. */
async function answering(...codes: readonly number[]): Promise<CloudBench> {
  const bench = new CloudBench({
    answer: async (_request, count) => ({ status: codes[count - 1] ?? 200, text: 'sorry' }),
  });
  await bench.start();
  return bench;
}

/** Returns what was reported, without accepted requests. */
function troubles({ reports }: CloudBench): readonly string[] {
  return reports.flatMap(({ request, result, trouble }) =>
    trouble === undefined ? [] : [`${request} ${result ?? '-'} ${trouble}`],
  );
}

describe('protection of a prefix', () => {
  it('is requested when its first mitigation begins, and stopped some time after its last has ended', async () => {
    const bench = await answering();
    await bench.begin(1);
    await bench.begin(2, { match: SHARED });
    assert.deepEqual(bench.lines, [`POST ${ONE}`]);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    await bench.end(1);
    await bench.time.advance(60_000);
    assert.deepEqual(bench.states, [`${ONE} confirmed`], 'the other one still needs it');
    await bench.end(2);
    assert.deepEqual(bench.states, [`${ONE} stopping`]);
    await bench.time.advance(29_999);
    assert.equal(bench.sent.length, 1, 'routers may still send traffic there');
    await bench.time.advance(1);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
    assert.deepEqual(bench.states, []);
    assert.match(
      bench.sent[1]?.request.url ?? '',
      new RegExp(`/v1/protect/${idOf(1)}\\?`),
      'as it was started',
    );
    assert.deepEqual(
      bench.reports.map(({ request, result }) => `${request} ${result}`),
      ['start accepted', 'stop accepted'],
    );
  });

  it('continues while the routers withdraw the route of the last mitigation', async () => {
    const bench = await answering();
    await bench.begin(1);
    const ending = { to: 'withdrawn', at: bench.time.now, actor: OPERATOR, reason: 'over' } as const;
    await bench.record({ type: 'mitigation.ending', id: idOf(1), ending });
    await bench.time.advance(600_000);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('is requested for redirects and escalations to the scrubber, and for nothing else', async () => {
    const bench = await answering();
    await bench.begin(1, { action: { type: 'redirect', rateBps: null, target: { scrubber: 'cloud' } } });
    await bench.begin(2, { action: { type: 'police', rateBps: 1e6 } });
    await bench.begin(3, { action: { type: 'divert', rateBps: null, scrubber: 'own' } });
    await bench.begin(4, { dryRun: true });
    await bench.record({
      type: 'mitigation.rejected',
      mitigation: mitigation({ id: idOf(5), status: 'rejected', action: TO_CLOUD }),
    });
    assert.deepEqual(bench.lines, [`POST ${ONE}`]);
    await bench.record({ type: 'mitigation.escalated', id: idOf(2), change: { action: TO_CLOUD, step: 1 } });
    assert.deepEqual(bench.lines.slice(1), ['POST 203.0.113.2/32']);
    await bench.record({
      type: 'mitigation.escalated',
      id: idOf(2),
      change: { action: { type: 'blackhole', rateBps: null }, step: 2 },
    });
    await bench.time.advance(30_000);
    assert.deepEqual(bench.lines.slice(2), ['DELETE 203.0.113.2/32']);
  });

  it('is kept by a new mitigation while the stop waits', async () => {
    const bench = await answering();
    await bench.begin(1);
    await bench.end(1);
    await bench.begin(2, { match: SHARED });
    await bench.time.advance(3_600_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`]);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    await bench.end(2);
    await bench.time.advance(30_000);
    assert.match(
      bench.sent[1]?.request.url ?? '',
      new RegExp(idOf(1)),
      'the stop names what the start named',
    );
  });

  it('is requested again if a stop may have arrived, although it was not answered', async () => {
    const bench = await answering(200, 504);
    await bench.begin(1);
    await bench.end(1);
    await bench.time.advance(30_000);
    await bench.begin(2, { match: SHARED });
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`, `POST ${ONE}`]);
  });

  it('is not stopped before a wider one that replaces it is confirmed', async () => {
    const wide = pending<Partial<PostAnswer>>();
    const bench = new CloudBench({
      answer: (_request, count) => (count === 2 ? wide.promise : Promise.resolve({})),
    });
    await bench.start();
    await bench.begin(1);
    const match = { ...SHARED, dstPrefix: '203.0.113.0/24' };
    await bench.record({ type: 'mitigation.widened', id: idOf(1), change: { match } });
    await bench.time.advance(40_000);
    assert.deepEqual(
      bench.lines,
      [`POST ${ONE}`, 'POST 203.0.113.0/24'],
      'one attempt is over, the next fails, too',
    );
    wide.resolve({});
    await bench.time.advance(60_000);
    assert.deepEqual(bench.lines.at(-1), `DELETE ${ONE}`);
    assert.deepEqual(bench.states, ['203.0.113.0/24 confirmed']);
  });
});

describe('a request that fails', () => {
  it('is tried again after growing pauses, until it is accepted', async () => {
    const bench = await answering(503, 500, 429);
    await bench.begin(1);
    assert.deepEqual(bench.states, [`${ONE} requested`]);
    const [status] = bench.requests.statuses();
    assert.deepEqual([status?.attempts, status?.lastError], [1, 'HTTP 503: sorry']);
    assert.equal(status?.nextAttemptAt, bench.time.now + 750);
    await bench.time.advance(10_000);
    const [first = 0, ...later] = bench.sent.map(({ at }) => at);
    assert.deepEqual(
      later.map((at) => at - first),
      [750, 2_250, 5_250],
    );
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    assert.deepEqual(troubles(bench), [], 'nobody is alarmed');
  });

  it('counts as failed after five attempts, is tried at least once a minute, and recovers', async () => {
    const bench = new CloudBench({ answer: () => Promise.reject(new Error('connect ECONNREFUSED')) });
    await bench.start();
    await bench.begin(1);
    await bench.time.advance(12_000);
    assert.equal(bench.sent.length, 5);
    assert.deepEqual(bench.states, [`${ONE} failed`]);
    assert.deepEqual(troubles(bench), ['start error begins']);
    await bench.time.advance(600_000);
    assert.ok(bench.sent.length >= 14, `${bench.sent.length} attempts`);
    assert.deepEqual(troubles(bench), ['start error begins'], 'one alarm');
    bench.answer = () => Promise.resolve({});
    await bench.time.advance(60_000);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    assert.deepEqual(troubles(bench), ['start error begins', 'start accepted ends']);
  });

  it('counts as failed at once if it is refused, and is tried again every five minutes', async () => {
    const bench = await answering(401, 302);
    await bench.begin(1);
    assert.deepEqual(bench.states, [`${ONE} failed`]);
    await bench.time.advance(299_999);
    assert.equal(bench.sent.length, 1);
    await bench.time.advance(1);
    assert.match(bench.requests.statuses()[0]?.lastError ?? '', /redirects are not followed/);
    await bench.time.advance(300_000);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('ends at its time limit', async () => {
    const bench = new CloudBench({
      answer: (_request, _count, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('aborted'))),
        ),
    });
    await bench.start();
    await bench.begin(1);
    await bench.time.advance(10_000);
    assert.equal(bench.requests.statuses()[0]?.lastError, 'no response within 10000 ms');
  });

  it('is not sent if its URL needs a value that the mitigation lacks', async () => {
    const template = settings().start;
    const bench = new CloudBench({
      settings: new Map([
        ['cloud', settings('x', { start: { ...template, url: 'https://x/{customer_id}' } })],
      ]),
    });
    await bench.start();
    await bench.begin(1, { customerId: null });
    assert.deepEqual([bench.sent.length, bench.states], [0, [`${ONE} failed`]]);
    assert.match(bench.requests.statuses()[0]?.lastError ?? '', /no customer_id/);
  });

  it('of a stop is tried for a day, and then given up loudly', async () => {
    const bench = await answering();
    await bench.begin(1);
    bench.answer = () => Promise.resolve({ status: 500 });
    await bench.end(1);
    await bench.time.advance(60_000);
    assert.deepEqual(bench.states, [`${ONE} failed`]);
    assert.deepEqual(troubles(bench), ['stop error begins']);
    await bench.time.advance(23 * 3_600_000);
    assert.deepEqual(bench.states, [`${ONE} failed`]);
    await bench.time.advance(3_600_000);
    assert.deepEqual(bench.states, []);
    assert.deepEqual(bench.reports.at(-1)?.result, 'given_up');
    assert.ok(bench.sent.length < 400, `${bench.sent.length} attempts`);
  });

  it('has succeeded if its code is among those that mean success', async () => {
    const bench = new CloudBench({
      settings: new Map([['cloud', settings('x', { start: { ...settings().start, accepted: [409] } })]]),
      answer: async ({ method }) => ({ status: method === 'POST' ? 409 : 404 }),
    });
    await bench.start();
    await bench.begin(1);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
    await bench.end(1);
    await bench.time.advance(30_000);
    assert.deepEqual(bench.states, [], 'what is not there is stopped');
  });

  it('never shows the secret, nor the URL', async () => {
    const echo = `Bearer ${SECRET} at /v1/protect?token=t0ken on https://api.example/v1/protect?token=t0ken`;
    const bench = new CloudBench({ answer: async () => ({ status: 403, text: echo }) });
    await bench.start();
    await bench.begin(1);
    const shown = JSON.stringify([bench.reports, bench.requests.statuses()]);
    assert.match(shown, /HTTP 403: Bearer \[secret\] at \[secret\]/);
    assert.ok(!shown.includes(SECRET) && !shown.includes('t0ken'), shown);
    assert.equal(bench.sent[0]?.request.headers.authorization, `Bearer ${SECRET}`);
  });
});

describe('the order of requests', () => {
  it('is kept: a stop waits for its start, which is under way', async () => {
    const start = pending<Partial<PostAnswer>>();
    const bench = new CloudBench({ answer: (_, n) => (n === 1 ? start.promise : Promise.resolve({})) });
    await bench.start();
    await bench.begin(1);
    await bench.end(1);
    await bench.time.advance(9_999);
    assert.deepEqual(bench.lines, [`POST ${ONE}`]);
    start.resolve({});
    await idle();
    await bench.time.advance(30_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
  });

  it('is kept: a start waits for a stop that is under way, and names the new mitigation', async () => {
    const stop = pending<Partial<PostAnswer>>();
    const bench = new CloudBench({ answer: (_, n) => (n === 2 ? stop.promise : Promise.resolve({})) });
    await bench.start();
    await bench.begin(1);
    await bench.end(1);
    await bench.time.advance(30_000);
    await bench.begin(2, { match: SHARED });
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
    stop.resolve({});
    await idle();
    assert.deepEqual(bench.lines.at(-1), `POST ${ONE}`);
    assert.match(bench.sent.at(-1)?.request.body ?? '', new RegExp(idOf(2)));
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('needs no stop for a start that was never sent', async () => {
    const bench = await answering();
    await bench.record({ type: 'control.paused', actor: OPERATOR, reason: 'maintenance' });
    await bench.begin(1);
    await bench.begin(2);
    assert.deepEqual(bench.sent, [], 'nothing new while paused');
    await bench.end(1);
    await bench.record({ type: 'control.resumed', actor: OPERATOR, reason: 'done' });
    await bench.time.advance(60_000);
    assert.deepEqual(bench.lines, ['POST 203.0.113.2/32']);
    assert.equal(bench.reports[0]?.result, 'cancelled');
  });

  it('needs a stop for a start that failed: it may have arrived', async () => {
    const bench = await answering(504);
    await bench.begin(1);
    await bench.end(1);
    await bench.time.advance(60_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
  });

  it('has at most four under way at one scrubber', async () => {
    let under = 0;
    let most = 0;
    const bench = new CloudBench({
      answer: async () => {
        most = Math.max(most, ++under);
        await idle();
        under--;
        return {};
      },
    });
    await bench.start();
    await Promise.all(Array.from({ length: 12 }, (_, i) => bench.begin(i + 1)));
    for (let i = 0; i < 10; i++) await idle();
    assert.deepEqual([most, bench.sent.length], [4, 12]);
  });
});

describe('a reload', () => {
  it('uses the new template for the next request, and tries at once what has failed', async () => {
    const bench = await answering(401);
    await bench.begin(1);
    bench.requests.adopt(new Map([['cloud', settings('new.example')]]));
    await idle();
    assert.match(bench.sent[1]?.request.url ?? '', /^https:\/\/new\.example\//);
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('requests protection for what is diverted already', async () => {
    const bench = new CloudBench({ settings: new Map() });
    await bench.start();
    await bench.begin(1);
    assert.deepEqual(bench.states, []);
    bench.requests.adopt(new Map([['cloud', settings()]]));
    await idle();
    assert.deepEqual(bench.states, [`${ONE} confirmed`]);
  });

  it('that removes the scrubber leaves what was requested, and stops it with the old template', async () => {
    const bench = await answering();
    await bench.begin(1);
    bench.requests.adopt(new Map());
    bench.requests.adopt(new Map([['other', settings('other.example')]]));
    await bench.begin(2);
    await bench.time.advance(60_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`], 'nothing new is requested');
    await bench.end(1);
    await bench.time.advance(60_000);
    assert.deepEqual(bench.lines, [`POST ${ONE}`, `DELETE ${ONE}`]);
    assert.match(bench.sent[1]?.request.url ?? '', /^https:\/\/api\.example\//);
  });
});

describe('stopping the daemon', () => {
  it('lets requests under way finish, for a limited time, and begins none', async () => {
    const bench = new CloudBench({
      answer: (_request, _count, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => reject(new Error('aborted'))),
        ),
    });
    await bench.start();
    await bench.begin(1);
    let closed = false;
    const closing = bench.requests.close(1_000).then(() => {
      closed = true;
    });
    await bench.begin(2);
    await bench.time.advance(999);
    assert.equal(closed, false);
    await bench.time.advance(1);
    await closing;
    assert.deepEqual(bench.lines, [`POST ${ONE}`]);
    assert.deepEqual(troubles(bench), []);
  });
});
