import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMessage } from '../../../src/bgp/wire/message.ts';
import type { CodecContext, PathAttributes, UpdateMessage } from '../../../src/bgp/wire/types.ts';
import { EXTERNAL, INTERNAL, notificationOf, octets, TWO_OCTET, updateMessage } from './support.ts';

/** What IPv4 routes cannot do without, each as flags, type, length, value (RFC 4271 §4.3). */
const ORIGIN = '40 01 01 00';
const AS_PATH = '40 02 06 02 01 0000fde9';
const AS_PATH_2 = '40 02 04 02 01 fde9';
const NEXT_HOP = '40 03 04 c0000201';
const LOCAL_PREF = '40 05 04 00000064';
const NLRI = '18 cb0071';

const MANDATORY: PathAttributes = {
  origin: 0,
  asPath: [{ kind: 'sequence', asns: [65001] }],
  nextHop: octets('c0000201'),
};

function decode(attributesHex: string, context: CodecContext): UpdateMessage {
  const decoded = decodeMessage(updateMessage(attributesHex, NLRI), context);
  assert.equal(decoded.type, 'update');
  return decoded as UpdateMessage;
}

/** An IPv4 route with the mandatory attributes and one more. */
function withMandatory(attributeHex: string, context: CodecContext): string {
  const asPath = context.fourOctetAs ? AS_PATH : AS_PATH_2;
  return `${ORIGIN} ${asPath} ${NEXT_HOP} ${context.internal ? LOCAL_PREF : ''} ${attributeHex}`;
}

describe('an attribute that is well-formed', () => {
  const VALUES: readonly (readonly [
    what: string,
    hex: string,
    value: Partial<PathAttributes>,
    context?: CodecContext,
  ])[] = [
    ['MULTI_EXIT_DISC', '80 04 04 00000064', { multiExitDisc: 100 }],
    ['MULTI_EXIT_DISC, the highest', '80 04 04 ffffffff', { multiExitDisc: 4294967295 }],
    ['ATOMIC_AGGREGATE', '40 06 00', { atomicAggregate: true }],
    [
      'AGGREGATOR',
      'c0 07 08 fa56ea00 c0000202',
      { aggregator: { asn: 4200000000, address: octets('c0000202') } },
    ],
    [
      'AGGREGATOR of a 2-octet peer',
      'c0 07 06 fde9 c0000202',
      { aggregator: { asn: 65001, address: octets('c0000202') } },
      TWO_OCTET,
    ],
    ['COMMUNITIES (RFC 1997)', 'c0 08 08 fdf2029a ffffff01', { communities: octets('fdf2029affffff01') }],
    ['COMMUNITIES with the Partial bit', 'e0 08 04 fdf2029a', { communities: octets('fdf2029a') }],
    ['COMMUNITIES with a long length field', 'd0 08 0004 fdf2029a', { communities: octets('fdf2029a') }],
    [
      'COMMUNITIES with unused flags set (RFC 4271 §4.3)',
      'cf 08 04 fdf2029a',
      { communities: octets('fdf2029a') },
    ],
    ['ORIGINATOR_ID (RFC 4456)', '80 09 04 c0000203', { originatorId: octets('c0000203') }, INTERNAL],
    [
      'CLUSTER_LIST (RFC 4456)',
      '80 0a 08 c0000204 c0000205',
      { clusterList: octets('c0000204c0000205') },
      INTERNAL,
    ],
    [
      'EXTENDED_COMMUNITIES (RFC 4360)',
      'c0 10 08 8006000047435000',
      { extendedCommunities: octets('8006000047435000') },
    ],
    [
      'IPv6 EXTENDED_COMMUNITIES (RFC 5701)',
      'c0 19 14 000c 20010db8000000000000000000000001 0000',
      { ipv6ExtendedCommunities: octets('000c20010db80000000000000000000000010000') },
    ],
    [
      'LARGE_COMMUNITY (RFC 8092)',
      'c0 20 0c 0000fdf20000000100000002',
      { largeCommunities: octets('0000fdf20000000100000002') },
    ],
    [
      'LARGE_COMMUNITY with a repetition, which is silently removed (RFC 8092 §3)',
      'c0 20 24 0000fdf20000000100000002 000000000000000000000000 0000fdf20000000100000002',
      { largeCommunities: octets('0000fdf20000000100000002 000000000000000000000000') },
    ],
    [
      'MP_UNREACH_NLRI',
      '80 0f 07 0001 85 03 038106',
      { mpUnreach: { family: { afi: 1, safi: 133 }, nlri: octets('03038106') } },
    ],
    [
      'MP_REACH_NLRI',
      '80 0e 09 0001 85 00 00 03 038106',
      { mpReach: { family: { afi: 1, safi: 133 }, nextHop: octets(''), nlri: octets('03038106') } },
    ],
    [
      'attributes not known here',
      'c0 63 02 abcd  80 fe 00',
      {
        unknown: [
          { flags: 0xc0, type: 99, value: octets('abcd') },
          { flags: 0x80, type: 254, value: octets('') },
        ],
      },
    ],
    [
      'AS4_PATH of a 2-octet peer (RFC 6793 §4.2.3)',
      'c0 11 06 02 01 fa56ea00',
      { asPath: [{ kind: 'sequence', asns: [4200000000] }] },
      TWO_OCTET,
    ],
    [
      'AS4_PATH with a confederation, which is removed (RFC 6793 §6)',
      'c0 11 0c 03 01 0000fdea 02 01 fa56ea00',
      { asPath: [{ kind: 'sequence', asns: [4200000000] }] },
      TWO_OCTET,
    ],
    [
      'AS4_AGGREGATOR behind AS_TRANS (RFC 6793 §4.2.3)',
      'c0 07 06 5ba0 c0000202  c0 12 08 fa56ea00 c0000206',
      { aggregator: { asn: 4200000000, address: octets('c0000206') } },
      TWO_OCTET,
    ],
    [
      'AS4_AGGREGATOR behind an AS number of two octets, which makes all AS4 attributes stale (RFC 6793 §4.2.3)',
      'c0 07 06 fde9 c0000202  c0 11 06 02 01 fa56ea00  c0 12 08 fa56ea00 c0000206',
      { aggregator: { asn: 65001, address: octets('c0000202') } },
      TWO_OCTET,
    ],
  ];
  for (const [what, hex, value, context = EXTERNAL] of VALUES) {
    it(`${what}: ${hex}`, () => {
      const { attributes, problems } = decode(withMandatory(hex, context), context);
      const internal = context.internal ? { localPref: 100 } : {};
      assert.deepEqual(attributes, { ...MANDATORY, ...internal, ...value });
      assert.deepEqual(problems, []);
    });
  }

  it('stands wherever the peer puts it', () => {
    const { attributes, problems } = decode(`${NEXT_HOP} ${AS_PATH} c0 08 04 fdf2029a ${ORIGIN}`, EXTERNAL);
    assert.deepEqual(attributes, { ...MANDATORY, communities: octets('fdf2029a') });
    assert.deepEqual(problems, []);
  });
});

