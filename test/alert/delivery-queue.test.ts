import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import type { AlertRequest } from '../../src/alert/alert.ts';
import {
  DEFAULT_LIMITS,
  type Delivery,
  type DeliveryOptions,
  DeliveryQueue,
} from '../../src/alert/delivery-queue.ts';
import { type PostAnswer, type Poster, RefusedAddressError } from '../../src/alert/post.ts';
import { alert, FakeTimers } from './support.ts';

interface Bench {
  readonly queue: DeliveryQueue;
  readonly timers: FakeTimers;
  readonly posted: string[];
  readonly outcomes: string[];
  readonly deliveries: Delivery[];
}

/** Creates a queue with scripted responses; `settle` ends all pauses at once. */
function bench(
  answer: (count: number, signal: AbortSignal) => Promise<Partial<PostAnswer>>,
  options: Partial<DeliveryOptions> = {},
): Bench {
  const timers = new FakeTimers();
  const posted: string[] = [];
  const deliveries: Delivery[] = [];
  const outcomes: string[] = [];
  const poster: Poster = {
    post: async ({ body }: AlertRequest, signal) => {
      posted.push(body);
      return { status: 200, retryAfterMs: undefined, text: '', ...(await answer(posted.length, signal)) };
    },
    close: () => Promise.resolve(),
  };
  const queue = new DeliveryQueue({
    name: 'test',
    requestOf: (alerts) => ({
      url: 'https://x.example/',
      headers: {},
      body: alerts.map((a) => a.seq).join(),
    }),
    batch: 1,
    secrets: [],
    poster,
    timers,
    random: () => 0.5,
    onDelivery: (delivery) => {
      deliveries.push(delivery);
      outcomes.push(`${delivery.alerts.map((a) => a.seq).join()} ${delivery.outcome} ${delivery.attempts}`);
    },
    limits: DEFAULT_LIMITS,
    ...options,
  });
  return { queue, timers, posted, outcomes, deliveries };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}

test('alerts are delivered in order, one at a time', async () => {
  let under = 0;
  let most = 0;
  const { queue, outcomes } = bench(async () => {
    most = Math.max(most, ++under);
    await turn();
    under--;
    return {};
  });
  for (let seq = 1; seq <= 4; seq++) queue.add(alert(seq));
  await turns();
  await turns();
  assert.deepEqual(outcomes, ['1 delivered 1', '2 delivered 1', '3 delivered 1', '4 delivered 1']);
  assert.equal(most, 1);
});

test('a failure is tried again after pauses that double, half of each random', async () => {
  const { queue, timers, outcomes, deliveries } = bench(() => Promise.resolve({ status: 503, text: 'down' }));
  queue.add(alert(1));
  for (let i = 0; i < 10; i++) {
    await turns();
    timers.fire();
  }
  const pauses = timers.delays.filter((ms) => ms !== DEFAULT_LIMITS.timeoutMs);
  assert.deepEqual(pauses, [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000]);
  assert.deepEqual(outcomes, ['1 failed 8']);
  assert.equal(deliveries[0]?.detail, 'HTTP 503: down');
});

test('what fails once and works then is delivered, and those behind it wait their turn', async () => {
  const { queue, timers, outcomes, posted } = bench((count) =>
    count === 1 ? Promise.reject(new Error('connect ECONNREFUSED')) : Promise.resolve({}),
  );
  queue.add(alert(1));
  queue.add(alert(2));
  await turns();
  assert.deepEqual(posted, ['1']);
  timers.fire();
  await turns();
  assert.deepEqual(outcomes, ['1 delivered 2', '2 delivered 1']);
});

test('a pause that the destination asks for is kept, within reason', async () => {
  const { queue, timers } = bench((count) =>
    Promise.resolve({ status: 429, retryAfterMs: count === 1 ? 30_000 : 86_400_000 }),
  );
  queue.add(alert(1));
  await turns();
  timers.fire();
  await turns();
  assert.deepEqual(
    timers.delays.filter((ms) => ms !== DEFAULT_LIMITS.timeoutMs),
    [30_000, 300_000],
  );
});

test('a refusal is final: a client error, a redirect, a private address', async () => {
  const answers = [
    () => Promise.resolve({ status: 404, text: 'no_service' }),
    () => Promise.resolve({ status: 302 }),
    () => Promise.reject(new RefusedAddressError('10.0.0.1 is a private address')),
  ];
  const { queue, deliveries } = bench((count) => answers[count - 1]?.() ?? Promise.resolve({}));
  for (let seq = 1; seq <= 3; seq++) queue.add(alert(seq));
  await turns();
  assert.deepEqual(
    deliveries.map((d) => [d.outcome, d.attempts, d.detail]),
    [
      ['failed', 1, 'HTTP 404: no_service'],
      ['failed', 1, 'HTTP 302: redirects are not followed; configure the final URL'],
      ['failed', 1, '10.0.0.1 is a private address'],
    ],
  );
});

