import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MitigationDetailSchema } from '../../src/http/answer-schemas.ts';
import { api, bearer, EVENT_ID, eventRecord, MITIGATION_ID, mitigation, NOON } from './support.ts';
import { FakeExchange } from './fake-exchange.ts';

const RULE = 'match dst 203.0.113.10/32 proto udp dst-port 53 then rate-limit 5mbps';
const SENT = { neighbor: 'edge1', kind: 'flowspec', rule: RULE, nlriHex: '0a', state: 'sent' } as const;
const COMMAND = { operator_id: 'kim', reason: 'false positive' };

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;

describe('GET /v1/mitigations/{id}', () => {
  it('shows the decision, its reasons and its rule on each neighbor', async () => {
    const { app, engine, reconciler } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    reconciler.rules.set(MITIGATION_ID, [
      SENT,
      {
        neighbor: 'edge2',
        kind: 'flowspec',
        rule: RULE,
        nlriHex: '0a',
        state: 'unsupported',
        why: 'no ports on this platform',
      },
    ]);
    const response = await app.inject({ url: `/v1/mitigations/${MITIGATION_ID}`, headers: bearer('viewer') });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(response.json(), {
      mitigation_id: MITIGATION_ID,
      status: 'active',
      customer_id: 'acme',
      service_id: 'dns',
      pop: 'iad1',
      origin: null,
      pops: ['iad1'],
      victim_ip: '203.0.113.10',
      vector: 'udp_flood',
      protocol: 'udp',
      dst_ports: [53],
      excluded_ports: [],
      excluded_port_ranges: [],
      action_type: 'police',
      rate_bps: 5_000_000,
      scrubber: null,
      redirect_vrf: null,
      redirect_ip: null,
      redirect_copy: false,
      rate_shared: false,
      dst_prefix: '203.0.113.10/32',
      match: {
        dst_prefix: '203.0.113.10/32',
        src_prefix: null,
        protocol: 17,
        dst_ports: [[53, 53]],
        src_ports: [],
        packet_lengths: [],
        tcp_flags: 0,
        tcp_flags_clear: 0,
        fragments: false,
      },
      created_at: '2026-11-23T12:00:00.000Z',
      updated_at: '2026-11-23T12:00:00.000Z',
      expires_at: '2026-11-23T12:02:00.000Z',
      away: null,
      withdrawn_at: null,
      ended_at: null,
      triggering_event_id: EVENT_ID,
      last_event_id: EVENT_ID,
      playbook: 'udp',
      step: 0,
      dry_run: false,
      created_by: { kind: 'detector', name: 'fnm' },
      reason: 'udp_flood from fnm',
      why: ['203.0.113.10 belongs to acme', 'playbook udp, step 1'],
      held_by: [],
      holds: [],
      ending: false,
      end: null,
      protection: null,
      rule: RULE,
      enforcement: { sent: 1, pending: 0, unsupported: 1, over_budget: 0 },
      rules: [
        { neighbor: 'edge1', kind: 'flowspec', rule: RULE, nlri_hex: '0a', state: 'sent' },
        {
          neighbor: 'edge2',
          kind: 'flowspec',
          rule: RULE,
          nlri_hex: '0a',
          state: 'unsupported',
          why: 'no ports on this platform',
        },
      ],
      history: [
        {
          at: '2026-11-23T12:00:00.000Z',
          what: 'created',
          text: 'created by fnm: police at 5 Mbit/s, until 2026-11-23T12:02:00.000Z',
          by: { kind: 'detector', name: 'fnm' },
          reason: 'udp_flood from fnm',
          why: ['203.0.113.10 belongs to acme', 'playbook udp, step 1'],
          report: null,
          change: {
            expires_at: '2026-11-23T12:02:00.000Z',
            action_type: 'police',
            rate_bps: 5_000_000,
            scrubber: null,
            redirect_vrf: null,
            redirect_ip: null,
            redirect_copy: false,
            step: 0,
          },
        },
      ],
      history_omitted: {
        decisions: 0,
        reports: 0,
        renewals: 0,
        from: null,
        to: null,
        max_bps: null,
        max_pps: null,
        unknown_until: null,
        text: '',
      },
    });
    MitigationDetailSchema.parse(response.json());
  });

  it('tells its whole life: each report with its values and answer, and who ended it and why', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'event.received', event: eventRecord() });
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const again = idOf(2);
    const { detection } = eventRecord();
    engine.record({
      type: 'event.received',
      event: eventRecord({
        id: again,
        status: 'extended',
        detection: { ...detection, bps: 2e9 },
        why: ['the attack continues'],
      }),
    });
    engine.record({
      type: 'mitigation.extended',
      id: MITIGATION_ID,
      change: { expiresAt: NOON + 180_000, lastEventId: again },
    });
    const actor = { kind: 'operator', name: 'kim', via: 'noc' } as const;
    engine.record({
      type: 'mitigation.ending',
      id: MITIGATION_ID,
      ending: { to: 'withdrawn', at: NOON, actor, reason: 'false positive' },
    });
    const url = `/v1/mitigations/${MITIGATION_ID}`;
    const shown = (await app.inject({ url, headers: bearer('viewer') })).json();
    const { history, end } = MitigationDetailSchema.parse(shown);
    assert.deepEqual(
      history.map(({ text }) => text),
      [
        'created: police at 5 Mbit/s, until 2026-11-23T12:02:00.000Z; fnm reported udp_flood: 1 Gbit/s, 100000 packets/s, confidence 0.9',
        'extended until 2026-11-23T12:03:00.000Z; fnm reported udp_flood: 2 Gbit/s, 100000 packets/s, confidence 0.9',
        'withdrawn by kim (via noc): false positive',
      ],
    );
    assert.deepEqual(history[1]?.why, ['the attack continues']);
    assert.deepEqual([history[1]?.report?.event_id, history[1]?.report?.status], [again, 'extended']);
    assert.deepEqual(end, {
      to: 'withdrawn',
      at: '2026-11-23T12:00:00.000Z',
      by: actor,
      reason: 'false positive',
    });
  });

  it('is found by the beginning of its id, as long as that is the only one', async () => {
    const { app, engine } = await api();
    engine.record({
      type: 'mitigation.created',
      mitigation: mitigation({ id: 'abcd1234-0000-4000-8000-000000000001' }),
    });
    engine.record({
      type: 'mitigation.created',
      mitigation: mitigation({ id: 'abcd5678-0000-4000-8000-000000000002' }),
    });
    const get = async (id: string) => app.inject({ url: `/v1/mitigations/${id}`, headers: bearer('viewer') });
    assert.equal((await get('ABCD1234')).json().mitigation_id, 'abcd1234-0000-4000-8000-000000000001');
    const several = await get('abcd');
    assert.equal(several.statusCode, 409);
    assert.match(several.json().detail, /2 mitigations have an id that begins with abcd/);
    for (const id of ['abc', 'abce', 'zzzz', '%25']) assert.equal((await get(id)).statusCode, 404, id);
  });

  it('is pending until some neighbor was sent a rule, unless it is never to be sent', async () => {
    const { app, engine, reconciler } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    engine.record({ type: 'mitigation.created', mitigation: mitigation({ id: idOf(2), dryRun: true }) });
    const status = async (id: string) =>
      (await app.inject({ url: `/v1/mitigations/${id}`, headers: bearer('viewer') })).json().status;
    assert.equal(await status(MITIGATION_ID), 'pending');
    reconciler.rules.set(MITIGATION_ID, [{ ...SENT, state: 'pending' }]);
    assert.equal(await status(MITIGATION_ID), 'pending');
    reconciler.rules.set(MITIGATION_ID, [SENT]);
    assert.equal(await status(MITIGATION_ID), 'active');
    assert.equal(await status(idOf(2)), 'active');
  });

  it('is ending, not withdrawn, until every session was sent the withdrawal', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const view = async () =>
      (await app.inject({ url: `/v1/mitigations/${MITIGATION_ID}`, headers: bearer('viewer') })).json();
    const actor = { kind: 'operator', name: 'kim' } as const;
    const ending = { to: 'withdrawn', at: NOON, actor, reason: 'done' } as const;
    engine.record({ type: 'mitigation.ending', id: MITIGATION_ID, ending });
    const before = await view();
    assert.deepEqual([before.status, before.ending, before.withdrawn_at], ['active', true, null]);
    engine.record({ type: 'mitigation.withdrawn', id: MITIGATION_ID });
    const after = await view();
    assert.deepEqual(
      [after.status, after.ending, after.withdrawn_at],
      ['withdrawn', false, '2026-11-23T12:00:00.000Z'],
    );
  });

  it('answers 404 to an id that is unknown or malformed', async () => {
    const { app } = await api();
    for (const id of [MITIGATION_ID, 'nonsense', '__proto__', '..%2f..%2fetc', '%00']) {
      const response = await app.inject({ url: `/v1/mitigations/${id}`, headers: bearer('viewer') });
      assert.equal(response.statusCode, 404, id);
      assert.match(String(response.headers['content-type']), /problem\+json/);
    }
  });
});

