import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Answer, Command } from '../../src/core/commands.ts';
import type { Detection } from '../../src/core/types.ts';
import { SignalsAnswerSchema } from '../../src/http/answer-schemas.ts';
import { ACCEPTED, api, bearer, EVENT_ID } from './support.ts';

type Made = Awaited<ReturnType<typeof api>>;

const URL_PATH = '/v1/signals/fastnetmon';
const TEXT = 'IP: 203.0.113.10\nAttack type: udp_flood\nAttack direction: incoming\nAttack protocol: udp\n';
const ARGUMENTS = 'ip=203.0.113.10&direction=incoming&pps=118040&action=ban';

const post = async (made: Made, payload: string | object, query = '', contentType?: string) =>
  made.app.inject({
    method: 'POST',
    url: query === '' ? URL_PATH : `${URL_PATH}?${query}`,
    headers: {
      ...bearer('detector'),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
    },
    payload,
  });

const detections = ({ engine }: Made): readonly Detection[] =>
  engine.commands.flatMap((command) => (command.type === 'event' ? [command.detection] : []));

const sample = (name: string): object =>
  JSON.parse(readFileSync(new URL(`../intake/samples/${name}.json`, import.meta.url), 'utf8'));

describe("FastNetMon's call without a JSON encoder", () => {
  it('is arguments in the query and text as the body', async () => {
    for (const contentType of [
      'text/plain',
      'text/plain; charset=utf-8',
      'application/x-www-form-urlencoded',
    ]) {
      const made = await api();
      const response = await post(made, TEXT, ARGUMENTS, contentType);
      assert.equal(response.statusCode, 202, response.body);
      const [detection] = detections(made);
      assert.equal(detection?.vector, 'udp_flood', contentType);
      assert.equal(detection?.victim, '203.0.113.10');
      assert.equal(detection?.pps, 118_040);
      assert.equal(detection?.hold, 'until_released');
    }
  });

  it('is a form, as curl --data-urlencode makes it', async () => {
    const made = await api();
    const form = `${ARGUMENTS}&details=${encodeURIComponent(TEXT)}`;
    assert.equal((await post(made, form, '', 'application/x-www-form-urlencoded')).statusCode, 202);
    assert.equal(detections(made)[0]?.vector, 'udp_flood');
  });

  it('of an unban has no body, and is of any vector', async () => {
    const made = await api();
    const response = await made.app.inject({
      method: 'POST',
      url: `${URL_PATH}?${ARGUMENTS.replace('action=ban', 'action=unban')}`,
      headers: bearer('detector'),
    });
    assert.equal(response.statusCode, 202, response.body);
    const [detection] = detections(made);
    assert.deepEqual([detection?.action, detection?.anyVector], ['unban', true]);
  });

  it("is Advanced's document as text, with its arguments or without", async () => {
    const made = await api();
    const text = JSON.stringify(sample('fastnetmon-advanced-counters-say-udp'));
    assert.equal((await post(made, text, 'action=ban&ip=203.0.113.31', 'text/plain')).statusCode, 202);
    assert.equal((await post(made, text, '', 'application/x-www-form-urlencoded')).statusCode, 202);
    assert.equal((await post(made, { args: ['ban', '203.0.113.31'], stdin: text })).statusCode, 202);
    assert.deepEqual(
      detections(made).map(({ victim, vector }) => [victim, vector]),
      Array.from({ length: 3 }, () => ['203.0.113.31', 'udp_flood']),
    );
  });

  it('that was cut off protects its victim all the same', async () => {
    const made = await api();
    const cut = JSON.stringify(sample('fastnetmon-advanced-counters-say-udp')).slice(0, 100);
    const response = await post(made, cut, 'action=ban&ip=203.0.113.31', 'text/plain');
    assert.equal(response.statusCode, 202, response.body);
    const [detection] = detections(made);
    assert.deepEqual([detection?.victim, detection?.vector], ['203.0.113.31', 'unknown']);
    assert.match(JSON.stringify(detection?.details), /counters|alert_scope/);
    assert.equal((await post(made, cut, '', 'text/plain')).statusCode, 400, 'without a victim it cannot');
  });

  it('that names nothing is answered 400 in words', async () => {
    const made = await api();
    for (const query of ['', 'ip=203.0.113.10', 'action=ban', 'ip=nobody&action=ban']) {
      const response = await post(made, 'text', query, 'text/plain');
      assert.equal(response.statusCode, 400, query);
    }
    assert.equal(made.engine.commands.length, 0);
  });

  it('is read as text nowhere else', async () => {
    const made = await api();
    const response = await made.app.inject({
      method: 'POST',
      url: '/v1/events',
      headers: { ...bearer('detector'), 'content-type': 'text/plain' },
      payload: '{}',
    });
    assert.equal(response.statusCode, 415);
  });

  it('may have several megabytes, of which a few kilobytes are kept', async () => {
    const made = await api();
    const json = { ...sample('fastnetmon-advanced-counters-say-udp'), packet_dump: 'x'.repeat(4_000_000) };
    assert.equal((await post(made, json)).statusCode, 202);
    assert.equal((await post(made, TEXT + 'x'.repeat(4_000_000), ARGUMENTS, 'text/plain')).statusCode, 202);
    for (const { vector, details } of detections(made)) {
      assert.equal(vector, 'udp_flood');
      assert.ok(JSON.stringify(details).length < 16_384);
    }
    const large = await post(made, 'x'.repeat(9 * 1024 * 1024), ARGUMENTS, 'text/plain');
    assert.equal(large.statusCode, 413);
    assert.match(large.json().detail, /larger than 8 MiB/);
  });
});

