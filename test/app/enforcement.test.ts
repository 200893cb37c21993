/** From a report over HTTP to a router over real BGP, with the bundled playbooks (issue 11, section 1). */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { defaultConfig } from '../../src/config/default.ts';
import { type Daemon, startDaemon } from '../../src/app/daemon.ts';
import { MitigationSchema } from '../../src/http/answer-schemas.ts';
import { LabRouter } from '../../src/lab/router.ts';
import { until } from '../support/children.ts';
import { neverOverloaded } from '../support/overload.ts';

type Section = Readonly<Record<string, unknown>>;

const THREE_ALLOWED_PORTS: Section = {
  customers: [
    {
      customer_id: 'acme',
      prefixes: ['203.0.113.0/24'],
      services: [
        { service_id: 'web', assets: [{ ip: '203.0.113.20' }], allowed_ports: { tcp: [22, 80, 443] } },
      ],
    },
  ],
};

async function running(t: TestContext, neighbor: Section = {}, more: Section = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-enforcement-'));
  const router = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
  const { port } = await router.start();
  const config = await defaultConfig({
    folder,
    inventory: THREE_ALLOWED_PORTS,
    settings: {
      http: { listen: '127.0.0.1:0' },
      bgp: { neighbors: [{ name: 'lab', address: '127.0.0.1', port, peer_asn: 65001, ...neighbor }] },
      storage: { path: 'data' },
      quotas: { max_active_per_customer: 'unlimited', max_new_per_minute: 'unlimited' },
      ...more,
    },
  });
  assert.ok(config.ok, config.ok ? '' : JSON.stringify(config.problems));
  const daemon = await startDaemon({
    config: config.config,
    logger: pino({ level: 'silent' }),
    watchOverload: neverOverloaded,
  });
  t.after(async () => {
    await daemon.stop();
    await router.close();
    await rm(folder, { recursive: true, force: true });
  });
  const rules = (): readonly string[] =>
    router
      .rules()
      .map(({ text }) => text)
      .sort();
  return { daemon, rules };
}

