import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FAMILIES } from '../../src/bgp/wire/iana.ts';
import { type Running, until } from '../support/children.ts';
import { joinedNamespaces, missingNamespaces, type Namespaces } from '../support/namespaces.ts';
import { undo } from '../support/undo.ts';

const PORT = 1790;
const MATCH = 'match dst 198.18.0.1/32 proto udp then discard';

/** A neighbor as a speaker's settings have it, across the link. */
function neighbor(host: string, more: object) {
  return {
    name: 'across',
    address: { kind: 'tcp', host, port: PORT },
    passive: false,
    holdTimeSeconds: 90,
    families: [FAMILIES['ipv4-flowspec']],
    enabled: true,
    ...more,
  };
}

function printed(process: Running, words: string): Promise<unknown> {
  return until(`${words}`, () => process.log().includes(words)).catch((error: Error) => {
    throw new Error(`${error.message}; it printed: ${process.log()}`);
  });
}

describe('a neighbor at a link-local address with its zone', { skip: missingNamespaces() }, () => {
  let link: Namespaces | undefined;
  const ends = (): Namespaces => {
    assert.ok(link !== undefined);
    return link;
  };
  before(async () => {
    link = await joinedNamespaces();
  });
  after(() => link?.remove());

  for (const [what, security] of [
    ['as it is', {}],
    ['with GTSM, one hop away', { ttlSecurityHops: 1 }],
    ['with TCP MD5 and GTSM', { md5Password: 's3cret', ttlSecurityHops: 1 }],
  ] as const) {
    it(`is dialled ${what}, and gets its rules and their withdrawal`, async (t) => {
      const { a, b } = ends();
      const router = b.run('router-process.ts', {
        ...{ host: b.own, port: PORT, asn: 65001, routerId: '192.0.2.1' },
        expect: [{ host: b.peer, ...security }],
      });
      undo(t, () => router.stop());
      await printed(router, `listening ${PORT}`);
      const speaker = a.run('speaker-process.ts', {
        ...{ localAsn: 65010, routerId: '192.0.2.10' },
        neighbors: [neighbor(a.peer, { peerAsn: 65001, ...security })],
      });
      undo(t, () => speaker.stop());
      await printed(router, `announced ${MATCH}`);
      await speaker.stop();
      await printed(router, `withdrawn ${MATCH}`);
    });
  }

  it('that dials is known by its address and zone, with TCP MD5 and GTSM', async (t) => {
    const { a, b } = ends();
    const security = { md5Password: 's3cret', ttlSecurityHops: 1 };
    const waiting = a.run('speaker-process.ts', {
      ...{ localAsn: 65010, routerId: '192.0.2.10', listen: { host: '::', port: PORT } },
      neighbors: [neighbor(a.peer, { peerAsn: 65001, passive: true, localAddress: a.own, ...security })],
    });
    undo(t, () => waiting.stop());
    await printed(waiting, `listening ${PORT}`);
    const dialling = b.run('speaker-process.ts', {
      ...{ localAsn: 65001, routerId: '192.0.2.1' },
      neighbors: [neighbor(b.peer, { peerAsn: 65010, localAddress: b.own, ...security })],
    });
    undo(t, () => dialling.stop());
    await printed(waiting, 'established across');
    await printed(dialling, 'established across');
  });
});
