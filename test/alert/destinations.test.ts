/** Tests each type of destination against a server that stands for its API: delivery, pauses, secrets, and test messages. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AlertDestination } from '../../src/alert/alert-destination.ts';
import type { Delivery } from '../../src/alert/delivery-queue.ts';
import { formatOf } from '../../src/alert/destinations.ts';
import { AlertDispatcher, type AlertOptions } from '../../src/alert/dispatcher.ts';
import type { Fact } from '../../src/core/facts.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { FakeTimers, MITIGATION, NOW, realTimers, server } from './support.ts';

const OPERATOR = { kind: 'operator', name: 'ada' } as const;
const SECRET = 'S3cretS3cret';

/** One destination of each type, at this server. */
const everyType = (url: string): readonly AlertDestination[] => [
  { type: 'slack', webhookUrl: `${url}/slack/${SECRET}` },
  { type: 'discord', webhookUrl: `${url}/api/webhooks/1/${SECRET}` },
  { type: 'teams', webhookUrl: `${url}/workflows/x?sig=${SECRET}` },
  { type: 'telegram', botToken: `1:${SECRET}`, chatId: '-100' },
  { type: 'pagerduty', routingKey: SECRET },
  { type: 'opsgenie', apiKey: SECRET },
  { type: 'webhook', url: `${url}/hook/${SECRET}`, secret: undefined },
];

interface Bench {
  readonly dispatcher: AlertDispatcher;
  readonly deliveries: Delivery[];
  /** Resolves when this many deliveries were made. */
  readonly made: (count: number) => Promise<void>;
}

function bench(
  t: TestContext,
  url: string,
  destinations: readonly AlertDestination[],
  options: Partial<AlertOptions> = {},
): Bench {
  const deliveries: Delivery[] = [];
  let check = (): void => undefined;
  const dispatcher = new AlertDispatcher({
    destinations,
    events: ['mitigation.created', 'mitigation.expired'],
    allowPrivateAddresses: true,
    pop: 'iad1',
    find: () => MITIGATION,
    timers: realTimers,
    random: () => 0,
    onDelivery: (delivery) => {
      deliveries.push(delivery);
      check();
    },
    limits: { timeoutMs: PATIENCE_MS, pauseMs: 10, attempts: 3 },
    pagerdutyUrl: url,
    opsgenieUrl: url,
    telegramUrl: url,
    ...options,
  });
  t.after(() => dispatcher.close(100));
  const made = (count: number): Promise<void> =>
    new Promise((resolve) => {
      check = () => {
        if (deliveries.length >= count) resolve();
      };
      check();
    });
  return { dispatcher, deliveries, made };
}

const created = (n = 0): Fact => ({
  type: 'mitigation.created',
  mitigation: { ...MITIGATION, id: `m${n}`, victim: `203.0.113.${n}` },
});

function record(dispatcher: AlertDispatcher, ...facts: readonly Fact[]): void {
  dispatcher.record(facts.map((fact, i) => ({ seq: i + 1, at: NOW, fact })));
}

test('every type of destination delivers an alert to its API', { timeout: PATIENCE_MS }, async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(202).end('{}'));
  const { dispatcher, deliveries, made } = bench(t, url, everyType(url));
  record(dispatcher, created());
  await made(7);
  assert.deepEqual(new Set(deliveries.map(({ outcome }) => outcome)), new Set(['delivered']));
  assert.deepEqual(
    received.map(({ path }) => path).sort(),
    [
      `/api/v10/webhooks/1/${SECRET}?wait=true`,
      `/bot1:${SECRET}/sendMessage`,
      `/hook/${SECRET}`,
      `/slack/${SECRET}`,
      '/v2/alerts',
      '/v2/enqueue',
      `/workflows/x?sig=${SECRET}`,
    ].sort(),
  );
  for (const { headers } of received) assert.equal(headers['content-type'], 'application/json');
});

