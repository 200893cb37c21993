import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeMessage } from '../../../src/bgp/wire/message.ts';
import type { CodecContext, PathAttributes } from '../../../src/bgp/wire/types.ts';
import { makeUpdate } from '../../../src/bgp/wire/update.ts';
import { toHex } from '../../../src/net/bytes.ts';
import { EXTERNAL, INTERNAL, octets, TWO_OCTET, updateMessage } from './support.ts';

const encoded = (attributes: PathAttributes, context: CodecContext): string =>
  toHex(encodeMessage(makeUpdate({ attributes }), context));

/** Every attribute at once. */
const ALL: PathAttributes = {
  origin: 2,
  asPath: [{ kind: 'sequence', asns: [65001, 4200000000] }],
  nextHop: octets('c0000201'),
  multiExitDisc: 7,
  localPref: 100,
  atomicAggregate: true,
  aggregator: { asn: 4200000000, address: octets('c0000202') },
  communities: octets('fdf2029a'),
  originatorId: octets('c0000203'),
  clusterList: octets('c0000204'),
  extendedCommunities: octets('8006000047435000'),
  ipv6ExtendedCommunities: octets('000c20010db80000000000000000000000010000'),
  largeCommunities: octets('0000fdf20000000100000002'),
  mpReach: { family: { afi: 1, safi: 133 }, nextHop: octets(''), nlri: octets('03038106') },
  mpUnreach: { family: { afi: 2, safi: 133 }, nlri: octets('03038111') },
  unknown: [
    { flags: 0xe0, type: 99, value: octets('abcd') },
    { flags: 0xd0, type: 23, value: octets('ef') },
  ],
};

/** RFC 7606 §5.1 puts these first. */
const MP = '80 0e 09 0001 85 00 00 03 038106  80 0f 07 0002 85 03 038111';
const TO_10 = '40 06 00 c0 07 08 fa56ea00 c0000202 c0 08 04 fdf2029a';
const FROM_16 = 'c0 10 08 8006000047435000';
const FROM_23 = `d0 17 0001 ef  c0 19 14 000c20010db80000000000000000000000010000
  c0 20 0c 0000fdf20000000100000002  e0 63 02 abcd`;

describe('attributes as they are written', () => {
  it('MP_REACH_NLRI and MP_UNREACH_NLRI first, the others by type, with their flags', () => {
    const path = '40 01 01 02 40 02 0a 02 02 0000fde9 fa56ea00 40 03 04 c0000201 80 04 04 00000007';
    assert.equal(
      encoded(ALL, INTERNAL),
      toHex(
        updateMessage(
          `${MP} ${path} 40 05 04 00000064 ${TO_10} 80 09 04 c0000203 80 0a 04 c0000204 ${FROM_16} ${FROM_23}`,
        ),
      ),
    );
  });

  it('without those of internal sessions where the peer is external (RFC 4271 §5.1.5, RFC 4456 §8)', () => {
    const path = '40 01 01 02 40 02 0a 02 02 0000fde9 fa56ea00 40 03 04 c0000201 80 04 04 00000007';
    assert.equal(
      encoded(ALL, EXTERNAL),
      toHex(updateMessage(`${MP} ${path} ${TO_10} ${FROM_16} ${FROM_23}`)),
    );
  });

  it('with AS_TRANS, AS4_PATH and AS4_AGGREGATOR for a 2-octet peer (RFC 6793 §4.2.2)', () => {
    const path = '40 01 01 02 40 02 06 02 02 fde9 5ba0 40 03 04 c0000201 80 04 04 00000007';
    const to10 = '40 06 00 c0 07 06 5ba0 c0000202 c0 08 04 fdf2029a';
    const as4 = 'c0 11 0a 02 02 0000fde9 fa56ea00 c0 12 08 fa56ea00 c0000202';
    assert.equal(
      encoded(ALL, TWO_OCTET),
      toHex(updateMessage(`${MP} ${path} ${to10} ${FROM_16} ${as4} ${FROM_23}`)),
    );
  });

  it('without AS4_PATH where two octets do, and without a confederation in it', () => {
    assert.equal(
      encoded({ asPath: [{ kind: 'sequence', asns: [65535] }] }, TWO_OCTET),
      toHex(updateMessage('40 02 04 02 01 ffff')),
    );
    const confederation = { kind: 'confed-sequence', asns: [70000] } as const;
    assert.equal(
      encoded({ asPath: [confederation, { kind: 'sequence', asns: [70001] }] }, TWO_OCTET),
      toHex(updateMessage('40 02 08 03 01 5ba0 02 01 5ba0 c0 11 06 02 01 00011171')),
    );
    assert.equal(
      encoded({ asPath: [confederation] }, TWO_OCTET),
      toHex(updateMessage('40 02 04 03 01 5ba0')),
    );
  });

  it('with a length of two octets only from 256 on', () => {
    assert.equal(
      encoded({ communities: new Uint8Array(252) }, EXTERNAL),
      toHex(updateMessage(`c0 08 fc ${'00'.repeat(252)}`)),
    );
    assert.equal(
      encoded({ communities: new Uint8Array(256) }, EXTERNAL),
      toHex(updateMessage(`d0 08 0100 ${'00'.repeat(256)}`)),
    );
  });

  it('with an empty AS_PATH, which internal peers are sent, and without empty lists (RFC 7606 §4)', () => {
    const empty = new Uint8Array(0);
    assert.equal(
      encoded(
        { asPath: [], communities: empty, extendedCommunities: empty, largeCommunities: empty },
        INTERNAL,
      ),
      toHex(updateMessage('40 02 00')),
    );
  });

  it('refuse what a peer would call malformed', () => {
    const refused: readonly PathAttributes[] = [
      { origin: 3 },
      { origin: -1 },
      { nextHop: octets('c00002') },
      { multiExitDisc: -1 },
      { communities: octets('fdf202') },
      { extendedCommunities: octets('80060000') },
      { ipv6ExtendedCommunities: octets('000c') },
      { largeCommunities: octets('0000fdf2') },
      { asPath: [{ kind: 'sequence', asns: [0] }] },
      { asPath: [{ kind: 'set', asns: [] }] },
      { aggregator: { asn: 0, address: octets('c0000202') } },
      { aggregator: { asn: 1, address: octets('c0') } },
      { unknown: [{ flags: 0xc0, type: 8, value: octets('') }] },
      { unknown: [{ flags: 0x40, type: 99, value: octets('') }] },
      { mpReach: { family: { afi: 65536, safi: 1 }, nextHop: octets(''), nlri: octets('') } },
      { mpReach: { family: { afi: 1, safi: 133 }, nextHop: new Uint8Array(256), nlri: octets('') } },
    ];
    for (const attributes of refused) assert.throws(() => encoded(attributes, EXTERNAL), RangeError);
  });

  it('refuse to exceed the message', () => {
    assert.throws(() => encoded({ communities: new Uint8Array(4096) }, EXTERNAL), RangeError);
    assert.equal(
      encoded({ communities: new Uint8Array(60000) }, { ...EXTERNAL, extendedMessages: true }).length,
      2 * 60027,
    );
  });
});