describe('GET /v1/mitigations', () => {
  it('lists newest first and stays on its page while new ones come and old ones are forgotten', async () => {
    const { app, engine } = await api();
    const create = (n: number) =>
      engine.record({
        type: 'mitigation.created',
        mitigation: mitigation({ id: idOf(n), createdAt: NOON + n, match: matchOf(n) }),
      });
    for (let n = 1; n <= 5; n++) create(n);
    const list = async (query: string) => {
      const response = await app.inject({ url: `/v1/mitigations?${query}`, headers: bearer('viewer') });
      assert.equal(response.statusCode, 200, response.body);
      const { mitigations, next_cursor } = response.json();
      return {
        ids: mitigations.map((one: { mitigation_id: string }) => Number(one.mitigation_id.slice(-2))),
        next_cursor,
      };
    };
    const first = await list('limit=2');
    assert.deepEqual(first.ids, [5, 4]);
    create(6);
    const second = await list(`limit=2&cursor=${first.next_cursor}`);
    assert.deepEqual(second.ids, [3, 2]);
    const third = await list(`limit=2&cursor=${second.next_cursor}`);
    assert.deepEqual(third, { ids: [1], next_cursor: null });
  });

  it('filters by status, customer, victim and POP', async () => {
    const { app, engine, reconciler } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    engine.record({
      type: 'mitigation.created',
      mitigation: mitigation({ id: idOf(2), victim: '2001:db8::1', customerId: 'other', match: matchOf(2) }),
    });
    reconciler.rules.set(MITIGATION_ID, [SENT]);
    for (const [query, expected] of [
      ['', [2, 1]],
      ['status=active', [1]],
      ['status=pending', [2]],
      ['status=active,pending', [2, 1]],
      ['status=active&status=pending', [2, 1]],
      ['status=expired', []],
      ['customer_id=other', [2]],
      ['victim_ip=2001:DB8:0::1', [2]],
      ['pop=iad1', [2, 1]],
      ['pop=all', [2, 1]],
      ['pop=fra1', []],
    ] as const) {
      const response = await app.inject({ url: `/v1/mitigations?${query}`, headers: bearer('viewer') });
      const ids = response
        .json()
        .mitigations.map((one: { mitigation_id: string }) => Number(one.mitigation_id.slice(-2)));
      assert.deepEqual(ids, expected, query);
    }
  });

  it('answers 400 that names the parameter which is wrong', async () => {
    const { app } = await api();
    for (const [query, field] of [
      ['status=gone', 'status'],
      ['limit=0', 'limit'],
      ['limit=1001', 'limit'],
      ['limit=ten', 'limit'],
      ['victim_ip=host.example', 'victim_ip'],
      ['cursor=AAAA', 'cursor'],
      ['stauts=active', 'stauts'],
    ]) {
      const response = await app.inject({ url: `/v1/mitigations?${query}`, headers: bearer('viewer') });
      assert.equal(response.statusCode, 400, query);
      assert.ok(response.json().errors[0].field.startsWith(field), response.body);
    }
  });
});

