import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stalledRefusal } from '../../src/control/refusals.ts';
import type { Answer } from '../../src/core/commands.ts';
import { ACCEPTED, api, bearer, EVENT_ID, eventRecord, MITIGATION_ID, NOON } from './support.ts';

const BAN = { source: 'fnm', victim_ip: '203.0.113.10', vector: 'udp_flood', bps: 1_000_000_000 };

const answered = (changes: object): Answer => ({ ...ACCEPTED, ...changes }) as Answer;

describe('POST /v1/events', () => {
  it('hands the detection to the engine, under the name of the token, and answers 202 once it is durable', async () => {
    const { app, engine } = await api();
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('detector'),
      payload: {
        ...BAN,
        event_id: 'fnm-7',
        top_dst_ports: [123, 53, 53],
        protocol: 'udp',
        note: 'unknown key',
      },
    });
    assert.equal(response.statusCode, 202);
    assert.deepEqual(response.json(), {
      event_id: EVENT_ID,
      external_event_id: 'fnm-7',
      mitigation_id: MITIGATION_ID,
      status: 'accepted',
      why: ['203.0.113.10 belongs to acme'],
    });
    const [command] = engine.commands;
    assert.equal(command?.type, 'event');
    if (command?.type !== 'event') return;
    assert.equal(command.detection.victim, '203.0.113.10');
    assert.equal(command.detection.action, 'ban');
    assert.deepEqual(command.detection.ports, [53, 123]);
    assert.equal(command.detection.protocol, 17);
    assert.deepEqual(command.actor, {
      kind: 'detector',
      name: 'the-detector',
      address: '127.0.0.1',
      requestId: response.headers['x-request-id'],
    });
  });

  it('answers 400 that says which field, and tells the engine nothing', async () => {
    const { app, engine } = await api();
    for (const [change, field] of [
      [{ victim_ip: '203.0.113.300' }, 'victim_ip'],
      [{ victim_ip: undefined }, 'victim_ip'],
      [{ vector: '!' }, 'vector'],
      [{ source: '' }, 'source'],
      [{ bps: -1 }, 'bps'],
      [{ confidence: 2 }, 'confidence'],
      [{ protocol: 'carrier-pigeon' }, 'protocol'],
      [{ top_dst_ports: [1, 70_000] }, 'top_dst_ports[1]'],
      [{ action: 'destroy' }, 'action'],
      [{ timestamp: 'yesterday' }, 'timestamp'],
    ] as const) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/events',
        headers: bearer('detector'),
        payload: { ...BAN, ...change },
      });
      assert.equal(response.statusCode, 400, field);
      assert.match(String(response.headers['content-type']), /^application\/problem\+json/);
      assert.equal(response.json().errors[0].field, field);
      assert.ok(response.json().detail.includes(field), response.json().detail);
    }
    assert.equal(engine.commands.length, 0);
  });

  it('answers 422 with the reason when a guardrail refuses', async () => {
    const { app, engine } = await api();
    engine.answer = () =>
      answered({
        status: 'rejected',
        refusal: 'safelisted',
        mitigation: undefined,
        why: ['10.0.0.0/8 is safelisted'],
      });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('detector'),
      payload: BAN,
    });
    assert.equal(response.statusCode, 422);
    const problem = response.json();
    assert.equal(problem.reason, 'safelisted');
    assert.equal(problem.status, 422);
    assert.equal(problem.title, 'Unprocessable Content');
    assert.equal(problem.detail, '10.0.0.0/8 is safelisted');
    assert.equal(problem.error, problem.detail);
    assert.equal(problem.event_id, EVENT_ID);
  });

  it('answers 409 to a duplicate', async () => {
    const { app, engine } = await api();
    engine.answer = () => answered({ status: 'duplicate', why: ['fnm-7 was reported before'] });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('detector'),
      payload: BAN,
    });
    assert.equal(response.statusCode, 409);
    assert.equal(response.json().detail, 'fnm-7 was reported before');
  });

  it('answers 503 with Retry-After and the words of a journal that does not answer, which the engine has logged', async () => {
    const { app, engine, log } = await api();
    engine.answer = () => {
      throw stalledRefusal();
    };
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('detector'),
      payload: BAN,
    });
    assert.deepEqual([response.statusCode, response.headers['retry-after']], [503, '5']);
    assert.match(response.json().detail, /^The journal is stalled .*nothing was changed/);
    assert.ok(!log.lines.some(({ level }) => level === 'error'));
  });

  it('answers 503 with Retry-After when the store cannot write, and logs why', async () => {
    const { app, engine, log } = await api();
    engine.answer = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { name: 'StoreError' });
    };
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: bearer('detector'),
      payload: BAN,
    });
    assert.equal(response.statusCode, 503);
    assert.equal(response.headers['retry-after'], '5');
    assert.doesNotMatch(response.body, /ENOSPC/);
    assert.equal(log.lines.filter((line) => line.level === 'error').length, 1);
  });

  it('answers 413 to more than 1 MiB and 415 to what is not JSON', async () => {
    const { app } = await api();
    const large = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...bearer('detector'), 'content-type': 'application/json' },
      payload: JSON.stringify({ ...BAN, note: 'x'.repeat(1024 * 1024) }),
    });
    assert.equal(large.statusCode, 413);
    const form = await app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...bearer('detector'), 'content-type': 'application/x-www-form-urlencoded' },
      payload: 'victim_ip=203.0.113.10',
    });
    assert.equal(form.statusCode, 415);
  });
});

