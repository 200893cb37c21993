/** What a reload changes for rules that stand: targets, communities, and the guard that judges them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutRoute } from '../../src/bgp/rib/route.ts';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { MockAnnouncer } from '../../src/control/mock-announcer.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import { type NeighborPolicy, render } from '../../src/control/render-rule.ts';
import { DISCARD, RULE_KINDS } from '../../src/core/action.ts';
import { buildPlaybooks } from '../../src/core/policy/playbook.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { NO_TARGETS } from '../../src/core/policy/scrubbers.ts';
import { Disk } from './disk.ts';
import { FakeTime, idle } from './fake-time.ts';
import { ban, neighborPolicy, neighborSettings, OPERATOR, POLICY } from './support.ts';

const PLAYBOOKS = buildPlaybooks({
  playbooks: [{ name: 'udp', match: { vector: 'udp_flood' }, steps: [{ action: 'divert', to: 'fra' }] }],
}).playbooks;

/** Everything is diverted to fra, whose next hop is `nextHopV4`. */
function divertingTo(nextHopV4: string): Policy {
  const divert = { ...NO_TARGETS.blackhole.target, nextHopV4 };
  const scrubbers = new Map([['fra', { name: 'fra', redirect: {}, divert, maxDiverted: 100 }]]);
  return { ...POLICY, playbooks: PLAYBOOKS, targets: { ...NO_TARGETS, scrubbers } };
}

const whole = (changes: Partial<NeighborPolicy> = {}): NeighborPolicy =>
  neighborPolicy('edge1', {
    families: [FAMILIES['ipv4-flowspec'], FAMILIES['ipv4-unicast']],
    announce: RULE_KINDS,
    maxUnicast: 100,
    ...changes,
  });

async function house() {
  const time = new FakeTime();
  const disk = new Disk();
  let ids = 0;
  const { engine } = await openEngine({
    store: disk,
    policy: divertingTo('192.0.2.60'),
    clock: () => time.now,
    newId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
    snapshotEvery: 0,
    after: (milliseconds, callback) => time.after(milliseconds, callback),
  });
  const { families } = whole();
  const announcer = new MockAnnouncer([neighborSettings('edge1', { families })], () => time.now);
  const written: string[] = [];
  const texts = (sign: string, routes: readonly OutRoute[]) => routes.map(({ text }) => `${sign} ${text}`);
  announcer.subscribe({
    onSent: (_peer, announced, withdrawn) => written.push(...texts('+', announced), ...texts('-', withdrawn)),
  });
  const reconciler = new Reconciler({
    engine,
    announcer,
    neighbors: [whole()],
    clock: () => time.now,
    timers: time,
    intervalMs: 30_000,
    log: () => undefined,
  });
  await reconciler.start();
  await announcer.start();
  await idle();
  return { disk, engine, announcer, reconciler, written };
}

describe('a reload', () => {
  it('that moves a scrubber replaces standing routes without a gap, also while a full run is under way', async () => {
    const at = await house();
    await at.engine.submit(ban('203.0.113.1'));
    await idle();
    at.written.length = 0;
    at.disk.how = 'hangs';
    const adopted = at.engine.adopt(divertingTo('192.0.2.61'), {
      type: 'policy-loaded',
      actor: OPERATOR,
      summary: 'moved',
    });
    await idle();
    const full = at.reconciler.full('check');
    await idle();
    at.disk.how = 'works';
    await Promise.all([adopted, full]);
    await idle();
    assert.deepEqual(at.written, ['+ route 203.0.113.1/32 next-hop 192.0.2.61 community no-export']);
    assert.equal(at.reconciler.stats.egressRefusals, 0);
  });

  it('whose communities make a route refused takes the old one from a session that is kept', async () => {
    const at = await house();
    await at.engine.submit(ban('203.0.113.1'));
    await idle();
    assert.equal(at.announcer.ribOut('edge1').sentCount, 1);
    // BLACKHOLE, which makes a diversion a blackhole (RFC 7999).
    await at.reconciler.setNeighbors([whole({ communities: Uint8Array.of(0xff, 0xff, 0x02, 0x9a) })]);
    await idle();
    assert.equal(at.announcer.ribOut('edge1').sentCount, 0);
    assert.equal(at.reconciler.lacking().length, 1);
  });

  it('judges by what is durable: a safelist entry whose removal fails still protects', async () => {
    const at = await house();
    await at.engine.submit({
      type: 'safelist-add',
      prefix: '203.0.113.9/32',
      actor: OPERATOR,
      reason: 'vip',
    });
    const match = { dstPrefix: '203.0.113.9/32', protocol: null, dstPorts: [], srcPorts: [] };
    const held = (): string | undefined => {
      const rendering = render({ match, action: DISCARD, mitigationId: 'm' }, whole(), NO_TARGETS);
      const [route] = rendering.ok ? rendering.routes : [];
      assert.ok(route !== undefined);
      return at.reconciler.whyHeldBack('edge1', route);
    };
    at.disk.how = 'hangs';
    const removal = at.engine.submit({ type: 'safelist-remove', prefix: '203.0.113.9/32', actor: OPERATOR });
    const refused = assert.rejects(removal);
    await idle();
    const adopted = at.reconciler.setNeighbors([whole({ maxRules: 900 })]);
    await idle();
    at.disk.how = 'full';
    await Promise.all([refused, adopted]);
    await idle();
    assert.match(held() ?? '', /protected or safelisted/);
  });
});