async function call(daemon: Daemon, path: string, body?: Section) {
  const answer = await request(`http://${daemon.http.host}:${daemon.http.port}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await answer.body.text();
  return { status: answer.statusCode, text, body: path === '/metrics' ? {} : JSON.parse(text) };
}

const report = (victim: string, vector: string, more: Section = {}): Section => ({
  source: 'test',
  victim_ip: victim,
  vector,
  confidence: 0.9,
  ...more,
});

describe('accepted means that a router enforces it, or somebody is told', () => {
  it('an asset with three allowed ports and the shipped syn_flood playbook', async (t) => {
    const { daemon, rules } = await running(t);
    const posted = await call(daemon, '/v1/events', report('203.0.113.20', 'syn_flood'));
    assert.deepEqual([posted.status, posted.body.status], [202, 'accepted']);
    assert.match(
      posted.body.why.join('\n'),
      /instead \(share_rate\): several rules that share the rate of 10 Mbit\/s/,
    );
    await until('the rules on the router', () => rules().length === 2);
    // The router may have read them before its acknowledgement is noticed here.
    await until('acknowledged', () => daemon.announcer.ribOut('lab').unacknowledgedCount === 0);
    assert.deepEqual(rules(), [
      'match dst 203.0.113.20/32 proto tcp dst-port <22,>22&<80,>80&<443 tcp-flags =syn&!ack then rate-limit 5mbps',
      'match dst 203.0.113.20/32 proto tcp dst-port >443 tcp-flags =syn&!ack then rate-limit 5mbps',
    ]);
    const { body } = await call(daemon, `/v1/mitigations/${posted.body.mitigation_id}`);
    const shown = MitigationSchema.parse(body);
    assert.deepEqual(shown.enforcement, { sent: 1, pending: 0, unsupported: 0, over_budget: 0 });
    assert.deepEqual([shown.status, shown.rate_bps, shown.rate_shared], ['active', 10_000_000, true]);
  });

  it('seven named ports although max_ports is 8, and nine although it is not 9', async (t) => {
    const { daemon, rules } = await running(t);
    const ports = (count: number) => Array.from({ length: count }, (_, i) => 1000 + 10 * i);
    const seven = report('203.0.113.50', 'udp_flood', { top_dst_ports: ports(7) });
    assert.equal((await call(daemon, '/v1/events', seven)).body.status, 'accepted');
    await until('two rules', () => rules().length === 2);
    const nine = report('203.0.113.51', 'udp_flood', { top_dst_ports: ports(9) });
    assert.equal((await call(daemon, '/v1/events', nine)).body.status, 'accepted');
    await until('three rules', () => rules().length === 3);
    assert.ok(rules().includes('match dst 203.0.113.51/32 proto udp then rate-limit 5mbps'));
  });

  it('a router that cannot be told at all: 422 not_enforceable, for reports and operators', async (t) => {
    const { daemon, rules } = await running(t, { families: ['ipv6-flowspec'] });
    const posted = await call(daemon, '/v1/events', report('203.0.113.20', 'syn_flood'));
    assert.deepEqual([posted.status, posted.body.reason], [422, 'not_enforceable']);
    const own = await call(daemon, '/v1/mitigations', {
      operator_id: 'kim',
      victim_ip: '203.0.113.50',
      action_type: 'discard',
      ttl_seconds: 300,
      reason: 'customer called',
    });
    assert.deepEqual([own.status, own.body.reason], [422, 'not_enforceable']);
    assert.match(own.body.detail, /lab: ipv4-flowspec is not one of the neighbor's families/);
    assert.deepEqual(rules(), []);
  });

  it("an operator's police of seven ports: refused with what would work, and made with it", async (t) => {
    const { daemon, rules } = await running(t);
    const own = {
      operator_id: 'kim',
      victim_ip: '203.0.113.50',
      protocol: 'udp',
      dst_ports: [1, 3, 5, 7, 9, 11, 13],
      action_type: 'police',
      rate_bps: 7_000_000,
      ttl_seconds: 300,
      reason: 'customer called',
    };
    const refused = await call(daemon, '/v1/mitigations', own);
    assert.deepEqual([refused.status, refused.body.reason], [422, 'not_enforceable']);
    assert.match(
      refused.body.detail,
      /Alternatives: several rules that share the rate \(share_rate\); fewer ports \(the first 5\)/,
    );
    assert.equal((await call(daemon, '/v1/mitigations', { ...own, share_rate: true })).status, 201);
    await until('two rules', () => rules().length === 2);
    const discard = { ...own, action_type: 'discard', rate_bps: undefined, share_rate: true };
    assert.equal((await call(daemon, '/v1/mitigations', discard)).status, 400);
  });

  it('twenty victims and max_rules: 10: shown, degraded, measured and alerted', async (t) => {
    const alerts: { event: string; summary: string }[] = [];
    const hook = createServer((incoming, response) => {
      let text = '';
      incoming.on('data', (chunk) => (text += String(chunk)));
      incoming.on('end', () => {
        alerts.push(JSON.parse(text));
        response.writeHead(200).end();
      });
    });
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
    t.after(() => new Promise((resolve) => hook.close(resolve)));
    const address = hook.address();
    assert.ok(typeof address === 'object' && address !== null);
    const { daemon, rules } = await running(
      t,
      { max_rules: 10 },
      {
        alerting: {
          destinations: [{ type: 'webhook', url: `http://127.0.0.1:${address.port}/` }],
          events: ['mitigation.unenforced'],
          allow_private_addresses: true,
        },
      },
    );
    await until('the session', async () => (await call(daemon, '/v1/health')).body.status === 'ok');
    const ids: string[] = [];
    for (let host = 1; host <= 20; host++) {
      const { body } = await call(daemon, '/v1/events', report(`203.0.113.${100 + host}`, 'udp_flood'));
      assert.equal(body.status, 'accepted');
      ids.push(body.mitigation_id);
      if (host === 11) assert.match(body.why.join('\n'), /no room on lab: max_rules is used up/);
    }
    await until('ten rules', () => rules().length === 10);
    const list = await call(daemon, '/v1/mitigations?limit=100');
    const counted = list.body.mitigations.map(
      ({ enforcement }: { enforcement: { sent: number; over_budget: number } }) =>
        `${enforcement.sent} ${enforcement.over_budget}`,
    );
    assert.deepEqual(counted.toSorted(), [...Array(10).fill('0 1'), ...Array(10).fill('1 0')]);

    assert.equal((await call(daemon, '/v1/health')).body.status, 'degraded');
    const detail = await call(daemon, '/v1/health/detail');
    assert.deepEqual(detail.body.problems, [
      'lab has no room for 10 active mitigations: max_rules (10) is used up by stricter or older rules',
    ]);
    const metrics = (await call(daemon, '/metrics')).text;
    for (const [state, count] of [
      ['sent', 10],
      ['pending', 0],
      ['unsupported', 0],
      ['over_budget', 10],
    ] as const) {
      assert.match(
        metrics,
        new RegExp(`^prefixd_bgp_rules\\{neighbor="lab",state="${state}"\\} ${count}$`, 'm'),
      );
    }
    await until('ten alerts', () => alerts.length === 10);
    assert.ok(alerts.every(({ event }) => event === 'mitigation.unenforced'));
    assert.match(alerts[0]?.summary ?? '', /not enforced everywhere: .*lab: max_rules \(10\) is used up/);

    const withdraw = { operator_id: 'kim', reason: 'over' };
    const last = list.body.mitigations.find(
      ({ enforcement }: { enforcement: { sent: number } }) => enforcement.sent === 1,
    );
    await call(daemon, `/v1/mitigations/${last.mitigation_id}/withdraw`, withdraw);
    await until('another takes its place', async () => {
      const { problems } = (await call(daemon, '/v1/health/detail')).body;
      return problems.length === 1 && /no room for 9 active/.test(problems[0]) && rules().length === 10;
    });
  });
});