describe('POST /v1/events/batch', () => {
  it('answers 207 with one result an event, in order, whatever becomes of each', async () => {
    const { app, engine } = await api();
    engine.answer = (command) => {
      if (command.type !== 'event') throw new TypeError('unexpected');
      if (command.detection.victim === '203.0.113.2') {
        return answered({
          status: 'rejected',
          refusal: 'not_in_inventory',
          mitigation: undefined,
          why: ['no customer'],
        });
      }
      if (command.detection.victim === '203.0.113.3') {
        throw Object.assign(new Error('disk'), { name: 'StoreError' });
      }
      return ACCEPTED;
    };
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: bearer('detector'),
      payload: [
        { ...BAN, victim_ip: '203.0.113.1', event_id: 'one' },
        { ...BAN, victim_ip: '203.0.113.2' },
        { ...BAN, victim_ip: 'nobody' },
        'not an object',
        { ...BAN, victim_ip: '203.0.113.3' },
      ],
    });
    assert.equal(response.statusCode, 207);
    const { results } = response.json();
    assert.deepEqual(
      results.map((result: { code: number; status: string }) => [result.code, result.status]),
      [
        [202, 'accepted'],
        [422, 'rejected'],
        [400, 'invalid'],
        [400, 'invalid'],
        [503, 'unavailable'],
      ],
    );
    assert.equal(results[0].external_event_id, 'one');
    assert.equal(results[1].reason, 'not_in_inventory');
    assert.match(results[2].error, /victim_ip/);
  });

  it('reads NDJSON line by line; a broken line is one broken result', async () => {
    const { app, engine } = await api();
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: { ...bearer('detector'), 'content-type': 'application/x-ndjson' },
      payload: `${JSON.stringify(BAN)}\n{"source": \n\n${JSON.stringify(BAN)}\n`,
    });
    assert.equal(response.statusCode, 207);
    const codes = response.json().results.map((result: { code: number }) => result.code);
    assert.deepEqual(codes, [202, 400, 202]);
    assert.match(response.json().results[1].error, /line 2/);
    const recorded = engine.commands.map((command) => command.type === 'event' && command.invalid);
    assert.deepEqual([recorded[0], recorded[2]], [undefined, undefined]);
    assert.match(String(recorded[1]), /line 2 is not valid JSON/);
  });

  it('answers 503 as a whole when nothing could be written, so that the sender tries again', async () => {
    const { app, engine } = await api();
    engine.answer = () => {
      throw Object.assign(new Error('disk'), { name: 'StoreError' });
    };
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: bearer('detector'),
      payload: [BAN, BAN],
    });
    assert.equal(response.statusCode, 503);
  });

  it('refuses a batch of too many events as a whole', async () => {
    const { app, engine } = await api();
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: { ...bearer('detector'), 'content-type': 'application/json' },
      payload: `[${Array.from({ length: 340_000 }, () => '{}').join(',')}]`,
    });
    assert.equal(response.statusCode, 413);
    assert.match(response.json().detail, /more than 10000 events; none was processed/);
    assert.equal(engine.commands.length, 0);
  });

  it('describes and records the first thousand that cannot be read, and counts the others', async () => {
    const { app, engine } = await api();
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: bearer('detector'),
      payload: [...Array.from({ length: 9_999 }, () => ({})), BAN],
    });
    assert.equal(response.statusCode, 207);
    const { results, notes } = response.json();
    assert.equal(results.length, 10_000);
    assert.equal(results[999].event_id, EVENT_ID);
    assert.deepEqual(results[1000], { code: 400, status: 'invalid' });
    assert.equal(results[9_999].code, 202);
    assert.equal(engine.commands.length, 1_001);
    assert.match(notes[0], /^8999 more events are invalid/);
    assert.ok(response.rawPayload.length < 2 * 1024 * 1024, `${response.rawPayload.length} octets`);
  });

  it('leaves out words when an answer would be too long, and says so', async () => {
    const { app, engine } = await api();
    const why = ['x'.repeat(1000)];
    engine.answer = () => answered({ why });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: bearer('detector'),
      payload: Array.from({ length: 2_000 }, () => BAN),
    });
    const { results, notes } = response.json();
    assert.deepEqual(results[0].why, why);
    assert.equal(results[1_999].why, undefined);
    assert.equal(results[1_999].status, 'accepted');
    assert.match(notes[0], /^answer shortened: error and why omitted from 952 results$/);
  });

  it('refuses an empty batch', async () => {
    const { app } = await api();
    const response = await app.inject({
      method: 'POST',
      url: '/v1/events/batch',
      headers: bearer('detector'),
      payload: [],
    });
    assert.equal(response.statusCode, 400);
  });
});

