import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CallerScope } from '../../src/access/caller-scope.ts';
import type { Role } from '../../src/access/role.ts';
import { buildInventory } from '../../src/core/policy/inventory.ts';
import { FakeExchange, OTHER } from './fake-exchange.ts';
import { ROUTES } from './route-table.ts';
import { api, EVENT_ID, eventRecord, MITIGATION_ID, mitigation, POLICY, ROLES } from './support.ts';

const RIVAL_ID = '00000000-0000-4000-8000-0000000000b2';
const RIVAL_EVENT = '00000000-0000-4000-8000-0000000000be';

const INVENTORY = {
  customers: [
    { customer_id: 'acme', prefixes: ['203.0.113.0/24'] },
    { customer_id: 'rival', name: 'Rival Ltd', prefixes: ['198.51.100.0/24'] },
  ],
};

/** Texts that no answer to acme's people may contain. */
const OF_RIVAL = [/rival/i, /198\.51\.100\./, /0000000000b[2e]/];

const SCOPES = {
  acme: { customers: ['acme'] },
  here: { pops: ['iad1'] },
  elsewhere: { pops: ['ams1'] },
  police: { actions: ['police'] },
} as const satisfies Record<string, CallerScope>;
type ScopeName = keyof typeof SCOPES;
const NAMES: readonly ScopeName[] = ['acme', 'here', 'elsewhere', 'police'];

const as = (role: Role, scope: ScopeName) => ({ authorization: `Bearer ${role}-${scope}-secret` });

/** An API with a mitigation, an event, and entries of the audit log and safelist of each of two customers. */
async function twoCustomers(exchange?: FakeExchange) {
  const tokens = ROLES.flatMap((role) =>
    NAMES.map((scope) => ({
      name: `${role}-${scope}`,
      role,
      token: `${role}-${scope}-secret`,
      scope: SCOPES[scope],
    })),
  );
  const entries = [
    {
      seq: 9,
      action: 'event.received',
      actor: NOC,
      target: { type: 'event', id: RIVAL_EVENT },
      after: { victim_ip: '198.51.100.7' },
    },
    {
      seq: 8,
      action: 'mitigation.created',
      actor: NOC,
      target: { type: 'mitigation', id: RIVAL_ID },
      after: {},
    },
    { seq: 7, action: 'peer.disabled', actor: NOC, target: { type: 'peer', id: 'edge1' }, reason: 'rival' },
    {
      seq: 6,
      action: 'mitigation.created',
      actor: NOC,
      target: { type: 'mitigation', id: MITIGATION_ID },
      after: {},
    },
    {
      seq: 5,
      action: 'event.received',
      actor: NOC,
      target: { type: 'event', id: EVENT_ID },
      after: { victim_ip: '203.0.113.10' },
    },
  ];
  const made = await api({
    auth: () => ({ mode: 'bearer', tokens }),
    inventory: () => INVENTORY,
    ...(exchange === undefined ? {} : { exchange }),
    audit: async () => entries,
  });
  made.engine.policy = { ...POLICY, safelist: [], inventory: buildInventory(INVENTORY).inventory };
  const rival = eventRecord();
  made.engine.record(
    { type: 'event.received', event: eventRecord() },
    { type: 'mitigation.created', mitigation: mitigation({ createdBy: NOC_ACTOR }) },
    {
      type: 'event.received',
      event: {
        ...rival,
        id: RIVAL_EVENT,
        mitigationId: RIVAL_ID,
        detection: { ...rival.detection, victim: '198.51.100.7' },
        why: ['198.51.100.7 belongs to rival'],
      },
    },
    {
      type: 'mitigation.created',
      mitigation: mitigation({
        id: RIVAL_ID,
        customerId: 'rival',
        victim: '198.51.100.7',
        match: { dstPrefix: '198.51.100.7/32', protocol: 17, dstPorts: [], srcPorts: [] },
        triggeringEventId: RIVAL_EVENT,
        lastEventId: RIVAL_EVENT,
        why: ['198.51.100.7 belongs to rival'],
      }),
    },
    ...['198.51.100.9/32', '203.0.113.9/32', '0.0.0.0/1'].map((prefix) => ({
      type: 'safelist.added' as const,
      entry: { prefix, reason: `for ${prefix}`, addedAt: 0, addedBy: NOC_ACTOR, configured: false },
    })),
  );
  return made;
}

const NOC = { kind: 'operator', name: 'noc', via: 'noc-token', address: '10.1.2.3', request_id: 'r-1' };
const NOC_ACTOR = { kind: 'operator', name: 'noc', via: 'noc-token', address: '10.1.2.3' } as const;

