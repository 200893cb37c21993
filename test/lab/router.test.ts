import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeUpdate } from '../../src/bgp/wire/update.ts';
import { LabRouter } from '../../src/lab/router.ts';
import { dialFrom, type ScriptedConnection } from '../bgp/speaker/scripted-peer.ts';
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
});
