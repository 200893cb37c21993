/**
 * Defines each capture's commands to the daemons, and the expected output. Commands are in the daemons' own languages;
 * rules and actions are written by hand from RFC 8955 and RFC 8956, not computed by this project's codec.
 */
import type { FamilyName } from '../src/bgp/wire/iana.ts';
import type { DaemonKind } from '../test/support/daemons/daemon.ts';
import {
  type BitmaskOpJson,
  between,
  type ComponentJson,
  compare,
  eq,
  type NumericOpJson,
  type NumericType,
} from '../test/support/rule-json.ts';
import type { ExpectedOpen, ExpectedRule, FixtureStep, WireFixture } from '../test/support/wire-fixture.ts';

/** Describes a step's commands to the running daemons. */
export type Deed =
  /** Runs `gobgp` on the sender with these words. */
  | { readonly do: 'gobgp'; readonly lines: readonly string[] }
  /** Gives bird the sender this list of static routes. */
  | { readonly do: 'bird'; readonly routes: readonly string[] }
  /** Writes lines to the API of exabgp the sender. */
  | { readonly do: 'exabgp'; readonly lines: readonly string[] }
  /** Has the receiver ask for the family again (bird: `reload in`). */
  | { readonly do: 'refresh' }
  /** Kills the sender and starts it again as after a crash. */
  | { readonly do: 'crash' };

export interface ScenarioStep extends Omit<FixtureStep, 'command'> {
  readonly deed: Deed;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  readonly sender: DaemonKind;
  readonly receiver: DaemonKind;
  readonly families: readonly FamilyName[];
  /** The side that connects; the other waits. */
  readonly dials: 'sender' | 'receiver';
  readonly over?: 'ipv6';
  readonly md5Password?: string;
  readonly graceful?: boolean;
  readonly steps: readonly ScenarioStep[];
  /** The side that closes the session, and its shutdown message. */
  readonly ends?: { readonly by: 'sender' | 'receiver'; readonly communication: string };
  readonly opens: readonly ExpectedOpen[];
  readonly endOfRib: readonly FamilyName[];
  readonly notifications: WireFixture['notifications'];
  readonly routeRefreshes: WireFixture['routeRefreshes'];
}

const DISCARD = '8006000000000000';
/** 125,000 bytes a second, that is 1 Mbit/s: 0x47f42400. */
const RATE_1M = '8006000047f42400';
/** 9,600 bytes a second: 0x46160000. */
const RATE_9600 = '8006000046160000';

const dst = (prefix: string): ComponentJson => ({ type: 1, prefix });
const src = (prefix: string): ComponentJson => ({ type: 2, prefix });
const num = (type: NumericType, ...ops: readonly NumericOpJson[]): ComponentJson => ({ type, ops });
const bits = (type: 9 | 12, ...ops: readonly BitmaskOpJson[]): ComponentJson => ({ type, ops });
const exactly = (value: number): BitmaskOpJson => ({ and: false, not: false, match: true, value });
const any = (value: number): BitmaskOpJson => ({ and: false, not: false, match: false, value });
const rule = (components: readonly ComponentJson[], ...actions: readonly string[]): ExpectedRule => ({
  components,
  ...(actions.length > 0 ? { actions } : {}),
});
const without = ({ actions: _, ...rest }: ExpectedRule): ExpectedRule => rest;
const LABEL_WIDTH = 'the flow label has 1 octet where RFC 8956 §3.7 asks for 4';

const step = (
  what: string,
  family: FamilyName,
  deed: Deed,
  announced: readonly ExpectedRule[],
  withdrawn: readonly ExpectedRule[] = [],
): ScenarioStep => ({ what, family, deed, announced, withdrawn });

/** destination, UDP, port 53: what prefixd itself says most. */
const simple4 = (action: string): ExpectedRule =>
  rule([dst('203.0.113.10/32'), num(3, eq(17)), num(5, eq(53))], action);
const simple6 = (action: string): ExpectedRule =>
  rule([dst('2001:db8::10/128'), num(3, eq(17)), num(5, eq(53))], action);