describe('the table of routes', () => {
  it('has every route of the API, and no other', async () => {
    const { app } = await api();
    const headers = { authorization: 'Bearer admin-secret' };
    const document = await app.inject({ url: '/v1/openapi.json', headers });
    const paths: Record<string, Record<string, unknown>> = document.json().paths;
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    assert.deepEqual(described.sort(), ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
  });

  it('holds for every route, role and scope', async () => {
    const { app, engine } = await twoCustomers();
    engine.answer = () => ({ type: 'conflict', detail: 'the test changes nothing' });
    for (const { method, url, roles, scope, payload } of ROUTES) {
      if (url === '/v1/feed' || roles === 'public') continue;
      const isCommand = roles === 'operator admin' || roles === 'admin';
      for (const role of ROLES) {
        for (const name of NAMES) {
          const headers = as(role, name);
          const answer = await app.inject({ method, url, headers, ...(payload ? { payload } : {}) });
          const what = `${role} limited to ${name}: ${method} ${url}: ${answer.statusCode} ${answer.body}`;
          if (!roles.split(' ').includes(role)) {
            assert.equal(answer.statusCode, 403, what);
            continue;
          }
          const isLimited =
            scope === 'none' || name === 'acme' || name === 'elsewhere' || (name === 'police' && isCommand);
          if ((scope === 'all' || scope === 'none') && isLimited) {
            assert.equal(answer.statusCode, 403, what);
            assert.equal(answer.json().reason, 'out_of_scope', what);
            continue;
          }
          assert.notEqual(answer.statusCode, 401, what);
          // What happens at another POP is refused, since it is known that there is this one.
          const isReport = method === 'POST' && /events|signals/.test(url);
          if (name === 'police' && isReport) continue;
          if (name !== 'elsewhere' || !url.match(/events|signals|mitigations$/)) {
            assert.notEqual(answer.statusCode, 403, what);
          }
        }
      }
    }
  });

  it('tells a customer nothing of another, whatever is read', async () => {
    const { app } = await twoCustomers();
    for (const { method, url, scope } of ROUTES) {
      if (method !== 'GET' || scope !== 'own' || url === '/v1/feed') continue;
      const { statusCode, body } = await app.inject({ url, headers: as('admin', 'acme') });
      assert.equal(statusCode, 200, url);
      for (const pattern of [...OF_RIVAL, /10\.1\.2\.3/, /noc-token/])
        assert.doesNotMatch(body, pattern, url);
    }
  });
});

describe("a customer's own operator", () => {
  it('sees what is theirs, and counts of that', async () => {
    const { app } = await twoCustomers();
    const read = async (url: string) => (await app.inject({ url, headers: as('operator', 'acme') })).json();
    const ids = (list: readonly Record<string, string>[], key: string) => list.map((one) => one[key]);
    assert.deepEqual(ids((await read('/v1/mitigations')).mitigations, 'mitigation_id'), [MITIGATION_ID]);
    assert.deepEqual(ids((await read('/v1/events')).events, 'event_id'), [EVENT_ID]);
    assert.deepEqual(ids(await read('/v1/safelist'), 'prefix'), ['203.0.113.9/32']);
    assert.deepEqual(ids((await read('/v1/config/inventory')).customers, 'customer_id'), ['acme']);
    const stats = await read('/v1/stats');
    assert.equal(stats.total_active, 1);
    assert.deepEqual(stats.by_customer, { acme: 1 });
    assert.equal(stats.events_remembered, 1);
    const health = await read('/v1/health/detail');
    assert.equal(health.mitigations.live, 1);
    assert.deepEqual(
      [health.journal, health.peers, health.reconciler, health.feed_readers],
      [null, null, null, null],
    );
    const { entries } = await read('/v1/audit');
    assert.deepEqual(
      entries.map((entry: { seq: unknown; target: { id: string } }) => [entry.seq, entry.target.id]),
      [
        [null, MITIGATION_ID],
        [null, EVENT_ID],
      ],
    );
    assert.deepEqual(entries[0].actor, { kind: 'operator', name: 'noc' });
  });

  it("cannot tell another's mitigation from one that does not exist", async () => {
    const { app, engine } = await twoCustomers();
    const headers = as('operator', 'acme');
    const payload = { operator_id: 'kim', reason: 'mine' };
    const stranger = '11111111-0000-4000-8000-0000000000b2';
    const plain = (body: string) => body.replace(/"request_id":"[^"]+"/, '').replaceAll(stranger, RIVAL_ID);
    for (const tail of ['', '/withdraw']) {
      const method = tail === '' ? 'GET' : 'POST';
      const [one, other] = await Promise.all(
        [RIVAL_ID, stranger].map((id) =>
          app.inject({
            method,
            url: `/v1/mitigations/${id}${tail}`,
            headers,
            ...(tail === '' ? {} : { payload }),
          }),
        ),
      );
      assert.equal(one?.statusCode, 404);
      assert.equal(plain(one?.body ?? ''), plain(other?.body ?? '-'));
    }
    // Both ids begin alike: for acme there is only one of them.
    const short = await app.inject({ url: '/v1/mitigations/00000000', headers });
    assert.equal(short.json().mitigation_id, MITIGATION_ID);
    assert.equal(engine.commands.length, 0);
  });

  it("cannot tell another's address from one that nobody has, and reports about neither", async () => {
    const { app, engine } = await twoCustomers();
    const headers = as('operator', 'acme');
    const answers: string[] = [];
    for (const victim of ['198.51.100.7', '192.0.2.7']) {
      for (const [url, payload] of [
        ['/v1/events', { source: 'x', victim_ip: victim, vector: 'udp_flood' }],
        [
          '/v1/mitigations',
          { operator_id: 'kim', reason: 'r', victim_ip: victim, action_type: 'discard', ttl_seconds: 60 },
        ],
      ] as const) {
        const { statusCode, body } = await app.inject({ method: 'POST', url, headers, payload });
        assert.equal(statusCode, 422);
        answers.push(body.replaceAll(victim, 'X').replace(/"request_id":"[^"]+"/, ''));
      }
    }
    assert.equal(answers[0], answers[2]);
    assert.equal(answers[1], answers[3]);
    assert.equal(engine.commands.length, 0);
  });

  it('does not learn from a refusal how many others are protected', async () => {
    const { app, engine } = await twoCustomers();
    engine.answer = () => ({
      type: 'refused',
      reason: 'quota_pop',
      detail: 'active at iad1: 200 of at most 200',
      why: ['203.0.113.10 belongs to acme', 'active at iad1: 200 of at most 200'],
    });
    const payload = {
      operator_id: 'kim',
      reason: 'r',
      victim_ip: '203.0.113.10',
      action_type: 'discard',
      ttl_seconds: 60,
    };
    const answer = await app.inject({
      method: 'POST',
      url: '/v1/mitigations',
      headers: as('operator', 'acme'),
      payload,
    });
    assert.equal(answer.json().reason, 'quota_pop');
    assert.doesNotMatch(answer.body, /200/);
  });

  it('withdraws what is theirs', async () => {
    const { app, engine } = await twoCustomers();
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    const payload = { operator_id: 'kim', reason: 'mine' };
    const url = `/v1/mitigations/${MITIGATION_ID}/withdraw`;
    const { statusCode } = await app.inject({
      method: 'POST',
      url,
      headers: as('operator', 'acme'),
      payload,
    });
    assert.equal(statusCode, 200);
    assert.deepEqual(
      engine.commands.map(({ type }) => type),
      ['withdraw'],
    );
  });

  it('no longer sees a mitigation that has moved to another customer, who does not learn whose it was', async () => {
    const { app, engine } = await twoCustomers();
    const actor = { kind: 'system', name: 'prefixd' } as const;
    engine.record({ type: 'mitigation.moved', id: RIVAL_ID, customerId: 'acme', serviceId: null, actor });
    engine.record({
      type: 'mitigation.moved',
      id: MITIGATION_ID,
      customerId: 'rival',
      serviceId: null,
      actor,
    });
    const headers = as('viewer', 'acme');
    assert.equal((await app.inject({ url: `/v1/mitigations/${MITIGATION_ID}`, headers })).statusCode, 404);
    const now = await app.inject({ url: `/v1/mitigations/${RIVAL_ID}`, headers });
    assert.equal(now.statusCode, 200);
    assert.doesNotMatch(now.body, /rival/);
    assert.deepEqual(
      now.json().history.map(({ what }: { what: string }) => what),
      ['moved'],
    );
  });
});

describe('a caller who is limited to actions', () => {
  it('sees everything, and begins and ends only what has these actions', async () => {
    const { app, engine } = await twoCustomers();
    const headers = as('operator', 'police');
    engine.record({
      type: 'mitigation.escalated',
      id: RIVAL_ID,
      change: { action: { type: 'discard', rateBps: null } },
    });
    assert.equal((await app.inject({ url: '/v1/mitigations', headers })).json().mitigations.length, 2);
    const payload = { operator_id: 'kim', reason: 'r' };
    const withdraw = (id: string) =>
      app.inject({ method: 'POST', url: `/v1/mitigations/${id}/withdraw`, headers, payload });
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    assert.equal((await withdraw(MITIGATION_ID)).statusCode, 200);
    const refused = await withdraw(RIVAL_ID);
    assert.equal(refused.statusCode, 403);
    assert.match(refused.json().detail, /Its action is discard, and your scope is limited to police/);
    const mitigate = { ...payload, victim_ip: '203.0.113.10', action_type: 'blackhole', ttl_seconds: 60 };
    assert.equal(
      (await app.inject({ method: 'POST', url: '/v1/mitigations', headers, payload: mitigate })).statusCode,
      403,
    );
  });
});

describe('a caller who is limited to POPs', () => {
  it('sees and ends what concerns these POPs only', async () => {
    const { app, engine } = await twoCustomers();
    engine.record({
      type: 'mitigation.created',
      mitigation: mitigation({ id: RIVAL_ID.replace('b2', 'c3'), pops: ['ams1', 'iad1'] }),
    });
    const list = async (name: ScopeName) =>
      (await app.inject({ url: '/v1/mitigations', headers: as('operator', name) })).json().mitigations;
    assert.equal((await list('here')).length, 3);
    assert.equal((await list('elsewhere')).length, 1);
    const url = `/v1/mitigations/${RIVAL_ID.replace('b2', 'c3')}/withdraw`;
    for (const name of ['here', 'elsewhere'] as const) {
      const payload = { operator_id: 'kim', reason: 'r' };
      const answer = await app.inject({ method: 'POST', url, headers: as('operator', name), payload });
      assert.equal(answer.statusCode, 403, name);
      assert.equal(answer.json().reason, 'out_of_scope');
    }
    assert.equal(engine.commands.length, 0);
  });
});

describe('the other POPs', () => {
  it('show and do nothing for limited callers, because they know no limits of theirs', async () => {
    const exchange = new FakeExchange();
    const { app, engine } = await twoCustomers(exchange);
    const payload = { operator_id: 'kim', reason: 'mine', pops: ['fra1'] };
    for (const name of NAMES) {
      const headers = as('operator', name);
      const list = await app.inject({ url: '/v1/mitigations?pop=all', headers });
      assert.equal(list.statusCode, 200);
      assert.equal(list.json().elsewhere, undefined, name);
      for (const id of [OTHER, RIVAL_ID]) {
        const url = `/v1/mitigations/${id}/withdraw`;
        const answer = await app.inject({ method: 'POST', url, headers, payload });
        assert.equal(answer.json().reason, 'out_of_scope', `${name}: ${answer.body}`);
      }
    }
    assert.equal(engine.commands.length + exchange.asked.length, 0);
  });

  it('are asked for nothing by who is limited to this one', async () => {
    const exchange = new FakeExchange();
    const { app, engine } = await twoCustomers(exchange);
    const headers = as('admin', 'here');
    for (const pops of [['*'], ['all'], ['iad1', 'fra1']]) {
      for (const [url, more] of [
        ['/v1/control/pause', {}],
        ['/v1/safelist', { prefix: '203.0.113.9' }],
        ['/v1/mitigations', { victim_ip: '203.0.113.9', action_type: 'discard', ttl_seconds: 60 }],
        [`/v1/mitigations/${MITIGATION_ID}/withdraw`, {}],
      ] as const) {
        const payload = { operator_id: 'kim', reason: 'r', pops, ...more };
        const answer = await app.inject({ method: 'POST', url, headers, payload });
        assert.equal(answer.statusCode, 403, `${url} ${pops.join()}: ${answer.body}`);
        assert.equal(answer.json().reason, 'out_of_scope');
      }
    }
    assert.equal(engine.commands.length, 0);
    assert.equal(exchange.asked.length, 0);
  });

  it("do not get a withdrawal of another customer's mitigation", async () => {
    const exchange = new FakeExchange();
    const { app, engine } = await twoCustomers(exchange);
    const payload = { operator_id: 'kim', reason: 'r', pops: ['*'] };
    const url = `/v1/mitigations/${RIVAL_ID}/withdraw`;
    const answer = await app.inject({ method: 'POST', url, headers: as('operator', 'acme'), payload });
    assert.equal(answer.statusCode, 403);
    assert.equal(engine.commands.length + exchange.asked.length, 0);
  });
});