test('an answer that does not come is given up after the time limit', async () => {
  const { queue, timers, deliveries } = bench(
    (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
    { limits: { ...DEFAULT_LIMITS, attempts: 1 } },
  );
  queue.add(alert(1));
  await turns();
  assert.deepEqual(timers.delays, [10_000]);
  timers.fire();
  await turns();
  assert.deepEqual(
    deliveries.map((d) => [d.outcome, d.detail]),
    [['failed', 'no response within 10000 ms']],
  );
});

test('the queue is bounded: the oldest is dropped and reported', async () => {
  const { queue, outcomes } = bench(() => new Promise(() => undefined), {
    limits: { ...DEFAULT_LIMITS, capacity: 2 },
  });
  queue.add(alert(1));
  await turns();
  for (let seq = 2; seq <= 5; seq++) queue.add(alert(seq));
  assert.deepEqual(outcomes, ['2 dropped 0', '3 dropped 0']);
  assert.equal(queue.waiting, 2);
});

test('what waits together goes together where the destination can take it', async () => {
  const { queue, posted } = bench(() => Promise.resolve({}), { batch: 3 });
  for (let seq = 1; seq <= 7; seq++) queue.add(alert(seq));
  await turns();
  assert.deepEqual(posted, ['1,2,3', '4,5,6', '7']);
});

test('no secret and no control character gets into a detail', async () => {
  const { queue, deliveries } = bench(
    () => Promise.resolve({ status: 400, text: `bad key s3cret\u001b[31m\n${'x'.repeat(500)}` }),
    {
      secrets: ['s3cret', ''],
    },
  );
  queue.add(alert(1));
  await turns();
  const detail = deliveries[0]?.detail ?? '';
  assert.ok(detail.startsWith('HTTP 400: bad key [secret] [31m xxx'), detail);
  assert.equal(detail.length, 200);
});

test('closing ends a pause, tries once more, and takes nothing new', async () => {
  const { queue, outcomes, posted } = bench((count) => Promise.resolve({ status: count === 1 ? 500 : 200 }));
  queue.add(alert(1));
  await turns();
  const closed = queue.close(1_000);
  queue.add(alert(2));
  await closed;
  assert.deepEqual(posted, ['1', '1']);
  assert.deepEqual(outcomes, ['2 dropped 0', '1 delivered 2']);
});

test('closing does not wait longer than it may', async () => {
  const { queue, timers, outcomes } = bench(
    (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))),
  );
  queue.add(alert(1));
  queue.add(alert(2));
  await turns();
  const closed = queue.close(1_000);
  const grace = timers.due.find(({ milliseconds }) => milliseconds === 1_000);
  grace?.callback();
  await closed;
  assert.deepEqual(outcomes, ['2 dropped 0', '1 dropped 1']);
});

test('a destination that takes one request a second gets one, with all that came meanwhile', async () => {
  const { queue, timers, posted } = bench(() => Promise.resolve({}), { batch: 1_000, intervalMs: 1_000 });
  queue.add(alert(1));
  await turns();
  for (let seq = 2; seq <= 40; seq++) queue.add(alert(seq));
  await turns();
  assert.deepEqual(posted, ['1'], 'the second is not over');
  timers.fire();
  await turns();
  assert.equal(posted.length, 2);
  assert.equal(posted[1]?.split(',').length, 39);
  queue.add(alert(41));
  await turns();
  assert.equal(posted.length, 2, 'nor is the next one, although nothing waited');
  const closed = queue.close(1_000);
  await closed;
  assert.equal(posted[2], '41', 'closing does not wait for it');
});

test('what is gathered after the first alert is one request, and closing does not wait for more', async () => {
  const { queue, timers, posted, outcomes } = bench(() => Promise.resolve({}), {
    batch: Number.POSITIVE_INFINITY,
    intervalMs: 1_000,
    gatherMs: 60_000,
  });
  for (let seq = 1; seq <= 200; seq++) {
    queue.add(alert(seq));
    await turn();
  }
  assert.equal(posted.length, 0, 'the minute is not over');
  assert.deepEqual(timers.delays, [60_000], 'it begins with the first alert');
  timers.fire();
  await turns();
  assert.equal(posted.length, 1);
  assert.equal(posted[0]?.split(',').length, 200);
  timers.fire(); // the interval
  queue.add(alert(201));
  await turns();
  assert.equal(posted.length, 1, 'the next one is gathered for too');
  await queue.close(1_000);
  assert.equal(posted[1], '201');
  assert.equal(outcomes.at(-1), '201 delivered 1');
});

test('a pause in the body of a 429 is kept if no header says one', async () => {
  const { queue, timers } = bench(
    (count) =>
      Promise.resolve({ status: 429, text: '{"x":5}', retryAfterMs: count === 1 ? 30_000 : undefined }),
    { bodyPauseMs: (body) => JSON.parse(body).x * 1_000 },
  );
  queue.add(alert(1));
  await turns();
  timers.fire();
  await turns();
  assert.deepEqual(
    timers.delays.filter((ms) => ms !== DEFAULT_LIMITS.timeoutMs),
    [30_000, 5_000],
  );
});