describe('an attribute that is malformed (RFC 7606)', () => {
  type Case = readonly [source: string, what: string, hex: string, attribute: number, context?: CodecContext];

  const AS_WITHDRAW: readonly Case[] = [
    ['§3.c', 'MULTI_EXIT_DISC flagged transitive', 'c0 04 04 00000064', 4],
    ['§3.c', 'COMMUNITIES flagged well-known', '40 08 04 fdf2029a', 8],
    ['§3.c', 'EXTENDED_COMMUNITIES flagged non-transitive', '80 10 08 8006000047435000', 16],
    ['§3.c', 'LOCAL_PREF flagged optional, internal', '80 05 04 00000064', 5, INTERNAL],
    ['§3.c', 'AS4_PATH flagged non-transitive, 2-octet', '80 11 06 02 01 fa56ea00', 17, TWO_OCTET],
    ['§7.4', 'MULTI_EXIT_DISC of 3 octets', '80 04 03 000064', 4],
    ['§7.5', 'LOCAL_PREF of 5 octets, internal', '40 05 05 0000006400', 5, INTERNAL],
    ['§7.8', 'COMMUNITIES of 0 octets', 'c0 08 00', 8],
    ['§7.8', 'COMMUNITIES of 5 octets', 'c0 08 05 fdf2029a00', 8],
    ['§7.9', 'ORIGINATOR_ID of 3 octets, internal', '80 09 03 c00002', 9, INTERNAL],
    ['§7.10', 'CLUSTER_LIST of 0 octets, internal', '80 0a 00', 10, INTERNAL],
    ['§7.10', 'CLUSTER_LIST of 6 octets, internal', '80 0a 06 c00002040000', 10, INTERNAL],
    ['§7.14', 'EXTENDED_COMMUNITIES of 0 octets', 'c0 10 00', 16],
    ['§7.14', 'EXTENDED_COMMUNITIES of 7 octets', 'c0 10 07 80060000474350', 16],
    ['§7.15', 'IPv6 EXTENDED_COMMUNITIES of 8 octets', 'c0 19 08 000c20010db80000', 25],
    ['RFC 8092 §6', 'LARGE_COMMUNITY of 8 octets', 'c0 20 08 0000fdf200000001', 32],
    ['RFC 8092 §6', 'LARGE_COMMUNITY of 0 octets', 'c0 20 00', 32],
    ['§4', 'an attribute that the attributes cut off', 'c0 08 08 fdf2029a', 8],
    ['§4', 'two octets where an attribute should begin', 'c0 08', 8],
    ['§4', 'one octet where an attribute should begin', 'c0', 0],
    ['§4', 'three octets where an attribute with a long length should begin', 'd0 63 00', 99],
  ];
  const DISCARDED: readonly Case[] = [
    ['§3.f', 'ATOMIC_AGGREGATE flagged optional', 'c0 06 00', 6],
    ['§3.f', 'AGGREGATOR flagged non-transitive', '80 07 08 0000fde9 c0000202', 7],
    ['§3.g', 'COMMUNITIES a second time', 'c0 08 04 fdf2029a c0 08 04 fdf2029b', 8],
    ['§3.g', 'an unknown attribute a second and a third time', 'c0 63 00 c0 63 00 c0 63 00', 99],
    ['§3.g', 'ORIGIN a second time, and malformed', '40 01 01 09', 1],
    ['§7.5', 'LOCAL_PREF from an external peer', '40 05 04 00000064', 5],
    ['§7.5', 'LOCAL_PREF from an external peer, malformed', '80 05 01 00', 5],
    ['§7.6', 'ATOMIC_AGGREGATE of 1 octet', '40 06 01 00', 6],
    ['§7.7', 'AGGREGATOR of 6 octets', 'c0 07 06 fde9 c0000202', 7],
    ['§7.7', 'AGGREGATOR of 8 octets, 2-octet', 'c0 07 08 0000fde9 c0000202', 7, TWO_OCTET],
    ['RFC 7607 §2', 'AGGREGATOR with AS number 0', 'c0 07 08 00000000 c0000202', 7],
    ['§7.9', 'ORIGINATOR_ID from an external peer', '80 09 04 c0000203', 9],
    ['§7.10', 'CLUSTER_LIST from an external peer', '80 0a 04 c0000204', 10],
    ['RFC 6793 §4.1', 'AS4_PATH from a 4-octet peer', 'c0 11 06 02 01 fa56ea00', 17],
    ['RFC 6793 §4.1', 'AS4_AGGREGATOR from a 4-octet peer', 'c0 12 08 fa56ea00 c0000206', 18],
    ['RFC 6793 §6', 'AS4_PATH of 0 octets, 2-octet', 'c0 11 00', 17, TWO_OCTET],
    ['RFC 6793 §6', 'AS4_PATH that is cut off, 2-octet', 'c0 11 04 02 01 fa56', 17, TWO_OCTET],
    [
      'RFC 6793 §6',
      'AS4_PATH with AS number 0, 2-octet (RFC 7607 §2)',
      'c0 11 06 02 01 00000000',
      17,
      TWO_OCTET,
    ],
    ['RFC 6793 §6', 'AS4_AGGREGATOR of 6 octets, 2-octet', 'c0 12 06 fa56 c0000206', 18, TWO_OCTET],
  ];
  for (const [treatment, cases] of [
    ['treat-as-withdraw', AS_WITHDRAW],
    ['attribute-discard', DISCARDED],
  ] as const) {
    for (const [source, what, hex, attribute, context = EXTERNAL] of cases) {
      it(`${what} is ${treatment} (${source})`, () => {
        const isLocalPref = attribute === 5 && context.internal;
        const before = withMandatory('', context).replace(isLocalPref ? LOCAL_PREF : 'nothing', '');
        const { problems } = decode(`${before} ${hex}`, context);
        assert.deepEqual(
          problems.map((problem) => [problem.attribute, problem.treatment]),
          [[attribute, treatment]],
        );
      });
    }
  }

  /** The mandatory ones, each in place of the right one. */
  for (const [source, what, attributesHex, attribute] of [
    ['§3.c', 'ORIGIN flagged optional', `80 01 01 00 ${AS_PATH} ${NEXT_HOP}`, 1],
    ['§7.1', 'ORIGIN of 2 octets', `40 01 02 0000 ${AS_PATH} ${NEXT_HOP}`, 1],
    ['§7.1', 'ORIGIN 3', `40 01 01 03 ${AS_PATH} ${NEXT_HOP}`, 1],
    ['§4', 'ORIGIN of 0 octets', `40 01 00 ${AS_PATH} ${NEXT_HOP}`, 1],
    ['§7.2', 'AS_PATH with an unknown segment', `${ORIGIN} 40 02 06 07 01 0000fde9 ${NEXT_HOP}`, 2],
    ['§7.2', 'AS_PATH that overruns', `${ORIGIN} 40 02 06 02 02 0000fde9 ${NEXT_HOP}`, 2],
    ['RFC 7607 §2', 'AS_PATH with AS number 0', `${ORIGIN} 40 02 06 02 01 00000000 ${NEXT_HOP}`, 2],
    ['§3.c', 'AS_PATH flagged optional', `${ORIGIN} c0 02 06 02 01 0000fde9 ${NEXT_HOP}`, 2],
    ['§7.3', 'NEXT_HOP of 16 octets', `${ORIGIN} ${AS_PATH} 40 03 10 ${'00'.repeat(16)}`, 3],
    ['§7.3', 'NEXT_HOP of 0 octets', `${ORIGIN} ${AS_PATH} 40 03 00`, 3],
  ] as const) {
    it(`${what} is treat-as-withdraw (${source}), and not missing besides`, () => {
      const { problems } = decode(attributesHex, EXTERNAL);
      assert.deepEqual(
        problems.map((problem) => [problem.attribute, problem.treatment]),
        [[attribute, 'treat-as-withdraw']],
      );
    });
  }

  it('keeps the first of two (§3.g)', () => {
    const { attributes } = decode(withMandatory('c0 08 04 fdf2029a c0 08 04 fdf2029b', EXTERNAL), EXTERNAL);
    assert.deepEqual(attributes.communities, octets('fdf2029a'));
  });

  describe('AS_PATH with segments of a confederation (RFC 5065 §5)', () => {
    const withPath = (segmentsHex: string): string => `${ORIGIN} 40 02 0c ${segmentsHex} ${NEXT_HOP}`;
    const leading = withPath('03 01 0000fdea 02 01 0000fde9');

    it('is taken as it is from an internal peer, and from one that may be in our confederation', () => {
      for (const context of [INTERNAL, { ...EXTERNAL, confederation: true }]) {
        assert.deepEqual(decode(leading, context).attributes.asPath, [
          { kind: 'confed-sequence', asns: [65002] },
          { kind: 'sequence', asns: [65001] },
        ]);
      }
    });

    for (const [what, hex] of [
      ['AS_CONFED_SEQUENCE in front', leading],
      ['AS_CONFED_SET in front', withPath('04 01 0000fdea 02 01 0000fde9')],
      ['AS_CONFED_SEQUENCE at the end', withPath('02 01 0000fde9 03 01 0000fdea')],
    ] as const) {
      it(`is malformed from an external peer: ${what}`, () => {
        const { attributes, problems } = decode(hex, EXTERNAL);
        assert.equal(attributes.asPath, undefined);
        assert.deepEqual(
          problems.map(({ attribute, treatment }) => [attribute, treatment]),
          [[2, 'treat-as-withdraw']],
        );
      });
    }
  });

  it('says in words what is wrong, and where', () => {
    const [problem] = decode(withMandatory('c0 08 05 fdf2029a00', EXTERNAL), EXTERNAL).problems;
    assert.equal(problem?.reason, 'COMMUNITIES: 5 octets are not a list of 4-octet elements');
  });
});