/** Every component of RFC 8955 in one rule; `sport` differs because frr resets on `!=`. */
const full4 = (sport: NumericOpJson, action: string): ExpectedRule =>
  rule(
    [
      dst('203.0.113.11/32'),
      src('198.51.100.0/24'),
      num(3, eq(6)),
      num(4, eq(80), eq(443)),
      num(5, ...between(1024, 2048)),
      num(6, sport),
      num(7, eq(8)),
      num(8, eq(0)),
      bits(9, exactly(2)),
      num(10, compare('>', 100), compare('<', 1500, true)),
      num(11, eq(46)),
      bits(12, exactly(2)),
    ],
    action,
  );

/** BIRD says `fragment first_fragment` with the match bit, GoBGP without; both give the flow label one octet. */
const full6 = (action: string, by: 'gobgp' | 'bird'): ExpectedRule => ({
  ...rule(
    [
      dst('2001:db8::11/128'),
      src('2001:db8:1::/48'),
      num(3, eq(6)),
      num(5, ...between(1024, 2048), eq(53)),
      bits(9, exactly(0x12)),
      num(10, compare('>', 100), compare('<', 1500, true)),
      bits(12, by === 'bird' ? exactly(4) : any(4)),
      num(13, eq(100)),
    ],
    action,
  ),
  deviates: LABEL_WIDTH,
});

const GOBGP_SIMPLE4 = 'match destination 203.0.113.10/32 protocol ==udp destination-port ==53';
const GOBGP_SIMPLE6 = 'match destination 2001:db8::10/128 protocol ==udp destination-port ==53';
const gobgpFull4 = (sport: string): string =>
  `match destination 203.0.113.11/32 source 198.51.100.0/24 protocol ==tcp port ==80 ==443 destination-port >=1024&<=2048 source-port ${sport} icmp-type ==8 icmp-code ==0 tcp-flags =S packet-length >100&<1500 dscp ==46 fragment =is-fragment`;
const GOBGP_FULL6 =
  'match destination 2001:db8::11/128 source 2001:db8:1::/48 protocol ==tcp destination-port >=1024&<=2048 ==53 tcp-flags =SA packet-length >100&<1500 fragment first-fragment label ==100';

const gobgp = (family: FamilyName, ...lines: readonly string[]): Deed => ({
  do: 'gobgp',
  lines: lines.map((line) => `global rib ${line.slice(0, 3)} -a ${family} ${line.slice(4)}`),
});

/** GoBGP announces, replaces, is asked again (when the receiver is bird), withdraws. */
function gobgpSteps(
  family: 'ipv4-flowspec' | 'ipv6-flowspec',
  receiver: 'bird' | 'frr',
): readonly ScenarioStep[] {
  const four = family === 'ipv4-flowspec';
  const sport = receiver === 'frr' ? '==22' : '!=22';
  const simple = four ? GOBGP_SIMPLE4 : GOBGP_SIMPLE6;
  const full = four ? gobgpFull4(sport) : GOBGP_FULL6;
  const simpleRule = four ? simple4 : simple6;
  const fullRule = four
    ? full4(receiver === 'frr' ? eq(22) : compare('!=', 22), RATE_1M)
    : full6(RATE_1M, 'gobgp');
  const other = four ? '203.0.113.12/32' : '2001:db8::12/128';
  const marked = rule(
    [dst(other), num(3, eq(1))],
    // traffic-action with sample and terminal bits, traffic-marking with DSCP 46 (RFC 8955 §7.3, §7.5)
    '8007000000000003',
    '800900000000002e',
  );
  const steps = [
    step('announce', family, gobgp(family, `add ${simple} then discard`), [simpleRule(DISCARD)]),
    step('announce many components', family, gobgp(family, `add ${full} then rate-limit 125000`), [fullRule]),
    step(
      'announce with marking and sampling',
      family,
      gobgp(family, `add match destination ${other} protocol ==icmp then action sample-terminal mark 46`),
      [marked],
    ),
    step('replace', family, gobgp(family, `add ${simple} then rate-limit 9600`), [simpleRule(RATE_9600)]),
  ];
  if (receiver === 'bird') {
    steps.push(
      step('answer a route refresh', family, { do: 'refresh' }, [simpleRule(RATE_9600), fullRule, marked]),
    );
  }
  steps.push(
    step('withdraw', family, gobgp(family, `del ${full} then rate-limit 125000`), [], [without(fullRule)]),
    step(
      'withdraw the replaced rule',
      family,
      gobgp(family, `del ${simple} then rate-limit 9600`),
      [],
      [without(simpleRule(DISCARD))],
    ),
  );
  return steps;
}

