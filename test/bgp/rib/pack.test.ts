import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type OutRoute, routeAttributes } from '../../../src/bgp/rib/route.ts';
import { type PackContext, packUpdates } from '../../../src/bgp/rib/pack.ts';
import { decodeMessage } from '../../../src/bgp/wire/message.ts';
import { familyName } from '../../../src/bgp/wire/iana.ts';
import type { UpdateMessage } from '../../../src/bgp/wire/types.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { unicast } from './unicast-routes.ts';
import { DISCARD, FLOW6, flowRoute, POLICE } from '../speaker/support.ts';

const EXTERNAL: PackContext = {
  localAsn: 65010,
  internal: false,
  fourOctetAs: true,
  extendedMessages: false,
};
const INTERNAL: PackContext = { ...EXTERNAL, internal: true };

function announce(routes: readonly OutRoute[], context = EXTERNAL): readonly Uint8Array[] {
  return packUpdates({ announce: routes, withdraw: [] }, context).messages;
}

function decode(message: Uint8Array | undefined, context = EXTERNAL): UpdateMessage {
  assert.ok(message !== undefined);
  const decoded = decodeMessage(message, context);
  assert.equal(decoded.type, 'update');
  assert.ok(decoded.type === 'update');
  assert.deepEqual(decoded.problems, []);
  return decoded;
}

/** Octets as written by hand from RFC 4271 §4.3, RFC 4760 §3 and §4, RFC 8955 §4 and §7. */
const MARKER = 'ff'.repeat(16);

describe('an announcement', () => {
  it('to an external peer, octet for octet', () => {
    const [message] = announce([flowRoute(1)]);
    assert.equal(
      toHex(message ?? new Uint8Array()),
      `${MARKER}004202` + // length 66, UPDATE
        '0000' + // no withdrawn routes
        '002b' + // 43 octets of attributes
        '900e000f' + // MP_REACH_NLRI, optional, 2-octet length: 15
        '0001850000' + // AFI 1, SAFI 133, next hop length 0, reserved
        '090120c612000103811' + // dst 198.18.0.1/32, proto ..
        '1' + // .. 17
        '40010100' + // ORIGIN IGP
        '40020602010000fdf2' + // AS_PATH, one sequence: 65010
        'c010088006000000000000', // EXTENDED_COMMUNITIES: traffic-rate 0
    );
  });

  it('to an internal peer has an empty AS_PATH and LOCAL_PREF 100 (RFC 4271 §5.1.2, §5.1.5)', () => {
    const { attributes } = decode(announce([flowRoute(1)], INTERNAL)[0], INTERNAL);
    assert.deepEqual(attributes.asPath, []);
    assert.equal(attributes.localPref, 100);
    assert.equal(decode(announce([flowRoute(1)])[0]).attributes.localPref, undefined);
  });

  it('to a 2-octet peer carries AS_TRANS and AS4_PATH for a 4-octet AS (RFC 6793 §4.2.2)', () => {
    const [message] = announce([flowRoute(1)], { ...EXTERNAL, localAsn: 4200000000, fourOctetAs: false });
    const hex = toHex(message ?? new Uint8Array());
    assert.ok(hex.includes('40020402015ba0'), 'AS_PATH 23456 in two octets');
    assert.ok(hex.includes('c011060201fa56ea00'), 'AS4_PATH 4200000000');
  });

  it('carries communities of every kind, and a next hop where the route has one', () => {
    const attributes = routeAttributes({
      communities: Uint8Array.of(0xfd, 0xf2, 2, 0x9a),
      extendedCommunities: DISCARD.extendedCommunities,
      ipv6ExtendedCommunities: new Uint8Array(20).fill(1),
      largeCommunities: new Uint8Array(12).fill(2),
      nextHop: Uint8Array.of(192, 0, 2, 99),
    });
    const update = decode(announce([flowRoute(1, attributes)])[0]);
    assert.deepEqual(update.attributes.communities, attributes.communities);
    assert.deepEqual(update.attributes.extendedCommunities, attributes.extendedCommunities);
    assert.deepEqual(update.attributes.ipv6ExtendedCommunities, attributes.ipv6ExtendedCommunities);
    assert.deepEqual(update.attributes.largeCommunities, attributes.largeCommunities);
    assert.deepEqual(update.attributes.mpReach?.nextHop, attributes.nextHop);
  });
});

describe('a withdrawal', () => {
  it('is an MP_UNREACH_NLRI and nothing else, with the octets that were announced', () => {
    const { messages } = packUpdates({ announce: [], withdraw: [flowRoute(1)] }, EXTERNAL);
    assert.equal(
      toHex(messages[0] ?? new Uint8Array()),
      `${MARKER}00280200000011900f000d000185090120c6120001038111`,
    );
  });
});