describe('an attribute that leaves only a reset (RFC 7606 §3.j)', () => {
  const REACH = '80 0e 09 0001 85 00 00 03 038106';
  const RESETS: readonly (readonly [source: string, what: string, hex: string, error: string])[] = [
    ['§3.g', 'MP_REACH_NLRI twice', `${REACH} ${REACH}`, '3/1'],
    ['§3.g', 'MP_UNREACH_NLRI twice', '80 0f 03 0001 85 80 0f 03 0002 85', '3/1'],
    ['§5.3', 'MP_REACH_NLRI flagged transitive', 'c0 0e 05 0001 85 00 00', '3/4 c00e050001850000'],
    ['§5.3', 'MP_UNREACH_NLRI flagged well-known', '40 0f 03 0001 85', '3/4 400f03000185'],
    ['§5.3', 'MP_REACH_NLRI of 4 octets', '80 0e 04 0001 85 00', '3/9 800e0400018500'],
    ['§5.3', 'MP_UNREACH_NLRI of 2 octets', '80 0f 02 0001', '3/9 800f020001'],
    ['§7.11', 'MP_REACH_NLRI whose next hop overruns', '80 0e 05 0001 85 08 00', '3/9 800e050001850800'],
    ['§5.3', 'MP_UNREACH_NLRI with an IPv4 prefix of 33', '80 0f 04 0001 01 21', '3/9 800f0400010121'],
    ['§3.j', 'MP_REACH_NLRI that the attributes cut off', '80 0e 09 0001 85', '3/1 800e09000185'],
    ['RFC 4271 §6.3', 'an unknown attribute that says it is well-known', '40 63 01 00', '3/2 40630100'],
  ];
  for (const [source, what, hex, error] of RESETS) {
    it(`${what} is ${error.slice(0, 3)} (${source})`, () => {
      assert.equal(
        notificationOf(() => decode(withMandatory(hex, EXTERNAL), EXTERNAL)),
        error,
      );
    });
  }
});