function gobgpScenario(family: 'ipv4-flowspec' | 'ipv6-flowspec', receiver: 'bird' | 'frr'): Scenario {
  const communication = receiver === 'frr' ? 'frr is going away' : 'gobgp is going away';
  const by = receiver === 'frr' ? 'receiver' : 'sender';
  return {
    name: `gobgp-${receiver}-${family.slice(0, 4)}`,
    title: `GoBGP originates ${family} rules, ${receiver} takes them`,
    sender: 'gobgp',
    receiver,
    families: [family],
    dials: 'receiver',
    steps: gobgpSteps(family, receiver),
    ends: { by, communication },
    opens: [{ families: [family], holdTime: 30 }],
    endOfRib: [family],
    notifications: [{ from: by, code: 6, subcode: 2, communication }],
    routeRefreshes: receiver === 'bird' ? [{ from: 'receiver', family, subtype: 0 }] : [],
  };
}

const BIRD_DISCARD = '{ bgp_ext_community.add((generic, 0x80060000, 0x0)); }';
const BIRD_RATE_1M = '{ bgp_ext_community.add((generic, 0x80060000, 0x47f42400)); }';
const BIRD_SIMPLE4 = 'route flow4 { dst 203.0.113.10/32; proto = 17; dport = 53; }';
const BIRD_SIMPLE6 = 'route flow6 { dst 2001:db8::10/128; next header = 17; dport = 53; }';
const BIRD_FULL4 =
  'route flow4 { dst 203.0.113.11/32; src 198.51.100.0/24; proto = 6; port = 80 || = 443; dport 1024..2048; sport != 22; icmp type = 8; icmp code = 0; tcp flags 0x02/0x02; length > 100 && < 1500; dscp = 46; fragment is_fragment; }';
const BIRD_FULL6 =
  'route flow6 { dst 2001:db8::11/128; src 2001:db8:1::/48; next header = 6; dport 1024..2048 || = 53; tcp flags 0x12/0x12; length > 100 && < 1500; fragment first_fragment; label = 100; }';

/** Forty ports that need two octets each: 3 * 40 octets and more make the length two octets (RFC 8955 §4.1). */
const LONG_PORTS = Array.from({ length: 80 }, (_, i) => 1000 + 7 * i);
const BIRD_LONG_PORTS = LONG_PORTS.map((port) => `= ${port}`).join(' || ');
const long4 = rule([dst('203.0.113.13/32'), num(3, eq(17)), num(5, ...LONG_PORTS.map(eq))], DISCARD);
const long6 = rule([dst('2001:db8::13/128'), num(3, eq(17)), num(5, ...LONG_PORTS.map(eq))], DISCARD);
const BIRD_LONG4 = `route flow4 { dst 203.0.113.13/32; proto = 17; dport ${BIRD_LONG_PORTS}; } ${BIRD_DISCARD};`;
const BIRD_LONG6 = `route flow6 { dst 2001:db8::13/128; next header = 17; dport ${BIRD_LONG_PORTS}; } ${BIRD_DISCARD};`;

const bird = (...routes: readonly string[]): Deed => ({ do: 'bird', routes });
const FLOWSPEC = ['ipv4-flowspec', 'ipv6-flowspec'] as const;

const EXA_SIMPLE4 =
  'flow route { match { destination 203.0.113.10/32; protocol udp; destination-port =53; } then';
const EXA_SIMPLE6 =
  'flow route { match { destination 2001:db8::10/128; next-header udp; destination-port =53; } then';
const EXA_RANGES4 =
  'flow route { match { destination 203.0.113.14/32; protocol [ udp tcp ]; destination-port [ =80 >1024&<2048 ]; } then';
const ranges4 = (action: string): ExpectedRule =>
  rule(
    [
      dst('203.0.113.14/32'),
      num(3, eq(17), eq(6)),
      num(5, eq(80), compare('>', 1024), compare('<', 2048, true)),
    ],
    action,
  );

