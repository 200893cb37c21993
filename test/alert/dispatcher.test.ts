/** Tests alerting against real HTTP servers that work, fail, stall and redirect. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import type { AlertDestination } from '../../src/alert/alert-destination.ts';
import type { Delivery } from '../../src/alert/delivery-queue.ts';
import { AlertDispatcher, type AlertOptions } from '../../src/alert/dispatcher.ts';
import type { Fact } from '../../src/core/facts.ts';
import { PATIENCE_MS } from '../support/children.ts';
import { MITIGATION, NOW, realTimers, server } from './support.ts';

const CREATED: Fact = { type: 'mitigation.created', mitigation: MITIGATION };
const EXPIRED: Fact = { type: 'mitigation.expired', id: MITIGATION.id };

interface Bench {
  readonly dispatcher: AlertDispatcher;
  readonly deliveries: Delivery[];
  /** Resolves when this many alerts have an outcome. */
  readonly settled: (count: number) => Promise<void>;
}

function bench(
  t: TestContext,
  destinations: readonly AlertDestination[],
  options: Partial<AlertOptions> = {},
): Bench {
  const deliveries: Delivery[] = [];
  let check = (): void => undefined;
  const dispatcher = new AlertDispatcher({
    destinations,
    events: ['mitigation.created', 'mitigation.escalated', 'mitigation.withdrawn', 'mitigation.expired'],
    allowPrivateAddresses: true,
    pop: 'iad1',
    find: (id) => (id === MITIGATION.id ? MITIGATION : undefined),
    timers: realTimers,
    random: () => 0,
    onDelivery: (delivery) => {
      deliveries.push(delivery);
      check();
    },
    limits: { timeoutMs: PATIENCE_MS, pauseMs: 10, attempts: 3 },
    ...options,
  });
  t.after(() => dispatcher.close(100));
  const count = (): number => deliveries.reduce((sum, { alerts }) => sum + alerts.length, 0);
  const settled = (wanted: number): Promise<void> =>
    new Promise((resolve) => {
      check = () => {
        if (count() >= wanted) resolve();
      };
      check();
    });
  return { dispatcher, deliveries, settled };
}

function record(dispatcher: AlertDispatcher, ...facts: readonly Fact[]): void {
  dispatcher.record(facts.map((fact, i) => ({ seq: i + 1, at: NOW, fact })));
}

test('each destination gets each alert in its own form, signed or keyed', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(202).end('{}'));
  const { dispatcher, deliveries, settled } = bench(
    t,
    [
      { type: 'slack', webhookUrl: `${url}/slack` },
      { type: 'pagerduty', routingKey: 'key' },
      { type: 'webhook', url: `${url}/hook`, secret: 's3cret' },
    ],
    { pagerdutyUrl: url },
  );
  record(dispatcher, CREATED, EXPIRED);
  await settled(6);
  assert.ok(deliveries.every(({ outcome }) => outcome === 'delivered'));
  const at = (path: string): typeof received => received.filter((request) => request.path === path);
  assert.equal(at('/slack').length, 1, 'two alerts in one message');
  assert.deepEqual(
    at('/v2/enqueue').map(({ body }) => JSON.parse(body).event_action),
    ['trigger', 'resolve'],
  );
  const hooks = at('/hook');
  assert.deepEqual(
    hooks.map(({ body }) => JSON.parse(body).event),
    ['mitigation.created', 'mitigation.expired'],
  );
  for (const { body, headers } of hooks) {
    const signature = createHmac('sha256', 's3cret').update(body).digest('hex');
    assert.equal(headers['x-prefixd-signature'], `sha256=${signature}`);
  }
});

test('a server that fails and recovers gets the alert, with the same octets', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response, count) =>
    response.writeHead(count < 3 ? 500 : 200).end(),
  );
  const { dispatcher, deliveries, settled } = bench(t, [{ type: 'webhook', url, secret: undefined }]);
  record(dispatcher, CREATED);
  await settled(1);
  assert.deepEqual([deliveries[0]?.outcome, deliveries[0]?.attempts], ['delivered', 3]);
  assert.equal(new Set(received.map(({ body }) => body)).size, 1);
});

test('a server that stalls is given up, and the destination beside it notices nothing', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const stalled = await server(t, () => undefined);
  const healthy = await server(t, (response) => response.end());
  const { dispatcher, deliveries, settled } = bench(
    t,
    [
      { type: 'webhook', url: stalled.url, secret: undefined },
      { type: 'webhook', url: healthy.url, secret: undefined },
    ],
    { limits: { timeoutMs: 1_000, pauseMs: 10, attempts: 3 } },
  );
  record(dispatcher, CREATED);
  assert.deepEqual(deliveries, [], 'recording does not wait');
  await settled(2);
  const of = (name: string): Delivery | undefined =>
    deliveries.find(({ destination }) => destination === name);
  assert.equal(of('webhook-2')?.outcome, 'delivered');
  const { outcome, attempts, detail } = of('webhook') ?? {};
  assert.deepEqual([outcome, attempts, detail], ['failed', 3, 'no response within 1000 ms']);
});

test('a server that cuts the connection is tried again', { timeout: PATIENCE_MS }, async (t) => {
  const { url } = await server(t, (response, count) => {
    if (count === 1) response.destroy();
    else response.end();
  });
  const { dispatcher, deliveries, settled } = bench(t, [{ type: 'webhook', url, secret: undefined }]);
  record(dispatcher, CREATED);
  await settled(1);
  assert.deepEqual([deliveries[0]?.outcome, deliveries[0]?.attempts], ['delivered', 2]);
});

