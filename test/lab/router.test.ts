import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { makeUpdate } from '../../src/bgp/wire/update.ts';
import { LabRouter } from '../../src/lab/router.ts';
import { dialFrom, type ScriptedConnection } from '../bgp/speaker/scripted-peer.ts';
import { octets } from '../bgp/flowspec/octets.ts';
import { DISCARD, FLOW4, flowRoute, until } from '../bgp/speaker/support.ts';

/** Announces `rule n` as AS 65010 would. */
function announce(connection: ScriptedConnection, n: number): void {
  connection.send(
    makeUpdate({
      attributes: {
        origin: 0,
        asPath: [{ kind: 'sequence', asns: [65010] }],
        extendedCommunities: DISCARD.extendedCommunities,
        mpReach: { family: FLOW4, nextHop: new Uint8Array(0), nlri: flowRoute(n).nlri },
      },
    }),
  );
}

describe('the lab router', () => {
  it('keeps what a speaker says on a new session when its old one, long dead, ends at last', async () => {
    const lab = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1' });
    const { host, port } = await lab.start();
    const speaker = { localAsn: 65010, localIdentifier: 0xc000020a, peerAsn: 65001 };
    const old = await dialFrom('127.0.0.1', host, port);
    await old.establish(speaker);
    announce(old, 1);
    await until('rule 1', () => lab.rules().length === 1);

    const fresh = await dialFrom('127.0.0.1', host, port);
    await fresh.establish(speaker);
    announce(fresh, 2);
    await until(
      'rule 2 alone',
      () => lab.rules().length === 1 && lab.rules()[0]?.text.includes('18.0.2') === true,
    );
    assert.equal(await old.notification(), '6/7');
    old.end();
    await until('one session', () => lab.established === 1);
    announce(fresh, 3);
    await until('rule 3', () => lab.rules().length === 2);
    fresh.end();
    await lab.close();
  });

  it('keeps unicast routes, IPv4 from the UPDATE itself and IPv6 from its attributes, until they are withdrawn', async () => {
    const families = [FAMILIES['ipv4-unicast'], FAMILIES['ipv6-unicast']];
    const lab = new LabRouter({ host: '127.0.0.1', port: 0, asn: 65001, routerId: '192.0.2.1', families });
    const { host, port } = await lab.start();
    const speaker = await dialFrom('127.0.0.1', host, port);
    await speaker.establish({ localAsn: 65010, localIdentifier: 0xc000020a, peerAsn: 65001, families });
    const common = { origin: 0, asPath: [{ kind: 'sequence' as const, asns: [65010] }] };
    const communities = octets('ffff029a ffffff01');
    const update = (parts: Parameters<typeof makeUpdate>[0]) => speaker.send(makeUpdate(parts));
    update({
      attributes: { ...common, nextHop: octets('c0000201'), communities },
      nlri: octets('20cb00710a 20cb00710b'),
    });
    const [family] = families.slice(1);
    assert.ok(family !== undefined);
    const nlri = octets('80 20010db8000a00000000000000000010');
    const mpReach = { family, nextHop: octets('01000000000000000000000000000001'), nlri };
    update({ attributes: { ...common, mpReach, communities } });
    const texts = (): readonly string[] => lab.rules().map(({ text }) => text);
    const hole = 'community blackhole,no-export';
    await until('three routes', () => lab.rules().length === 3);
    assert.deepEqual(texts(), [
      `route 203.0.113.10/32 next-hop 192.0.2.1 ${hole}`,
      `route 203.0.113.11/32 next-hop 192.0.2.1 ${hole}`,
      `route 2001:db8:a::10/128 next-hop 100::1 ${hole}`,
    ]);
    assert.equal(lab.rules()[0]?.communitiesHex, 'ffff029affffff01');
    update({ attributes: {}, withdrawn: octets('20cb00710a') });
    update({ attributes: { mpUnreach: { family, nlri } } });
    await until('one route', () => lab.rules().length === 1);
    assert.deepEqual(texts(), [`route 203.0.113.11/32 next-hop 192.0.2.1 ${hole}`]);
    // 33 bits (RFC 7606 §5.3)
    update({ attributes: { ...common, nextHop: octets('c0000201') }, nlri: octets('21cb00710a00') });
    assert.equal(await speaker.notification(), '3/10');
    await until('no route', () => lab.rules().length === 0);
    speaker.end();
    await lab.close();
  });
});