describe('GET /v1/events', () => {
  it('shows what was reported and how it was answered, newest first, page by page', async () => {
    const { app, engine } = await api();
    for (let n = 1; n <= 5; n++) {
      const id = `00000000-0000-4000-8000-0000000000e${n}`;
      engine.record({ type: 'event.received', event: eventRecord({ id, receivedAt: NOON + n }) });
    }
    const first = await app.inject({ url: '/v1/events?limit=3', headers: bearer('viewer') });
    assert.equal(first.statusCode, 200);
    const page = first.json();
    assert.deepEqual(
      page.events.map((event: { event_id: string }) => event.event_id.slice(-1)),
      ['5', '4', '3'],
    );
    assert.equal(page.events[0].received_at, '2026-11-23T12:00:00.005Z');
    assert.equal(page.events[0].protocol, 'udp');
    assert.deepEqual(page.events[0].raw_details, { note: 'kept' });
    const second = await app.inject({
      url: `/v1/events?limit=3&cursor=${page.next_cursor}`,
      headers: bearer('viewer'),
    });
    assert.deepEqual(
      second.json().events.map((event: { event_id: string }) => event.event_id.slice(-1)),
      ['2', '1'],
    );
    assert.equal(second.json().next_cursor, null);
  });

  it('filters by source, vector and victim', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'event.received', event: eventRecord() });
    for (const [query, count] of [
      ['source=fnm', 1],
      ['source=other', 0],
      ['vector=udp_flood&victim_ip=203.0.113.10', 1],
      ['victim_ip=203.0.113.11', 0],
    ] as const) {
      const response = await app.inject({ url: `/v1/events?${query}`, headers: bearer('viewer') });
      assert.equal(response.json().events.length, count, query);
    }
  });
});
