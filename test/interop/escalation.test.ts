/** A whole daemon takes an attack from police to redirect, diversion and blackhole, and BIRD is never without protection. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pino } from 'pino';
import { request } from 'undici';
import { startDaemon as startPrefixd } from '../../src/app/daemon.ts';
import { defaultConfig } from '../../src/config/default.ts';
import { until } from '../support/children.ts';
import { missing, startDaemon } from '../support/daemons.ts';
import { freePort, ownAddress } from '../support/loopback.ts';
import { neverOverloaded } from '../support/overload.ts';
import { undo } from '../support/undo.ts';

const VICTIM = '203.0.113.50';

const next = 'require_confidence_at_least: 0.5, require_persistence_seconds: 1';
const PLAYBOOKS = `playbooks:
  - name: udp
    match: { vector: udp_flood }
    steps:
      - { action: police, rate_bps: 5000000, ttl_seconds: 60 }
      - { action: redirect, to: fra, ttl_seconds: 60, ${next} }
      - { action: divert, to: fra, ttl_seconds: 60, ${next} }
      - { action: blackhole, ttl_seconds: 60, ${next} }
`;

/** What BIRD logged about its tables: a line for each rule or route of the victim that came or went. */
function changesIn(log: string): readonly { readonly kind: 'rule' | 'route'; readonly isThere: boolean }[] {
  return log.split('\n').flatMap((line) => {
    const [, what] = /peer0.*[<>] (added|replaced|removed)/.exec(line) ?? [];
    if (what === undefined || !line.includes(VICTIM)) return [];
    return [{ kind: line.includes('flow4') ? 'rule' : 'route', isThere: what !== 'removed' } as const];
  });
}

describe('an attack that escalates', { skip: missing('bird') }, () => {
  it('is answered by a rule or a route at every moment until the traffic returns', async (t) => {
    const [ours, theirs] = [ownAddress(), ownAddress()];
    const port = await freePort(theirs);
    const families = ['ipv4-flowspec', 'ipv4-unicast'] as const;
    const bird = await startDaemon('bird', {
      asn: 65001,
      routerId: '10.0.0.1',
      address: theirs,
      port,
      peers: [{ address: ours, asn: 65010, families, unicastImport: 'holes' }],
      statements: [
        'debug protocols { routes };',
        'filter holes { if (65535, 666) ~ bgp_community then dest = RTD_BLACKHOLE; accept; }',
      ].join('\n'),
    });
    undo(t, () => bird.stop('SIGKILL'));
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-escalation-'));
    undo(t, () => rm(folder, { recursive: true, force: true }));
    await mkdir(join(folder, 'playbooks'));
    await writeFile(join(folder, 'playbooks', 'udp.yaml'), PLAYBOOKS);
    const config = await defaultConfig({
      folder,
      playbooksIn: folder,
      settings: {
        http: { listen: '127.0.0.1:0' },
        storage: { path: 'data' },
        bgp: {
          neighbors: [
            {
              name: 'bird',
              address: theirs,
              port,
              local_address: ours,
              peer_asn: 65001,
              families: ['ipv4-flowspec'],
              announce: ['flowspec', 'divert', 'blackhole'],
            },
          ],
        },
        scrubbers: [
          {
            name: 'fra',
            redirect: { ipv4: '192.0.2.80' },
            divert: { next_hop_v4: '192.0.2.80', communities: ['65010:80'] },
          },
        ],
        blackhole: { allowed: true },
      },
    });
    assert.ok(config.ok, config.ok ? '' : JSON.stringify(config.problems));
    const daemon = await startPrefixd({
      config: config.config,
      logger: pino({ level: 'silent' }),
      watchOverload: neverOverloaded,
    });
    undo(t, () => daemon.stop());
    const call = async (path: string, body?: object) => {
      const answer = await request(`http://${daemon.http.host}:${daemon.http.port}${path}`, {
        method: body === undefined ? 'GET' : 'POST',
        ...(body === undefined
          ? {}
          : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      return JSON.parse(await answer.body.text());
    };
    await until('established', () => daemon.announcer.isEstablished('bird'));
    const report = { source: 'test', victim_ip: VICTIM, vector: 'udp_flood', confidence: 0.9 };
    const first = await call('/v1/events', report);
    assert.equal(first.status, 'accepted', first.why.join('\n'));
    const shown = () => call(`/v1/mitigations/${first.mitigation_id}`);
    const seen: string[] = [];
    await until('every step was taken', async () => {
      await call('/v1/events', report);
      const { action_type: action, enforcement } = await shown();
      if (seen.at(-1) !== action && enforcement.sent === 1) seen.push(action);
      return action === 'blackhole' && enforcement.sent === 1;
    });
    assert.deepEqual(
      seen.filter((action) => action !== 'police'),
      ['redirect', 'divert', 'blackhole'],
    );
    let table = '';
    await until('bird discards the traffic', async () => {
      table = await bird.command('show', 'route', `${VICTIM}/32`, 'table', 'master4', 'all');
      return /blackhole/.test(table);
    });
    assert.match(table, /BGP\.community: .*\(65535,666\)/);
    await until('the rule is gone', async () => (await bird.count('ipv4-flowspec')) === 0);

    const before = changesIn(bird.log());
    const there = { rule: false, route: false };
    for (const [i, { kind, isThere }] of before.entries()) {
      there[kind] = isThere;
      assert.ok(
        there.rule || there.route,
        `nothing protects ${VICTIM} after change ${i} of ${JSON.stringify(before)}`,
      );
    }
    assert.ok(before.length >= 4, `bird logged ${JSON.stringify(before)}`);
    await call(`/v1/mitigations/${first.mitigation_id}/withdraw`, { operator_id: 'noc', reason: 'over' });
    await until('the traffic returned', async () => (await shown()).status === 'withdrawn');
    // Its TCP has acknowledged the withdrawal before bird reads it.
    await until('bird has taken the route away', () => changesIn(bird.log()).at(-1)?.isThere === false);
  });
});