test('no secret is in what is reported, whatever the API answers', { timeout: PATIENCE_MS }, async (t) => {
  const { url } = await server(t, (response) => response.writeHead(403).end(`denied ${SECRET}`));
  const destinations = everyType(url);
  const { dispatcher, deliveries, made } = bench(t, url, destinations);
  record(dispatcher, created());
  await made(7);
  const trials = await Promise.all(
    dispatcher.destinations().map(({ name }) => dispatcher.test(name, OPERATOR, NOW)),
  );
  const shown = JSON.stringify([
    deliveries.map(({ destination, detail }) => [destination, detail]),
    trials,
    dispatcher.destinations(),
  ]);
  assert.ok(!shown.includes(SECRET), shown);
  for (const { detail } of deliveries) assert.equal(detail, 'HTTP 403: denied [secret]');
});

test('Discord and Telegram say in the body how long to wait', { timeout: PATIENCE_MS }, () => {
  const pause = (destination: AlertDestination, body: string): number | undefined =>
    formatOf(destination, {}).bodyPauseMs?.(body);
  const [, discord, , telegram, pagerduty] = everyType('https://x.example');
  assert.ok(discord !== undefined && telegram !== undefined && pagerduty !== undefined);
  assert.equal(
    pause(discord, '{"message":"You are being rate limited.","retry_after":1.337,"global":false}'),
    1_337,
  );
  assert.equal(
    pause(
      telegram,
      '{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":35}}',
    ),
    35_000,
  );
  assert.equal(pause(pagerduty, '{"retry_after":5}'), undefined);
  for (const body of ['', '<html>', 'null', '[]', '{"retry_after":"soon"}', '{"parameters":null}']) {
    assert.equal(pause(discord, body), undefined, body);
    assert.equal(pause(telegram, body), undefined, body);
  }
});

test('a chat that limits its rate gets the alert after the pause that it names', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response, count) => {
    if (count > 1) response.end('{}');
    else response.writeHead(429).end('{"retry_after":0.25,"global":false}');
  });
  const delays: number[] = [];
  const timers = {
    after: (milliseconds: number, callback: () => void) => {
      delays.push(milliseconds);
      return realTimers.after(milliseconds, callback);
    },
  };
  const discord = everyType(url).filter(({ type }) => type === 'discord');
  const { dispatcher, deliveries, made } = bench(t, url, discord, { timers });
  record(dispatcher, created());
  await made(1);
  assert.deepEqual([deliveries[0]?.outcome, deliveries[0]?.attempts, received.length], ['delivered', 2, 2]);
  assert.ok(delays.includes(250));
});

test('200 mitigations of one minute are one message to a chat with a digest, and 200 elsewhere', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) => response.end('{}'));
  const timers = new FakeTimers();
  const chats = everyType(url)
    .slice(0, 4)
    .map((one) => ({ ...one, digestSeconds: 60 }));
  const [, , , , , , webhook] = everyType(url);
  assert.ok(webhook !== undefined);
  const { dispatcher, deliveries, made } = bench(t, url, [...chats, webhook], { timers });
  for (let n = 0; n < 200; n++) record(dispatcher, created(n));
  await made(200);
  assert.deepEqual(new Set(deliveries.map(({ destination }) => destination)), new Set(['webhook']));
  assert.equal(dispatcher.waiting, 800);
  const minute = timers.due.filter(({ milliseconds }) => milliseconds === 60_000);
  assert.equal(minute.length, 4);
  for (const { callback } of minute) callback();
  await made(204);
  assert.equal(dispatcher.waiting, 0);
  const messages = received.filter(({ path }) => !path.startsWith('/hook'));
  assert.equal(messages.length, 4);
  for (const { body } of messages) assert.match(body, /200 alerts/);
});

