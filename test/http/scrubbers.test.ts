import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_RETURN, NO_TARGETS, type Scrubber, type Targets } from '../../src/core/policy/scrubbers.ts';
import type { MitigationAction } from '../../src/core/action.ts';
import type { ProtectionStatus } from '../../src/view/protection-view.ts';
import { api, bearer, mitigation, MITIGATION_ID, NOON, POLICY } from './support.ts';

const FRA: Scrubber = {
  name: 'fra',
  redirect: { ipv4: '192.0.2.50', vrf: '65010:666' },
  divert: {
    nextHopV4: '192.0.2.51',
    lengthV4: 32,
    lengthV6: 128,
    communities: ['65010:9'],
    export: false,
    maxTtlSeconds: 86_400,
    return: DEFAULT_RETURN,
  },
  maxDiverted: 10,
  probe: { url: 'http://192.0.2.9/', intervalSeconds: 10, timeoutSeconds: 3, failures: 3, successes: 2 },
};

const RETURN = { min_seconds: 3600, quiet_seconds: 600, backoff: 2, max_seconds: 43_200, probe_seconds: 0 };

const TARGETS: Targets = {
  scrubbers: new Map([
    ['fra', FRA],
    ['ams', { name: 'ams', redirect: { ipv6: '2001:db8::50' }, maxDiverted: Number.POSITIVE_INFINITY }],
  ]),
  blackhole: {
    allowed: true,
    target: { ...NO_TARGETS.blackhole.target, communities: ['65010:666'] },
    customers: ['acme'],
  },
};

describe('GET /v1/scrubbers', () => {
  it('shows the targets of each scrubber and of blackholing, and how many mitigations use them', async () => {
    const { app, engine } = await api();
    engine.policy = { ...POLICY, targets: TARGETS };
    const actions: readonly MitigationAction[] = [
      { type: 'redirect', rateBps: null, target: { scrubber: 'fra' } },
      { type: 'redirect', rateBps: 1e6, target: { scrubber: 'fra' }, copy: true },
      { type: 'redirect', rateBps: null, target: { vrf: '65010:666' } },
      { type: 'divert', rateBps: null, scrubber: 'fra' },
      { type: 'blackhole', rateBps: null },
      { type: 'police', rateBps: 1e6 },
    ];
    for (const [n, action] of actions.entries()) {
      const [id, dstPrefix] = [`00000000-0000-4000-8000-00000000000${n}`, `203.0.113.${n}/32`];
      const match = { dstPrefix, protocol: null, dstPorts: [], srcPorts: [] };
      engine.record({ type: 'mitigation.created', mitigation: mitigation({ id, match, action }) });
    }
    engine.record({ type: 'scrubber.down', scrubber: 'fra', reason: 'no answer within 3 s' });
    const response = await app.inject({ url: '/v1/scrubbers', headers: bearer('viewer') });
    assert.equal(response.statusCode, 200);
    assert.deepEqual(response.json(), {
      scrubbers: [
        {
          name: 'fra',
          redirect: { ipv4: '192.0.2.50', ipv6: null, vrf: '65010:666' },
          divert: {
            next_hop_v4: '192.0.2.51',
            next_hop_v6: null,
            prefix_length_v4: 32,
            prefix_length_v6: 128,
            communities: ['65010:9'],
            export: false,
            max_ttl_seconds: 86_400,
            return: RETURN,
          },
          max_diverted: 10,
          healthy: false,
          unhealthy_since: '2026-11-23T12:00:00.000Z',
          unhealthy_reason: 'no answer within 3 s',
          redirected: 2,
          diverted: 1,
        },
        {
          name: 'ams',
          redirect: { ipv4: null, ipv6: '2001:db8::50', vrf: null },
          divert: null,
          max_diverted: null,
          healthy: null,
          unhealthy_since: null,
          unhealthy_reason: null,
          redirected: 0,
          diverted: 0,
        },
      ],
      protections: [],
      blackhole: {
        allowed: true,
        next_hop_v4: '192.0.2.1',
        next_hop_v6: '100::1',
        prefix_length_v4: 32,
        prefix_length_v6: 128,
        communities: ['65010:666'],
        export: false,
        max_ttl_seconds: 86_400,
        return: RETURN,
        customers: ['acme'],
        active: 1,
      },
    });
  });

  it('shows what cloud scrubbers are asked to protect, and so does the mitigation', async () => {
    const failing: ProtectionStatus = {
      scrubber: 'fra',
      prefix: '203.0.113.10/32',
      mitigationId: MITIGATION_ID,
      state: 'failed',
      request: 'start',
      since: NOON,
      attempts: 5,
      lastError: 'HTTP 503: maintenance',
      nextAttemptAt: NOON + 60_000,
    };
    const { app, engine } = await api({
      protections: {
        statuses: () => [failing],
        statusOf: ({ id }) => (id === MITIGATION_ID ? failing : undefined),
      },
    });
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const shown = {
      scrubber: 'fra',
      prefix: '203.0.113.10/32',
      mitigation_id: MITIGATION_ID,
      state: 'failed',
      request: 'start',
      since: '2026-11-23T12:00:00.000Z',
      attempts: 5,
      last_error: 'HTTP 503: maintenance',
      next_attempt_at: '2026-11-23T12:01:00.000Z',
    };
    const all = await app.inject({ url: '/v1/scrubbers', headers: bearer('viewer') });
    assert.deepEqual(all.json().protections, [shown]);
    const one = await app.inject({ url: `/v1/mitigations/${MITIGATION_ID}`, headers: bearer('viewer') });
    assert.deepEqual(one.json().protection, shown);
  });

  it('shows that nothing is configured', async () => {
    const { app } = await api();
    const { scrubbers, blackhole } = (
      await app.inject({ url: '/v1/scrubbers', headers: bearer('viewer') })
    ).json();
    assert.deepEqual([scrubbers, blackhole.allowed, blackhole.active], [[], false, 0]);
  });
});

describe('POST /v1/scrubbers/{name}/signal', () => {
  const CLEAN = { type: 'done', affected: ['00000000-0000-4000-8000-000000000001'] } as const;

  it('passes on that the traffic of a victim is clean', async () => {
    const { app, engine } = await api();
    engine.policy = { ...POLICY, targets: TARGETS };
    engine.answer = () => CLEAN;
    const response = await app.inject({
      method: 'POST',
      url: '/v1/scrubbers/fra/signal',
      headers: bearer('detector'),
      payload: { state: 'clean', victim_ip: '203.0.113.10/32' },
    });
    assert.deepEqual([response.statusCode, response.json()], [202, { affected: CLEAN.affected }]);
    const [command] = engine.commands;
    assert.ok(command?.type === 'scrubber-clean');
    assert.deepEqual(
      [command.scrubber, command.victim, command.actor.kind],
      ['fra', '203.0.113.10', 'detector'],
    );
  });

  it('refuses an unknown scrubber, state or victim', async () => {
    const { app, engine } = await api();
    engine.policy = { ...POLICY, targets: TARGETS };
    const status = async (url: string, payload: object): Promise<number> =>
      (await app.inject({ method: 'POST', url, headers: bearer('detector'), payload })).statusCode;
    assert.equal(await status('/v1/scrubbers/lon/signal', { state: 'clean' }), 404);
    assert.equal(await status('/v1/scrubbers/fra/signal', { state: 'dirty' }), 400);
    assert.equal(await status('/v1/scrubbers/fra/signal', { state: 'clean', victim_ip: 'x' }), 400);
    assert.deepEqual(engine.commands, []);
  });
});