describe("the cases of FastNetMon Advanced's documents", () => {
  it('outgoing: nothing, because the host sends', async () => {
    const made = await api();
    const response = await post(made, sample('fastnetmon-advanced-outgoing'));
    assert.equal(response.statusCode, 202);
    assert.equal(response.json().status, 'accepted_no_mitigation');
    assert.equal(made.engine.commands.length, 0);
  });

  it('counters say UDP: udp_flood, protocol UDP', async () => {
    const made = await api();
    assert.equal((await post(made, sample('fastnetmon-advanced-counters-say-udp'))).statusCode, 202);
    const [detection] = detections(made);
    assert.deepEqual([detection?.vector, detection?.protocol], ['udp_flood', 17]);
  });

  it('host group: a report about the prefix', async () => {
    const made = await api();
    const response = await post(made, sample('fastnetmon-advanced-hostgroup'));
    assert.equal(response.statusCode, 202);
    assert.equal(response.json().event_id, EVENT_ID);
    const [detection] = detections(made);
    assert.deepEqual([detection?.victim, detection?.vector], ['203.0.113.0/24', 'udp_flood']);
  });
});

describe('a message about several', () => {
  const group = { ...sample('fastnetmon-advanced-hostgroup') };
  const networks = (...hostgroup_networks: readonly string[]): object => ({ ...group, hostgroup_networks });
  const answering = async (answer: (detection: Detection) => Partial<Extract<Answer, { type: 'event' }>>) => {
    const made = await api();
    made.engine.answer = (command: Command): Answer => {
      assert.ok(command.type === 'event' && ACCEPTED.type === 'event');
      return { ...ACCEPTED, ...answer(command.detection) };
    };
    return made;
  };
  const refused = { status: 'rejected', refusal: 'prefix_length', why: ['too short'] } as const;

  it('is answered by the most telling result, with all of them', async () => {
    const made = await answering(({ victim }) => {
      if (victim === '203.0.113.0/24') return refused;
      return victim === '198.51.100.0/24' ? { status: 'extended' } : {};
    });
    const response = await post(
      made,
      networks('203.0.113.0/24', '198.51.100.0/24', '192.0.2.0/24', 'nowhere'),
    );
    assert.equal(response.statusCode, 202, response.body);
    const body = SignalsAnswerSchema.parse(response.json());
    assert.equal(body.status, 'accepted');
    assert.deepEqual(
      body.results?.map(({ code, status }) => [code, status]),
      [
        [422, 'rejected'],
        [202, 'extended'],
        [202, 'accepted'],
        [400, 'invalid'],
      ],
    );
  });

  it('is refused when all of it is, with all reasons', async () => {
    const made = await answering(() => refused);
    const response = await post(made, networks('203.0.113.0/24', 'nowhere'));
    assert.equal(response.statusCode, 422);
    const { reason, results } = response.json();
    assert.equal(reason, 'prefix_length');
    assert.equal(results.length, 2);
  });

  it('records what of it cannot be used, even where that is all of it', async () => {
    const unusable = ({ engine }: Made) =>
      engine.commands.flatMap((command) =>
        command.type === 'event' && command.invalid !== undefined ? [command] : [],
      );
    const made = await answering(() => ({}));
    await post(made, networks('203.0.113.0/24', 'nowhere'));
    const [part] = unusable(made);
    assert.equal(part?.detection.source, 'fastnetmon');
    assert.equal(part?.detection.victim, 'nowhere');
    assert.deepEqual(part?.invalid, ['hostgroup_networks[1]: must be an IPv4 or IPv6 prefix']);

    const none = await answering(() => ({}));
    const response = await post(none, networks());
    assert.equal(response.statusCode, 400);
    assert.equal(response.json().reason, 'invalid_report');
    assert.equal(unusable(none).length, 1);
  });

  it('is read by the vector map of the configuration, and compressed', async () => {
    const made = await api({
      vectorMaps: () => new Map([['fastnetmon', new Map([['Type 7', 'syn_flood']])]]),
    });
    const text = TEXT.replace('udp_flood', 'Type 7').replace('protocol: udp', 'protocol: tcp');
    const response = await made.app.inject({
      method: 'POST',
      url: `${URL_PATH}?${ARGUMENTS}`,
      headers: { ...bearer('detector'), 'content-type': 'text/plain', 'content-encoding': 'gzip' },
      payload: gzipSync(text),
    });
    assert.equal(response.statusCode, 202, response.body);
    assert.equal(detections(made)[0]?.vector, 'syn_flood');
  });

  it('is to be sent again when not all of it could be written', async () => {
    const made = await answering(({ victim }) => {
      if (victim !== '203.0.113.0/24') return {};
      const error = new Error('disk full');
      error.name = 'StoreError';
      throw error;
    });
    const response = await post(made, networks('203.0.113.0/24', '198.51.100.0/24'));
    assert.equal(response.statusCode, 503);
    assert.equal(response.headers['retry-after'], '5');
  });
});