test('each destination gets what its rules say', { timeout: PATIENCE_MS }, async (t) => {
  const { url, received } = await server(t, (response) => response.end('{}'));
  const hook = (name: string, rules: Partial<AlertDestination>): AlertDestination =>
    ({
      type: 'webhook',
      url: `${url}/${name}`,
      secret: undefined,
      name,
      ...rules,
    }) as AlertDestination;
  const { dispatcher, made } = bench(t, url, [
    hook('all', {}),
    hook('pauses', { events: ['control.paused'] }),
    hook('acme', { customers: ['acme'] }),
    hook('other', { customers: ['other'] }),
    hook('critical', { minSeverity: 'critical', events: ['mitigation.created', 'mitigation.escalated'] }),
  ]);
  record(
    dispatcher,
    created(),
    { type: 'control.paused', actor: OPERATOR, reason: 'x' },
    { type: 'mitigation.escalated', id: 'm0', change: {} },
  );
  await made(4);
  const events = received.map(({ path, headers }) => `${path} ${String(headers['x-prefixd-event'])}`).sort();
  assert.deepEqual(events, [
    '/acme mitigation.created',
    '/all mitigation.created',
    '/critical mitigation.escalated',
    '/pauses control.paused',
  ]);
});

test('a test message goes out at once, marked, whatever the rules are and whatever waits', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(200).end('ok'));
  const [slack] = everyType(url);
  assert.ok(slack !== undefined);
  const timers = new FakeTimers();
  const strict = {
    ...slack,
    digestSeconds: 60,
    customers: [],
    minSeverity: 'critical',
    name: 'noc',
  } as const;
  const { dispatcher, deliveries } = bench(t, url, [strict], { timers });
  const trial = await dispatcher.test('noc', OPERATOR, NOW);
  assert.deepEqual(trial, {
    name: 'noc',
    type: 'slack',
    answers: [{ request: 'message', delivered: true, status: 200, detail: 'ok' }],
  });
  assert.equal(
    JSON.parse(received[0]?.body ?? '').text,
    ':information_source: *[test] This is a test message of prefixd, sent by ada (pop iad1). Nothing has happened*',
  );
  assert.deepEqual(deliveries, [], 'it counts as no alert');
  assert.equal(await dispatcher.test('slack', OPERATOR, NOW), undefined);
});

test('a test opens an incident and closes it; it is not closed if it was not opened', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) =>
    response.writeHead(202).end('{"status":"success"}'),
  );
  const { dispatcher } = bench(t, url, everyType(url));
  for (const name of ['pagerduty', 'opsgenie']) {
    const trial = await dispatcher.test(name, OPERATOR, NOW);
    assert.deepEqual(
      trial?.answers.map(({ request, delivered, status }) => [request, delivered, status]),
      [
        ['open', true, 202],
        ['close', true, 202],
      ],
    );
  }
  const [trigger, resolve, create, close] = received;
  const { event_action: opened, dedup_key: key, payload } = JSON.parse(trigger?.body ?? '');
  assert.deepEqual([opened, key, payload.severity], ['trigger', 'prefixd:iad1:test', 'info']);
  assert.deepEqual(JSON.parse(resolve?.body ?? ''), {
    routing_key: SECRET,
    dedup_key: 'prefixd:iad1:test',
    client: 'prefixd',
    event_action: 'resolve',
  });
  assert.equal(JSON.parse(create?.body ?? '').priority, 'P5');
  assert.equal(close?.path, '/v2/alerts/prefixd%3Aiad1%3Atest/close?identifierType=alias');
  const refusing = await server(t, (response) => response.writeHead(401).end('no'));
  const refused = bench(t, refusing.url, everyType(refusing.url)).dispatcher;
  const trial = await refused.test('pagerduty', OPERATOR, NOW);
  assert.deepEqual(trial?.answers, [
    { request: 'open', delivered: false, status: 401, detail: 'HTTP 401: no' },
  ]);
  assert.equal(refusing.received.length, 1);
});

test('a test says why there was no response', { timeout: PATIENCE_MS }, async (t) => {
  const { dispatcher } = bench(t, 'http://127.0.0.1:1', [
    { type: 'webhook', url: 'http://127.0.0.1:1/x', secret: undefined },
  ]);
  const trial = await dispatcher.test('webhook', OPERATOR, NOW);
  assert.equal(trial?.answers[0]?.status, undefined);
  assert.match(trial?.answers[0]?.detail ?? '', /ECONNREFUSED/);
});
