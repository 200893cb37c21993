/** Webhooks of other systems: who may send, what a document becomes, and what hostile documents cost. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Command } from '../../src/core/commands.ts';
import type { Detection } from '../../src/core/types.ts';
import type { AuthSettings, Webhook, WebhookAuth } from '../../src/http/dependencies.ts';
import type { AdapterSettings } from '../../src/intake/webhook/adapter-settings.ts';
import { hashPassword } from '../../src/people/passwords.ts';
import { ACCEPTED, api, bearer, EVENT_ID, TOKENS } from './support.ts';

const KEY = 'a secret of both';
const HMAC: WebhookAuth = {
  kind: 'hmac',
  header: 'x-signature',
  algorithm: 'sha256',
  prefix: '',
  secret: KEY,
};
const BEARER: WebhookAuth = { kind: 'bearer', token: undefined };
const BASIC: WebhookAuth = { kind: 'basic', user: 'wanguard', password: 'pass:word' };

const MAPPING: AdapterSettings = {
  each: '$.alerts[*]',
  event_id: '$.id',
  victim_ip: { path: ['$.ip', '$.target'] },
  vector: { path: '$.kind', map: { 'udp attack': 'udp_flood' }, otherwise: 'unknown' },
  bps: { path: '$.kbits', unit: 'kbit/s' },
  action: { path: '$.state', map: { alarm: 'ban', clear: 'unban' }, otherwise: 'ignore' },
};

const ALERT = { id: 17, ip: '203.0.113.10', kind: 'UDP Attack', kbits: 2_000_000, state: 'ALARM' };

async function hooked(auth: WebhookAuth = BEARER, mapping = MAPPING, settings?: AuthSettings) {
  const webhook: Webhook = { name: 'kentik', auth, mapping };
  const outcomes: string[] = [];
  const made = await api({
    webhooks: () => new Map([['kentik', webhook]]),
    onWebhook: (name, outcome) => outcomes.push(`${name} ${outcome}`),
    ...(settings === undefined ? {} : { auth: () => settings }),
  });
  const send = (body: unknown, headers: Record<string, string> = bearer('detector'), name = 'kentik') =>
    made.app.inject({
      method: 'POST',
      url: `/v1/signals/webhook/${name}`,
      headers: { 'content-type': 'application/json', ...headers },
      payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
    });
  return Object.assign(made, { send, outcomes });
}

function detectionOf(command: Command | undefined): Detection {
  assert.ok(command?.type === 'event', 'an event was decided');
  return command.detection;
}

const signature = (body: string | Buffer, algorithm = 'sha256', encoding: 'hex' | 'base64' = 'hex'): string =>
  createHmac(algorithm, KEY).update(body).digest(encoding);

describe('a signed webhook', () => {
  const body = JSON.stringify({ alerts: [ALERT] });

  it('takes a body with the right signature, in hexadecimal or base64, without any token', async () => {
    for (const encoding of ['hex', 'base64'] as const) {
      const { send, engine } = await hooked(HMAC);
      const response = await send(body, { 'x-signature': signature(body, 'sha256', encoding) });
      assert.equal(response.statusCode, 202, response.body);
      const [command] = engine.commands;
      assert.equal(command?.type === 'event' && command.actor.name, 'webhook:kentik');
    }
  });

  it('takes the other algorithms, and a text before the signature', async () => {
    for (const algorithm of ['sha1', 'sha512'] as const) {
      const { send } = await hooked({ ...HMAC, algorithm, prefix: `${algorithm}=` });
      const said = `${algorithm}=${signature(body, algorithm)}`;
      assert.equal((await send(body, { 'x-signature': said })).statusCode, 202);
      assert.equal((await send(body, { 'x-signature': signature(body, algorithm) })).statusCode, 401);
    }
  });

  it('refuses a changed body, a changed signature, one of another algorithm, none, and a token instead', async () => {
    const { send, engine } = await hooked(HMAC);
    const right = signature(body);
    const wrong: readonly (readonly [string, Record<string, string>])[] = [
      [body.replace('.10', '.11'), { 'x-signature': right }],
      [`${body} `, { 'x-signature': right }],
      [body, { 'x-signature': right.replace(/^./, (c) => (c === '0' ? '1' : '0')) }],
      [body, { 'x-signature': right.slice(0, -2) }],
      [body, { 'x-signature': '' }],
      [body, { 'x-signature': signature(body, 'sha512') }],
      [body, {}],
      [body, bearer('admin')],
      ['', { 'x-signature': right }],
    ];
    for (const [text, headers] of wrong) {
      const response = await send(text, headers);
      assert.equal(response.statusCode, 401, `${text} ${JSON.stringify(headers)}`);
      assert.match(String(response.headers['www-authenticate']), /^Signature /);
    }
    assert.equal(engine.commands.length, 0);
  });

  it('signs the octets that were sent: a compressed body is signed as compressed', async () => {
    const { send } = await hooked(HMAC);
    const zipped = gzipSync(body);
    const headers = { 'content-encoding': 'gzip' };
    assert.equal((await send(zipped, { ...headers, 'x-signature': signature(zipped) })).statusCode, 202);
    assert.equal((await send(zipped, { ...headers, 'x-signature': signature(body) })).statusCode, 401);
  });

  it('parses nothing of a body before its signature is verified', async () => {
    const { send } = await hooked(HMAC);
    assert.equal((await send('{"a":', { 'x-signature': signature('{}') })).statusCode, 401);
    assert.equal((await send('{"a":', { 'x-signature': signature('{"a":') })).statusCode, 400);
  });

  it('is verified although the API needs no credentials', async () => {
    const { send } = await hooked(HMAC, MAPPING, { mode: 'none' });
    assert.equal((await send(body, { host: 'localhost' })).statusCode, 401);
    assert.equal((await send(body, { host: 'localhost', 'x-signature': signature(body) })).statusCode, 202);
  });

  it('delays the answers to a network that guesses', async () => {
    let paused = 0;
    const webhook: Webhook = { name: 'kentik', auth: HMAC, mapping: MAPPING };
    const { app } = await api({
      webhooks: () => new Map([['kentik', webhook]]),
      pause: async () => void paused++,
    });
    for (let i = 0; i < 14; i++) {
      const headers = { 'content-type': 'application/json', 'x-signature': signature(`${i}`) };
      await app.inject({ method: 'POST', url: '/v1/signals/webhook/kentik', headers, payload: body });
    }
    assert.ok(paused >= 3, `${paused} answers were delayed`);
  });
});

describe('a webhook with user and password', () => {
  const as = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

  it('takes the right pair only', async () => {
    const { send } = await hooked(BASIC);
    assert.equal((await send({ alerts: [ALERT] }, as('wanguard:pass:word'))).statusCode, 202);
    for (const headers of [as('wanguard:pass'), as('wanguard'), as(':'), {}, bearer('admin')]) {
      const response = await send({ alerts: [ALERT] }, headers);
      assert.equal(response.statusCode, 401);
      assert.match(String(response.headers['www-authenticate']), /^Basic /);
    }
  });
});

describe('a webhook with a token', () => {
  it('takes any token that may report, as the other signals do', async () => {
    const { send } = await hooked();
    assert.equal((await send({ alerts: [ALERT] })).statusCode, 202);
    assert.equal((await send({ alerts: [ALERT] }, bearer('viewer'))).statusCode, 403);
    assert.equal((await send({ alerts: [ALERT] }, {})).statusCode, 401);
  });

  it('takes only the token that it names', async () => {
    const { send } = await hooked({ kind: 'bearer', token: 'the-detector' });
    assert.ok(TOKENS.some(({ name }) => name === 'the-detector'));
    assert.equal((await send({ alerts: [ALERT] })).statusCode, 202);
    assert.equal((await send({ alerts: [ALERT] }, bearer('admin'))).statusCode, 403);
  });

  it('takes no person for the token of the same name', async () => {
    const passwordHash = await hashPassword('correct horse', { ln: 14, r: 8, p: 1 });
    const users = [{ name: 'the-detector', role: 'operator' as const, passwordHash }];
    const signIn = { users, idleSeconds: 3600, absoluteSeconds: 3600 };
    const settings: AuthSettings = { mode: 'bearer', tokens: TOKENS, signIn };
    const { app, send } = await hooked({ kind: 'bearer', token: 'the-detector' }, MAPPING, settings);
    const signedIn = await app.inject({
      method: 'POST',
      url: '/v1/sign-in',
      headers: { 'x-prefixd-request': '1' },
      payload: { name: 'the-detector', password: 'correct horse', session: 'token' },
    });
    const authorization = `Bearer ${signedIn.json().token}`;
    assert.equal((await app.inject({ url: '/v1/me', headers: { authorization } })).statusCode, 200);
    assert.equal((await send({ alerts: [ALERT] }, { authorization })).statusCode, 403);
  });

  it('is not there under another name, which only those who may report learn', async () => {
    const { send } = await hooked(HMAC);
    assert.equal((await send({}, bearer('detector'), 'other')).statusCode, 404);
    assert.equal((await send({}, {}, 'other')).statusCode, 401);
    assert.equal((await send({}, bearer('detector'), '__proto__')).statusCode, 404);
  });
});

describe('a document', () => {
  it('with one event is answered like POST /v1/events', async () => {
    const { send, engine, outcomes } = await hooked();
    const response = await send({ alerts: [ALERT] });
    assert.equal(response.statusCode, 202);
    assert.deepEqual(response.json(), {
      event_id: EVENT_ID,
      external_event_id: '17',
      mitigation_id: ACCEPTED.type === 'event' ? ACCEPTED.mitigation?.id : undefined,
      status: 'accepted',
      why: ['203.0.113.10 belongs to acme'],
    });
    const detection = detectionOf(engine.commands[0]);
    assert.equal(detection.source, 'kentik');
    assert.equal(detection.vector, 'udp_flood');
    assert.equal(detection.bps, 2e9);
    assert.equal(detection.action, 'ban');
    assert.deepEqual(outcomes, ['kentik events']);
  });

  it('with one event that a guardrail refuses is answered 422 with the reason', async () => {
    const { send, engine, outcomes } = await hooked();
    engine.answer = () => ({
      ...ACCEPTED,
      type: 'event',
      eventId: EVENT_ID,
      status: 'rejected',
      mitigation: undefined,
      refusal: 'not_in_inventory',
      why: ['203.0.113.10 is not in the inventory'],
    });
    const response = await send({ alerts: [ALERT] });
    assert.equal(response.statusCode, 422);
    assert.equal(response.json().reason, 'not_in_inventory');
    assert.deepEqual(response.json().why, ['203.0.113.10 is not in the inventory']);
    assert.deepEqual(outcomes, ['kentik refused']);
  });

  it('with one event that cannot be read is answered 400, and recorded, because nobody may read the answer', async () => {
    const { send, engine } = await hooked();
    const response = await send({ alerts: [{ ...ALERT, ip: '203.0.113.300' }] });
    assert.equal(response.statusCode, 400);
    assert.equal(response.json().reason, 'invalid_report');
    assert.equal(response.json().errors[0].field, 'victim_ip');
    const [command] = engine.commands;
    assert.match(String(command?.type === 'event' && command.invalid), /victim_ip: must be an IPv4/);
  });

  it('with several events is answered like the batch, in order', async () => {
    const { send, engine } = await hooked();
    const alerts = [
      ALERT,
      { ...ALERT, ip: 'nowhere' },
      { ...ALERT, id: 18, state: 'clear' },
      { ...ALERT, state: 'seen' },
    ];
    const response = await send({ alerts });
    assert.equal(response.statusCode, 207);
    const { results } = response.json();
    assert.deepEqual(
      results.map(({ code }: { code: number }) => code),
      [202, 400, 202, 202],
    );
    assert.equal(results[2].external_event_id, '18');
    assert.equal(results[3].event_id, null);
    assert.match(results[3].why[0], /ignores the action "seen"/);
    assert.equal(engine.commands.length, 3);
  });

  it('without an event is answered 202, counted and explained', async () => {
    const { send, engine, outcomes, log } = await hooked();
    for (const body of [{ alerts: [] }, {}, [], 7, null]) {
      const response = await send(body);
      assert.equal(response.statusCode, 202, JSON.stringify(body));
      assert.equal(response.json().status, 'accepted_no_mitigation');
      assert.match(response.json().why[0], /each \(\$\.alerts\[\*\]\) of webhook kentik matches nothing/);
    }
    assert.equal(engine.commands.length, 0);
    assert.deepEqual(new Set(outcomes), new Set(['kentik nothing']));
    assert.ok(
      log.lines.some(({ level, message }) => level === 'info' && message === 'webhook document has no event'),
    );
  });

  it('may be JSON lines, which are a list', async () => {
    const { send, engine } = await hooked(BEARER, { each: '$[*]', victim_ip: '$.ip' });
    const lines = [ALERT, { ...ALERT, ip: '203.0.113.11' }].map((one) => JSON.stringify(one)).join('\n');
    const headers = { ...bearer('detector'), 'content-type': 'application/x-ndjson' };
    assert.equal((await send(lines, headers)).statusCode, 207);
    assert.equal(engine.commands.length, 2);
  });

  it('is read as JSON whatever its type says, or if it has none', async () => {
    const { send } = await hooked();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/vnd.x+json']) {
      const headers = { ...bearer('detector'), 'content-type': type };
      assert.equal((await send({ alerts: [ALERT] }, headers)).statusCode, 202, type);
    }
  });

  it('counts against the rate limit with each event', async () => {
    const webhook: Webhook = { name: 'kentik', auth: HMAC, mapping: MAPPING };
    const { app } = await api({
      webhooks: () => new Map([['kentik', webhook]]),
      rateLimit: () => ({ eventsPerSecond: 1, burst: 3 }),
    });
    const send = (count: number) => {
      const payload = JSON.stringify({ alerts: Array(count).fill(ALERT) });
      const headers = { 'content-type': 'application/json', 'x-signature': signature(payload) };
      return app.inject({ method: 'POST', url: '/v1/signals/webhook/kentik', headers, payload });
    };
    assert.equal((await send(5)).statusCode, 207);
    const refused = await send(1);
    assert.equal(refused.statusCode, 429);
    assert.ok(Number(refused.headers['retry-after']) >= 1);
  });

  it('of a wrong signature costs its claimed sender nothing', async () => {
    const webhook: Webhook = { name: 'kentik', auth: HMAC, mapping: MAPPING };
    const { app } = await api({
      webhooks: () => new Map([['kentik', webhook]]),
      rateLimit: () => ({ eventsPerSecond: 1, burst: 2 }),
    });
    const payload = JSON.stringify({ alerts: [ALERT] });
    const send = (said: string) =>
      app.inject({
        method: 'POST',
        url: '/v1/signals/webhook/kentik',
        headers: { 'content-type': 'application/json', 'x-signature': said },
        payload,
      });
    for (let i = 0; i < 5; i++) assert.equal((await send(signature('x'))).statusCode, 401);
    assert.equal((await send(signature(payload))).statusCode, 202);
  });
});

describe('a hostile document', () => {
  const refused: readonly (readonly [what: string, body: string, code: number, says: RegExp])[] = [
    ['that is no JSON', '{"alerts":', 400, /not valid JSON/],
    ['that is empty', '', 400, /a JSON body is required/],
    ['that nests deeply', `${'['.repeat(40)}${']'.repeat(40)}`, 400, /nested deeper than 32/],
    [
      'with a key that reaches the prototype',
      '{"alerts":[{"__proto__":{"ip":"203.0.113.10"}}]}',
      400,
      /__proto__/,
    ],
    ['with too many values', `{"alerts":[${'1,'.repeat(40_000)}1]}`, 413, /more than 30000 values/],
    ['with too many events', `{"alerts":[${'1,'.repeat(10_500)}1]}`, 413, /more than 10000 events/],
    [
      'that is too long',
      JSON.stringify({ alerts: [], x: 'x'.repeat(1024 * 1024) }),
      413,
      /larger than 1 MiB/,
    ],
  ];
  for (const [what, body, code, says] of refused) {
    it(`${what} is answered ${code}`, async () => {
      const { send, engine } = await hooked();
      const response = await send(body);
      assert.equal(response.statusCode, code, response.body);
      assert.match(response.json().detail, says);
      assert.equal(engine.commands.length, 0);
    });
  }

  it('with values of wrong types is refused or read, never a failure of prefixd', async () => {
    const strange: readonly unknown[] = [
      null,
      true,
      -1,
      Number.MAX_VALUE,
      'x',
      [],
      [[]],
      {},
      { toString: 1 },
      '\u0000',
      'é'.repeat(5000),
    ];
    const mapping: AdapterSettings = {
      each: '$[*]',
      victim_ip: '$.v',
      event_id: '$.v',
      source: { path: '$.v', otherwise: 'kentik' },
      vector: { path: '$.v', match: [['(?i)ntp', 'ntp_amplification']], otherwise: 'unknown' },
      timestamp: { path: '$.v', format: 'YYYY-MM-DD HH:mm:ss UTC' },
      bps: { path: '$.v', unit: 'bytes/s' },
      confidence: { path: '$.v', scale: 0.01 },
      top_dst_ports: { path: '$.v', split: ',' },
      tcp_flags: '$.v',
      protocol: '$.v',
    };
    const { send } = await hooked(BEARER, mapping);
    for (const value of strange) {
      const response = await send([{ v: value }, { v: value, w: [value] }]);
      assert.equal(response.statusCode, 207, `${JSON.stringify(value)}: ${response.body}`);
      for (const { code } of response.json().results) assert.ok(code === 202 || code === 400, String(code));
    }
  });

  it('in any encoding is text: octets that are no UTF-8 do no harm', async () => {
    const { send } = await hooked();
    assert.equal((await send(Buffer.from([0xff, 0xfe, 0x00]))).statusCode, 400);
  });
});