describe('POST /v1/mitigations/{id}/withdraw', () => {
  it('says of a withdrawal in effect that the journal lacks it', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [], recorded: false });
    const response = await app.inject({
      method: 'POST',
      url: `/v1/mitigations/${MITIGATION_ID}/withdraw`,
      headers: bearer('operator'),
      payload: COMMAND,
    });
    assert.equal(response.statusCode, 200);
    assert.equal(response.json().recorded, false);
    assert.match(response.json().warning, /in effect, but not recorded yet/);
  });

  it('withdraws in the name of the operator, with the token beside it', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    const response = await app.inject({
      method: 'POST',
      url: `/v1/mitigations/${MITIGATION_ID}/withdraw`,
      headers: { ...bearer('operator'), 'x-request-id': 'ticket-42' },
      payload: COMMAND,
    });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(engine.commands, [
      {
        type: 'withdraw',
        id: MITIGATION_ID,
        reason: 'false positive',
        actor: {
          kind: 'operator',
          name: 'kim',
          via: 'the-operator',
          address: '127.0.0.1',
          requestId: 'ticket-42',
        },
      },
    ]);
  });

  it('answers 404 to an unknown one and 409 to one that has ended', async () => {
    const { app, engine } = await api();
    const withdraw = () =>
      app.inject({
        method: 'POST',
        url: `/v1/mitigations/${MITIGATION_ID}/withdraw`,
        headers: bearer('operator'),
        payload: COMMAND,
      });
    assert.equal((await withdraw()).statusCode, 404);
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    engine.answer = () => ({ type: 'conflict', detail: 'It was withdrawn before' });
    const ended = await withdraw();
    assert.equal(ended.statusCode, 409);
    assert.equal(ended.json().detail, 'It was withdrawn before');
  });

  it('wants to know who and why', async () => {
    const { app, engine } = await api();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    for (const [payload, field] of [
      [{ reason: 'x' }, 'operator_id'],
      [{ operator_id: 'kim' }, 'reason'],
      [{ operator_id: 'kim', reason: '  ' }, 'reason'],
      [{ operator_id: 'kim\nlevel=error', reason: 'x' }, 'operator_id'],
      [{ ...COMMAND, forse: true }, 'forse'],
    ] as const) {
      const response = await app.inject({
        method: 'POST',
        url: `/v1/mitigations/${MITIGATION_ID}/withdraw`,
        headers: bearer('operator'),
        payload,
      });
      assert.equal(response.statusCode, 400);
      assert.equal(response.json().errors[0].field, field);
    }
    const none = await app.inject({
      method: 'POST',
      url: `/v1/mitigations/${MITIGATION_ID}/withdraw`,
      headers: bearer('operator'),
    });
    assert.equal(none.statusCode, 400);
    assert.equal(engine.commands.length, 0);
  });
});