describe('packing', () => {
  it('puts as many NLRI into a message of 4096 octets as fit, and loses none', () => {
    const routes = Array.from({ length: 1000 }, (_, n) => flowRoute(n));
    for (const extendedMessages of [false, true]) {
      const context = { ...EXTERNAL, extendedMessages };
      const messages = announce(routes, context);
      const nlri = messages.map((message) =>
        toHex(decode(message, context).attributes.mpReach?.nlri ?? new Uint8Array()),
      );
      assert.equal(nlri.join(''), routes.map((route) => toHex(route.nlri)).join(''));
      for (const message of messages) assert.ok(message.length <= 4096);
      // 10 octets each: none of the full messages had room for one more.
      for (const message of messages.slice(0, -1)) assert.ok(message.length > 4096 - 10);
    }
  });

  it('keeps routes of equal attributes together, and others apart', () => {
    const routes = [flowRoute(1), flowRoute(2, POLICE), flowRoute(3), flowRoute(4, DISCARD, FLOW6)];
    const updates = announce(routes).map((message) => decode(message).attributes);
    assert.deepEqual(
      updates.map(({ mpReach }) => [mpReach?.family.afi, mpReach?.nlri.length]),
      [
        [1, 20],
        [1, 10],
        [2, 10],
      ],
    );
    assert.deepEqual(updates[1]?.extendedCommunities, POLICE.extendedCommunities);
  });

  it('knows equal attributes by their octets, not by their object', () => {
    const twin = routeAttributes({ extendedCommunities: DISCARD.extendedCommunities.slice() });
    assert.equal(announce([flowRoute(1), flowRoute(2, twin), flowRoute(3)]).length, 1);
  });

  it('announces before it withdraws', () => {
    const { messages } = packUpdates({ announce: [flowRoute(2)], withdraw: [flowRoute(1)] }, EXTERNAL);
    assert.deepEqual(
      messages.map((message) => Object.keys(decode(message).attributes).includes('mpReach')),
      [true, false],
    );
  });

  it('hands back a route that is too long for any message, and packs the others', () => {
    const long = { ...flowRoute(1), nlri: new Uint8Array(4070) };
    const { messages, tooLong } = packUpdates(
      { announce: [flowRoute(2), long, flowRoute(3)], withdraw: [] },
      EXTERNAL,
    );
    assert.deepEqual(tooLong, [long]);
    const sent = messages.map((message) => decode(message).attributes.mpReach?.nlri.length ?? 0);
    assert.equal(
      sent.reduce((sum, length) => sum + length, 0),
      20,
    );
    const wide = packUpdates({ announce: [long], withdraw: [] }, { ...EXTERNAL, extendedMessages: true });
    assert.deepEqual(wide.tooLong, []);
    assert.equal(wide.messages.length, 1);
  });

  it('makes nothing of nothing', () => {
    assert.deepEqual(packUpdates({ announce: [], withdraw: [] }, EXTERNAL), {
      messages: [],
      tooLong: [],
      routesInLastMessage: 0,
    });
  });

  it('tells how many routes routesInLastMessage into a message that is not full', () => {
    const routesInLastMessage = (count: number): number => {
      const routes = Array.from({ length: count }, (_, n) => flowRoute(n));
      return packUpdates({ announce: routes, withdraw: [] }, EXTERNAL).routesInLastMessage;
    };
    // 4096 octets less the 56 around them hold 404 NLRI of 10 octets.
    assert.deepEqual([1, 404, 405, 1212].map(routesInLastMessage), [1, 0, 1, 0]);
  });
});

describe('changes of several families', () => {
  it('are packed with every announcement before every withdrawal, so that protection has no gap', () => {
    const hole = unicast('route 198.18.0.1/32 next-hop 192.0.2.1 community blackhole,no-export');
    const hole6 = unicast('route 2001:db8::1/128 next-hop 100::1 community blackhole,no-export');
    const { messages } = packUpdates({ announce: [hole6, hole], withdraw: [flowRoute(1)] }, EXTERNAL);
    assert.deepEqual(
      messages.map((message) => {
        const { attributes, nlri } = decode(message);
        const { mpReach, mpUnreach } = attributes;
        if (nlri.length > 0) return '+ IPv4 unicast';
        return mpReach ? `+ ${familyName(mpReach.family)}` : `- ${mpUnreach && familyName(mpUnreach.family)}`;
      }),
      ['+ ipv6-unicast', '+ IPv4 unicast', '- ipv4-flowspec'],
    );
  });
});