test('a redirect is refused, and its target hears nothing', { timeout: PATIENCE_MS }, async (t) => {
  const target = await server(t, (response) => response.end());
  const { url } = await server(t, (response) => response.writeHead(302, { location: target.url }).end());
  const { dispatcher, deliveries, settled } = bench(t, [{ type: 'webhook', url, secret: undefined }]);
  record(dispatcher, CREATED);
  await settled(1);
  assert.equal(deliveries[0]?.outcome, 'failed');
  assert.match(deliveries[0]?.detail ?? '', /redirects are not followed/);
  assert.equal(target.received.length, 0);
});

test('private addresses are refused unless allowed', { timeout: PATIENCE_MS }, async (t) => {
  const { url, received } = await server(t, (response) => response.end());
  const { dispatcher, deliveries, settled } = bench(t, [{ type: 'webhook', url, secret: undefined }], {
    allowPrivateAddresses: false,
  });
  record(dispatcher, CREATED);
  await settled(1);
  assert.match(deliveries[0]?.detail ?? '', /127\.0\.0\.1 is a private address/);
  assert.equal(received.length, 0);
});

test('no URL and no key gets into what is reported', { timeout: PATIENCE_MS }, async (t) => {
  const { url } = await server(t, (response) => response.writeHead(403).end('token /T0/B0/xyz, key k3y'));
  const { dispatcher, deliveries, settled } = bench(
    t,
    [
      { type: 'slack', webhookUrl: `${url}/T0/B0/xyz` },
      { type: 'pagerduty', routingKey: 'k3y' },
    ],
    { pagerdutyUrl: url },
  );
  record(dispatcher, CREATED);
  await settled(2);
  const [slack, pagerduty] = deliveries;
  assert.equal(slack?.detail, 'HTTP 403: token [secret], key k3y');
  assert.equal(pagerduty?.detail, 'HTTP 403: token /T0/B0/xyz, key [secret]');
});

test('events that are not configured raise no alert', { timeout: PATIENCE_MS }, async (t) => {
  const { url, received } = await server(t, (response) => response.end());
  const { dispatcher } = bench(t, [{ type: 'webhook', url, secret: undefined }]);
  record(dispatcher, { type: 'mitigation.extended', id: MITIGATION.id, change: {} });
  assert.equal(dispatcher.waiting, 0);
  await dispatcher.close(100);
  assert.equal(received.length, 0);
});

test('the refusals of an attack on 200 hosts are one alert to each destination', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(202).end());
  const { dispatcher, settled } = bench(
    t,
    [
      { type: 'slack', webhookUrl: `${url}/slack` },
      { type: 'pagerduty', routingKey: 'key' },
      { type: 'webhook', url: `${url}/hook`, secret: undefined },
    ],
    { pagerdutyUrl: url, events: ['mitigation.rejected'] },
  );
  const rejected = (host: number): Fact => ({
    type: 'mitigation.rejected',
    mitigation: { ...MITIGATION, id: `m${host}`, victim: `203.0.113.${host}`, reason: 'quota_customer' },
  });
  record(dispatcher, ...Array.from({ length: 195 }, (_, host) => rejected(host)));
  await settled(3);
  const paths = received.map(({ path }) => path).sort();
  assert.deepEqual(paths, ['/hook', '/slack', '/v2/enqueue']);
  const hook = JSON.parse(received.find(({ path }) => path === '/hook')?.body ?? '');
  assert.deepEqual([hook.event, hook.refused], ['mitigation.rejected', { reports: 195, victims: 195 }]);
  await dispatcher.close(PATIENCE_MS);
  const pagerduty = received.filter(({ path }) => path === '/v2/enqueue').map(({ body }) => JSON.parse(body));
  assert.deepEqual(
    pagerduty.map(({ event_action }) => event_action),
    ['trigger', 'resolve'],
  );
  assert.equal(new Set(pagerduty.map(({ dedup_key }) => dedup_key)).size, 1);
});

test('mitigation.unenforced also reports refusals by a quota or for lack of a neighbor, and no other refusal', {
  timeout: PATIENCE_MS,
}, async (t) => {
  const { url, received } = await server(t, (response) => response.writeHead(202).end());
  const destination = { type: 'webhook', url: `${url}/hook`, secret: undefined } as const;
  const { dispatcher, settled } = bench(t, [destination], { events: ['mitigation.unenforced'] });
  const rejected = (reason: string, victim: string): Fact => ({
    type: 'mitigation.rejected',
    mitigation: { ...MITIGATION, id: reason, victim, reason },
  });
  record(
    dispatcher,
    rejected('not_in_inventory', '203.0.113.1'),
    rejected('safelisted', '203.0.113.2'),
    rejected('quota_customer', '203.0.113.3'),
    rejected('not_enforceable', '203.0.113.4'),
  );
  await settled(2);
  const reasons = received.map(({ body }) => JSON.parse(body).mitigation.reason);
  assert.deepEqual(reasons.sort(), ['not_enforceable', 'quota_customer']);
});

test('closing delivers what waits when there is time', { timeout: PATIENCE_MS }, async (t) => {
  const { url, received } = await server(t, (response) => response.end());
  const { dispatcher } = bench(t, [{ type: 'webhook', url, secret: undefined }]);
  record(dispatcher, CREATED, CREATED, EXPIRED);
  await dispatcher.close(PATIENCE_MS);
  assert.equal(received.length, 3);
});