const exabgp = (...lines: readonly string[]): Deed => ({ do: 'exabgp', lines });

function exabgpSteps(): readonly ScenarioStep[] {
  return [
    step('announce', 'ipv4-flowspec', exabgp(`announce ${EXA_SIMPLE4} { discard; } }`), [simple4(DISCARD)]),
    step('announce', 'ipv6-flowspec', exabgp(`announce ${EXA_SIMPLE6} { discard; } }`), [simple6(DISCARD)]),
    step('announce ranges', 'ipv4-flowspec', exabgp(`announce ${EXA_RANGES4} { rate-limit 9600; } }`), [
      ranges4(RATE_9600),
    ]),
    step('replace', 'ipv4-flowspec', exabgp(`announce ${EXA_SIMPLE4} { rate-limit 9600; } }`), [
      simple4(RATE_9600),
    ]),
    step(
      'withdraw',
      'ipv4-flowspec',
      exabgp(`withdraw ${EXA_SIMPLE4} { rate-limit 9600; } }`),
      [],
      [without(simple4(DISCARD))],
    ),
    step(
      'withdraw',
      'ipv6-flowspec',
      exabgp(`withdraw ${EXA_SIMPLE6} { discard; } }`),
      [],
      [without(simple6(DISCARD))],
    ),
  ];
}

const OPEN_BOTH: ExpectedOpen = { families: FLOWSPEC, holdTime: 30 };