describe('POST /v1/mitigations', () => {
  const OWN = {
    operator_id: 'kim',
    victim_ip: '2001:DB8:0:0::1',
    protocol: 'udp',
    dst_ports: [123, 53, 53],
    action_type: 'police',
    rate_bps: 1_000_000,
    ttl_seconds: 300,
    reason: 'customer called',
  };

  it("asks the core for an operator's own mitigation and answers 201 with where it is", async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/mitigations',
      headers: bearer('operator'),
      payload: OWN,
    });
    assert.equal(response.statusCode, 201);
    assert.equal(response.headers.location, `/v1/mitigations/${MITIGATION_ID}`);
    const [command] = engine.commands;
    assert.equal(command?.type, 'mitigate');
    if (command?.type !== 'mitigate') return;
    assert.equal(command.victim, '2001:db8::1');
    assert.equal(command.protocol, 17);
    assert.deepEqual(command.ports, [53, 123]);
    assert.deepEqual(command.action, { type: 'police', rateBps: 1_000_000 });
    assert.equal(command.ttlSeconds, 300);
  });

  it('asks for the POPs that it names, and for none without them', async () => {
    const { app, engine } = await api({ exchange: new FakeExchange() });
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    for (const pops of [undefined, ['fra1', 'ams1'], ['*']]) {
      const payload = pops === undefined ? OWN : { ...OWN, pops };
      const ask = { method: 'POST', url: '/v1/mitigations', headers: bearer('operator'), payload } as const;
      assert.equal((await app.inject(ask)).statusCode, 201);
      const command = engine.commands.at(-1);
      assert.ok(command?.type === 'mitigate');
      assert.deepEqual(command.pops, pops);
    }
  });

  it('asks for each action with its target', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    for (const [asked, action] of [
      [
        { action_type: 'redirect', to: 'fra', rate_bps: null },
        { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } },
      ],
      [
        { action_type: 'redirect', vrf: '65010:666', copy: true },
        { type: 'redirect', rateBps: 1_000_000, target: { vrf: '65010:666' }, copy: true },
      ],
      [
        { action_type: 'redirect', vrf: '[2001:db8::1]:666', rate_bps: null },
        { type: 'redirect', rateBps: null, target: { vrf: '[2001:db8::1]:666' } },
      ],
      [
        { action_type: 'redirect', ip: '2001:DB8:0::9', rate_bps: undefined, copy: false },
        { type: 'redirect', rateBps: null, target: { ip: '2001:db8::9' } },
      ],
      [
        { action_type: 'divert', to: 'fra', rate_bps: undefined },
        { type: 'divert', rateBps: null, scrubber: 'fra' },
      ],
      [
        { action_type: 'blackhole', rate_bps: undefined },
        { type: 'blackhole', rateBps: null },
      ],
    ] as const) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/mitigations',
        headers: bearer('operator'),
        payload: { ...OWN, ...asked },
      });
      assert.equal(response.statusCode, 201, response.body);
      const command = engine.commands.at(-1);
      assert.deepEqual(command?.type === 'mitigate' && command.action, action);
    }
  });

  it('takes a prefix for the victim, under either key', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({ type: 'mitigation', mitigation: mitigation(), why: [] });
    const prefix = '203.0.113.0/24';
    for (const [change, victim] of [
      [{ victim_ip: prefix }, prefix],
      [{ victim_ip: undefined, victim_prefix: prefix }, prefix],
      [{ victim_ip: prefix, victim_prefix: prefix }, prefix],
      [{ victim_ip: '203.0.113.14/32' }, '203.0.113.14'],
    ] as const) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/mitigations',
        headers: bearer('operator'),
        payload: { ...OWN, ...change },
      });
      assert.equal(response.statusCode, 201, response.body);
      const command = engine.commands.at(-1);
      assert.equal(command?.type === 'mitigate' && command.victim, victim);
    }
  });

  it('answers 422 with the reason of the guardrail that refuses', async () => {
    const { app, engine } = await api();
    engine.answer = () => ({
      type: 'refused',
      reason: 'protected',
      detail: 'port 179 is protected',
      why: ['a'],
    });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/mitigations',
      headers: bearer('operator'),
      payload: OWN,
    });
    assert.equal(response.statusCode, 422);
    assert.deepEqual([response.json().reason, response.json().why], ['protected', ['a']]);
  });

  it('answers 400 that names the field which is wrong', async () => {
    const { app, engine } = await api();
    for (const [change, field] of [
      [{ victim_ip: '203.0.113.1/24' }, 'victim_ip'],
      [{ victim_ip: undefined }, 'victim_ip'],
      [{ victim_prefix: '198.51.100.0/24' }, 'victim_prefix'],
      [{ protocol: 'smoke' }, 'protocol'],
      [{ protocol: 256 }, 'protocol'],
      [{ dst_ports: [65_536] }, 'dst_ports[0]'],
      [{ action_type: 'explode' }, 'action_type'],
      [{ rate_bps: undefined }, 'rate_bps'],
      [{ action_type: 'discard' }, 'rate_bps'],
      [{ action_type: 'discard', rate_bps: null, to: 'fra' }, 'to'],
      [{ action_type: 'blackhole' }, 'rate_bps'],
      [{ action_type: 'blackhole', rate_bps: null, ip: '192.0.2.9' }, 'ip'],
      [{ action_type: 'divert' }, 'rate_bps'],
      [{ action_type: 'divert', rate_bps: null }, 'to'],
      [{ action_type: 'divert', rate_bps: null, to: 'fra', vrf: '65010:666' }, 'vrf'],
      [{ action_type: 'divert', rate_bps: null, to: '' }, 'to'],
      [{ action_type: 'redirect' }, 'to'],
      [{ action_type: 'redirect', to: 'fra', vrf: '65010:666' }, 'vrf'],
      [{ action_type: 'redirect', vrf: '65010:666', ip: '192.0.2.9' }, 'ip'],
      [{ action_type: 'redirect', vrf: '65010' }, 'vrf'],
      [{ action_type: 'redirect', vrf: '65536:65536' }, 'vrf'],
      [{ action_type: 'redirect', ip: '192.0.2.0/24' }, 'ip'],
      [{ action_type: 'redirect', to: 'fra', share_rate: true }, 'share_rate'],
      [{ copy: true }, 'copy'],
      [{ to: 'fra' }, 'to'],
      [{ ttl_seconds: undefined }, 'ttl_seconds'],
      [{ ttl_seconds: 1.5 }, 'ttl_seconds'],
      [{ pops: [] }, 'pops'],
      [{ pops: ['fra 1'] }, 'pops[0]'],
    ] as const) {
      const response = await app.inject({
        method: 'POST',
        url: '/v1/mitigations',
        headers: bearer('operator'),
        payload: { ...OWN, ...change },
      });
      assert.equal(response.statusCode, 400, field);
      assert.equal(response.json().errors[0].field, field);
    }
    assert.equal(engine.commands.length, 0);
  });
});

function matchOf(n: number) {
  return { dstPrefix: `203.0.113.${n}/32`, protocol: 17, dstPorts: [], srcPorts: [] } as const;
}
