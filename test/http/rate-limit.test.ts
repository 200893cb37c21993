import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Role } from '../../src/access/role.ts';
import { TokenBuckets } from '../../src/http/rate-limit.ts';
import { api, bearer } from './support.ts';

const BAN = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood' };
const LIMIT = { rateLimit: () => ({ eventsPerSecond: 2, burst: 3 }) };

describe('the limit on events', () => {
  it('lets a burst through, then answers 429 and says when to come back', async () => {
    const made = await api(LIMIT);
    const send = (role: Role = 'detector') =>
      made.app.inject({ method: 'POST', url: '/v1/events', headers: bearer(role), payload: BAN });
    for (const left of ['2', '1', '0']) {
      const response = await send();
      assert.equal(response.statusCode, 202);
      assert.equal(response.headers['x-ratelimit-limit'], '3');
      assert.equal(response.headers['x-ratelimit-remaining'], left);
    }
    const refused = await send();
    assert.equal(refused.statusCode, 429);
    assert.equal(refused.headers['retry-after'], '1');
    assert.equal(refused.headers['x-ratelimit-remaining'], '0');
    assert.equal(refused.json().status, 429);
    assert.match(String(refused.headers['content-type']), /problem\+json/);
    assert.equal(made.engine.commands.length, 3);

    made.now += 500;
    assert.equal((await send()).statusCode, 202);
    assert.equal((await send()).statusCode, 429);
  });

  it('counts each client for itself, and does not limit reads', async () => {
    const made = await api(LIMIT);
    for (let n = 0; n < 4; n++) {
      await made.app.inject({ method: 'POST', url: '/v1/events', headers: bearer('detector'), payload: BAN });
    }
    const other = await made.app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('operator'),
      payload: BAN,
    });
    assert.equal(other.statusCode, 202);
    for (let n = 0; n < 10; n++) {
      assert.equal(
        (await made.app.inject({ url: '/v1/peers', headers: bearer('operator') })).statusCode,
        200,
      );
    }
  });

  it('counts every event of a batch, and lets the sender pay afterwards', async () => {
    const made = await api(LIMIT);
    const batch = await made.app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: bearer('detector'),
      payload: [BAN, BAN, BAN, BAN, BAN],
    });
    assert.equal(batch.statusCode, 207);
    const next = () =>
      made.app.inject({ method: 'POST', url: '/v1/events', headers: bearer('detector'), payload: BAN });
    const refused = await next();
    // The bucket had three tokens and five were used: three more must arrive at two per second before the next is
    // admitted.
    assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '2']);
    made.now += 1_500;
    assert.equal((await next()).statusCode, 202);
  });

  it('answers Alertmanager 503, which it tries again: a 429 ends its attempts for that message', async () => {
    const made = await api(LIMIT);
    const alert = { status: 'firing', labels: { victim_ip: '203.0.113.10' } };
    const notify = () =>
      made.app.inject({
        method: 'POST',
        url: '/v1/signals/alertmanager',
        headers: bearer('detector'),
        payload: { alerts: Array.from({ length: 5 }, () => alert) },
      });
    assert.equal((await notify()).statusCode, 207);
    const refused = await notify();
    assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [503, '2']);
    assert.match(refused.json().detail, /Too many events/);
    made.now += 1_500;
    assert.equal((await notify()).statusCode, 207);
  });

  it('does not let an unknown caller use up anything', async () => {
    const made = await api(LIMIT);
    for (let n = 0; n < 10; n++) {
      const response = await made.app.inject({ method: 'POST', url: '/v1/events', payload: BAN });
      assert.equal(response.statusCode, 401);
    }
  });
});

describe('token buckets', () => {
  it('never hold more than the burst, however long nobody came', () => {
    let now = 0;
    const buckets = new TokenBuckets(
      () => now,
      () => ({ eventsPerSecond: 1, burst: 2 }),
    );
    assert.equal(buckets.take('a').left, 1);
    now = 1e9;
    assert.equal(buckets.take('a').left, 1);
  });

  it('forget the client that was quiet longest when there are too many', () => {
    const buckets = new TokenBuckets(
      () => 0,
      () => ({ eventsPerSecond: 1, burst: 1 }),
    );
    buckets.take('first');
    for (let n = 0; n < 10_000; n++) buckets.take(`client ${n}`);
    assert.equal(buckets.take('first').taken, true);
    assert.equal(buckets.take('client 9999').taken, false);
  });

  it('keep a client that comes again and again, however many others come once', () => {
    let now = 0;
    const buckets = new TokenBuckets(
      () => now,
      () => ({ eventsPerSecond: 0.001, burst: 1 }),
    );
    buckets.take('busy');
    for (let n = 0; n < 20_000; n++) {
      now += 1;
      buckets.take(`client ${n}`);
      if (n % 1000 === 0) assert.equal(buckets.take('busy').taken, false);
    }
    assert.equal(buckets.take('client 0').taken, true);
  });

  it('are not filled by a clock that goes back', () => {
    let now = 10_000;
    const buckets = new TokenBuckets(
      () => now,
      () => ({ eventsPerSecond: 1, burst: 1 }),
    );
    buckets.take('a');
    now = 0;
    assert.equal(buckets.take('a').taken, false);
  });
});