export const SCENARIOS: readonly Scenario[] = [
  gobgpScenario('ipv4-flowspec', 'bird'),
  gobgpScenario('ipv6-flowspec', 'bird'),
  gobgpScenario('ipv4-flowspec', 'frr'),
  gobgpScenario('ipv6-flowspec', 'frr'),
  {
    name: 'bird-gobgp',
    title: 'BIRD originates rules of both families, GoBGP takes them',
    sender: 'bird',
    receiver: 'gobgp',
    families: FLOWSPEC,
    dials: 'sender',
    steps: [
      step('announce', 'ipv4-flowspec', bird(`${BIRD_SIMPLE4} ${BIRD_DISCARD};`), [simple4(DISCARD)]),
      step(
        'announce many components',
        'ipv4-flowspec',
        bird(`${BIRD_SIMPLE4} ${BIRD_DISCARD};`, `${BIRD_FULL4} ${BIRD_RATE_1M};`),
        [full4(compare('!=', 22), RATE_1M)],
      ),
      step(
        'announce many components',
        'ipv6-flowspec',
        bird(
          `${BIRD_SIMPLE4} ${BIRD_DISCARD};`,
          `${BIRD_FULL4} ${BIRD_RATE_1M};`,
          `${BIRD_FULL6} ${BIRD_RATE_1M};`,
        ),
        [full6(RATE_1M, 'bird')],
      ),
      step(
        'replace',
        'ipv4-flowspec',
        bird(
          `${BIRD_SIMPLE4} ${BIRD_RATE_1M};`,
          `${BIRD_FULL4} ${BIRD_RATE_1M};`,
          `${BIRD_FULL6} ${BIRD_RATE_1M};`,
        ),
        [simple4(RATE_1M)],
      ),
      step(
        'withdraw',
        'ipv4-flowspec',
        bird(`${BIRD_SIMPLE4} ${BIRD_RATE_1M};`, `${BIRD_FULL6} ${BIRD_RATE_1M};`),
        [],
        [without(full4(compare('!=', 22), RATE_1M))],
      ),
      step(
        'withdraw',
        'ipv6-flowspec',
        bird(`${BIRD_SIMPLE4} ${BIRD_RATE_1M};`),
        [],
        [without(full6(RATE_1M, 'bird'))],
      ),
    ],
    ends: { by: 'sender', communication: 'bird is going away' },
    opens: [OPEN_BOTH],
    endOfRib: FLOWSPEC,
    notifications: [{ from: 'sender', code: 6, subcode: 2, communication: 'bird is going away' }],
    routeRefreshes: [],
  },
  {
    name: 'bird-bird-long',
    title: 'BIRD originates NLRI of more than 240 octets, whose length takes two octets, to another BIRD',
    sender: 'bird',
    receiver: 'bird',
    families: FLOWSPEC,
    dials: 'sender',
    steps: [
      step('announce', 'ipv4-flowspec', bird(BIRD_LONG4), [long4]),
      step('announce', 'ipv6-flowspec', bird(BIRD_LONG4, BIRD_LONG6), [long6]),
      step('withdraw', 'ipv4-flowspec', bird(BIRD_LONG6), [], [without(long4)]),
      step('withdraw', 'ipv6-flowspec', bird(), [], [without(long6)]),
    ],
    opens: [OPEN_BOTH],
    endOfRib: FLOWSPEC,
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'exabgp-gobgp',
    title: 'ExaBGP originates rules of both families over IPv6, GoBGP takes them',
    sender: 'exabgp',
    receiver: 'gobgp',
    families: FLOWSPEC,
    dials: 'sender',
    over: 'ipv6',
    steps: exabgpSteps(),
    opens: [OPEN_BOTH],
    endOfRib: FLOWSPEC,
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'exabgp-bird',
    title: 'ExaBGP originates rules of both families, BIRD takes them',
    sender: 'exabgp',
    receiver: 'bird',
    families: FLOWSPEC,
    dials: 'sender',
    steps: exabgpSteps(),
    opens: [OPEN_BOTH],
    endOfRib: FLOWSPEC,
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'bird-gobgp-md5',
    title: 'The segments carry TCP MD5 signatures',
    sender: 'bird',
    receiver: 'gobgp',
    families: FLOWSPEC,
    dials: 'sender',
    md5Password: 'a shared key',
    steps: [step('announce', 'ipv4-flowspec', bird(`${BIRD_SIMPLE4} ${BIRD_DISCARD};`), [simple4(DISCARD)])],
    opens: [OPEN_BOTH],
    endOfRib: FLOWSPEC,
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'bird-gobgp-graceful-restart',
    title: 'BIRD is killed and comes back; GoBGP keeps its rules meanwhile',
    sender: 'bird',
    receiver: 'gobgp',
    families: FLOWSPEC,
    dials: 'sender',
    graceful: true,
    steps: [
      step('announce', 'ipv4-flowspec', bird(`${BIRD_SIMPLE4} ${BIRD_DISCARD};`), [simple4(DISCARD)]),
      step(
        'announce',
        'ipv6-flowspec',
        bird(`${BIRD_SIMPLE4} ${BIRD_DISCARD};`, `${BIRD_SIMPLE6} ${BIRD_DISCARD};`),
        [simple6(DISCARD)],
      ),
      step('come back after a crash', 'ipv4-flowspec', { do: 'crash' }, [
        simple4(DISCARD),
        { ...simple6(DISCARD), family: 'ipv6-flowspec' },
      ]),
    ],
    opens: [
      { ...OPEN_BOTH, gracefulRestart: { restartTime: 60, restarting: false } },
      { ...OPEN_BOTH, gracefulRestart: { restartTime: 60, restarting: true } },
    ],
    endOfRib: FLOWSPEC,
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'exabgp-gobgp-vpn',
    title: 'ExaBGP originates a rule with a route distinguisher (SAFI 134), GoBGP takes it',
    sender: 'exabgp',
    receiver: 'gobgp',
    families: ['ipv4-flowspec-vpn'],
    dials: 'sender',
    steps: [
      step(
        'announce',
        'ipv4-flowspec-vpn',
        exabgp(
          'announce flow route { rd 65004:7; match { destination 203.0.113.10/32; protocol udp; destination-port =53; } then { discard; } }',
        ),
        // Type 0 (2-octet AS): 0000, AS 65004, number 7 (RFC 4364 §4.2)
        [{ ...simple4(DISCARD), rd: '0000fdec00000007' }],
      ),
      step(
        'withdraw',
        'ipv4-flowspec-vpn',
        exabgp(
          'withdraw flow route { rd 65004:7; match { destination 203.0.113.10/32; protocol udp; destination-port =53; } then { discard; } }',
        ),
        [],
        [{ ...without(simple4(DISCARD)), rd: '0000fdec00000007' }],
      ),
    ],
    opens: [{ families: ['ipv4-flowspec-vpn'], holdTime: 30 }],
    endOfRib: ['ipv4-flowspec-vpn'],
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'gobgp-bird-redirect',
    title: 'GoBGP originates rules with redirects to VRFs, BIRD takes them',
    sender: 'gobgp',
    receiver: 'bird',
    families: ['ipv4-flowspec'],
    dials: 'receiver',
    steps: [
      // RFC 8955 §7.4: type 0x80 and AS 65010, 0x81 and 192.0.2.9, 0x82 and AS 4200000000
      ...(
        [
          ['65010:666', '8008fdf20000029a'],
          ['192.0.2.9:1', '8108c00002090001'],
          // 4200000000: it takes the plain number for a small AS.
          ['64086.59904:7', '8208fa56ea000007'],
        ] as const
      ).map(([target, action]) =>
        step(
          `redirect to ${target}`,
          'ipv4-flowspec',
          gobgp('ipv4-flowspec', `add ${GOBGP_SIMPLE4} then redirect ${target}`),
          [simple4(action)],
        ),
      ),
      step(
        'withdraw',
        'ipv4-flowspec',
        gobgp('ipv4-flowspec', `del ${GOBGP_SIMPLE4} then redirect 64086.59904:7`),
        [],
        [without(simple4(DISCARD))],
      ),
    ],
    opens: [{ families: ['ipv4-flowspec'], holdTime: 30 }],
    endOfRib: ['ipv4-flowspec'],
    notifications: [],
    routeRefreshes: [],
  },
  {
    name: 'exabgp-gobgp-redirect',
    title: 'ExaBGP originates rules with redirects to a VRF and to addresses, GoBGP takes them',
    sender: 'exabgp',
    receiver: 'gobgp',
    families: FLOWSPEC,
    dials: 'sender',
    steps: [
      step(
        'redirect to a VRF',
        'ipv4-flowspec',
        exabgp(`announce ${EXA_SIMPLE4} { redirect 65010:666; } }`),
        [simple4('8008fdf20000029a')],
      ),
      step(
        'redirect to a VRF by a large AS number',
        'ipv4-flowspec',
        exabgp(`announce ${EXA_SIMPLE4} { redirect 4200000000:7; } }`),
        [simple4('8208fa56ea000007')],
      ),
      // draft-ietf-idr-flowspec-redirect-ip-00: the address is the next hop, the last bit says copy
      step(
        'redirect to the next hop',
        'ipv4-flowspec',
        exabgp(`announce ${EXA_SIMPLE4} { redirect 192.0.2.80; } }`),
        [{ ...simple4('0800000000000000'), nextHop: 'c0000250' }],
      ),
      step(
        'copy to the next hop',
        'ipv4-flowspec',
        exabgp(`announce ${EXA_SIMPLE4} { copy 192.0.2.80; } }`),
        [{ ...simple4('0800000000000001'), nextHop: 'c0000250' }],
      ),
      step(
        'copy to an IPv6 next hop',
        'ipv6-flowspec',
        exabgp(`announce ${EXA_SIMPLE6} { copy 2001:db8::80; } }`),
        [{ ...simple6('0800000000000001'), nextHop: '20010db8000000000000000000000080' }],
      ),
      // draft-ietf-idr-flowspec-redirect-ip-02 §3: the address is in the community
      step(
        'redirect to an address',
        'ipv4-flowspec',
        exabgp(`announce ${EXA_SIMPLE4} { redirect-to-nexthop-ietf 192.0.2.80; } }`),
        [simple4('010cc00002500000')],
      ),
      step(
        'redirect to an IPv6 address',
        'ipv6-flowspec',
        exabgp(`announce ${EXA_SIMPLE6} { redirect-to-nexthop-ietf 2001:db8::80; } }`),
        [
          {
            ...simple6('0800000000000001'),
            actions: [],
            longActions: ['000c20010db80000000000000000000000800000'],
          },
        ],
      ),
    ],
    opens: [OPEN_BOTH],
    endOfRib: FLOWSPEC,
    notifications: [],
    routeRefreshes: [],
  },
];
