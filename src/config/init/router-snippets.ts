/**
 * Returns the configuration, by platform, that makes a router peer with prefixd. `prefixd init` prints it, and
 * docs/routers.md shows it. Pure.
 */
import type { Dialect } from '../../bgp/flowspec/dialect.ts';

/** The values of `prefixd init --platform`. */
export const PLATFORMS = [
  'juniper',
  'cisco-xr',
  'arista',
  'nokia',
  'huawei',
  'frr',
  'bird',
  'gobgp',
  'generic',
] as const;

export type Platform = (typeof PLATFORMS)[number];

/** One side of a session. */
export interface SnippetSpeaker {
  /** IPv4 or IPv6, without a zone. */
  readonly address: string;
  readonly asn: number;
}

/** A session between prefixd and a router; prefixd connects. */
export interface Peering {
  readonly prefixd: SnippetSpeaker;
  readonly router: SnippetSpeaker & {
    /** TCP port on which the router listens. */
    readonly port: number;
    /** The router's BGP identifier in dotted decimal. */
    readonly routerId: string;
  };
  /** The router's limit of rules; the neighbor's `max_rules`. */
  readonly maxRules: number;
}

/** One kind of router. */
export interface RouterKind {
  /** Heading of its chapter in docs/routers.md. */
  readonly title: string;
  readonly dialect: Dialect;
  /** True if we ran these lines; false if they come from the vendor's documentation only. */
  readonly tried: boolean;
  /** The router's own configuration, in its own syntax; each line ends with a newline. */
  readonly configuration: (peering: Peering) => string;
  /** Advice besides the configuration, one sentence each. */
  readonly notes: readonly string[];
}

/** True if the AS numbers are equal (iBGP), so that eBGP options are not needed. */
function isInternal({ prefixd, router }: Peering): boolean {
  return prefixd.asn === router.asn;
}

/** Joins lines, each with a newline; `false` omits a line. */
function lines(...all: readonly (string | false)[]): string {
  return all.map((line) => (line === false ? '' : `${line}\n`)).join('');
}

function junos(peering: Peering): string {
  const { prefixd, router, maxRules } = peering;
  const neighbor = `set protocols bgp group prefixd neighbor ${prefixd.address}`;
  return lines(
    'set routing-options flow term-order standard',
    'set policy-options policy-statement flowspec-in term all then accept',
    'set policy-options policy-statement nothing then reject',
    `set protocols bgp group prefixd type ${isInternal(peering) ? 'internal' : 'external'}`,
    `set protocols bgp group prefixd local-address ${router.address}`,
    'set protocols bgp group prefixd export nothing',
    !isInternal(peering) && `${neighbor} peer-as ${prefixd.asn}`,
    `${neighbor} family inet flow no-validate flowspec-in`,
    `${neighbor} family inet flow prefix-limit maximum ${maxRules}`,
    `${neighbor} family inet6 flow no-validate flowspec-in`,
    `${neighbor} family inet6 flow prefix-limit maximum ${maxRules}`,
  );
}

function iosXr(peering: Peering): string {
  const { prefixd, router, maxRules } = peering;
  const family = (name: string): readonly (string | false)[] => [
    `  address-family ${name} flowspec`,
    '   route-policy PASS in',
    '   route-policy NOTHING out',
    `   maximum-prefix ${maxRules} 75`,
    !isInternal(peering) && '   validation disable',
  ];
  return lines(
    'flowspec',
    ' local-install interface-all',
    ' address-family ipv4',
    '  local-install interface-all',
    ' address-family ipv6',
    '  local-install interface-all',
    'route-policy PASS',
    '  pass',
    'end-policy',
    'route-policy NOTHING',
    '  drop',
    'end-policy',
    `router bgp ${router.asn}`,
    ' address-family ipv4 flowspec',
    ' address-family ipv6 flowspec',
    ` neighbor ${prefixd.address}`,
    `  remote-as ${prefixd.asn}`,
    ...family('ipv4'),
    ...family('ipv6'),
  );
}

function eos({ prefixd, router }: Peering): string {
  return lines(
    'service routing protocols model multi-agent',
    'interface Ethernet1',
    '   flow-spec ipv4 ipv6',
    `router bgp ${router.asn}`,
    `   neighbor ${prefixd.address} remote-as ${prefixd.asn}`,
    '   address-family flow-spec ipv4',
    `      neighbor ${prefixd.address} activate`,
    '   address-family flow-spec ipv6',
    `      neighbor ${prefixd.address} activate`,
  );
}

function srOs({ prefixd }: Peering): string {
  return lines(
    `/configure router "Base" bgp group "prefixd" peer-as ${prefixd.asn}`,
    '/configure router "Base" bgp group "prefixd" family flow-ipv4 true',
    '/configure router "Base" bgp group "prefixd" family flow-ipv6 true',
    `/configure router "Base" bgp neighbor "${prefixd.address}" group "prefixd"`,
    '/configure filter ip-filter "edge-in" default-action accept',
    '/configure filter ip-filter "edge-in" embed flowspec offset 1000',
    '/configure filter ipv6-filter "edge-in-v6" default-action accept',
    '/configure filter ipv6-filter "edge-in-v6" embed flowspec offset 1000',
  );
}

function vrp(peering: Peering): string {
  const { prefixd, router, maxRules } = peering;
  const family = (name: string): readonly (string | false)[] => [
    ` ${name}-family flow`,
    `  peer ${prefixd.address} enable`,
    !isInternal(peering) && `  peer ${prefixd.address} validation-disable`,
    `  peer ${prefixd.address} route-limit ${maxRules} 75`,
  ];
  return lines(
    `bgp ${router.asn}`,
    ` peer ${prefixd.address} as-number ${prefixd.asn}`,
    ...family('ipv4'),
    ...family('ipv6'),
  );
}

function frr(peering: Peering): string {
  const { prefixd, router } = peering;
  const family = (name: string): readonly string[] => [
    ` address-family ${name} flowspec`,
    `  neighbor ${prefixd.address} activate`,
    ' exit-address-family',
  ];
  return lines(
    `router bgp ${router.asn}`,
    ` bgp router-id ${router.routerId}`,
    ' no bgp ebgp-requires-policy',
    ' no bgp default ipv4-unicast',
    ` neighbor ${prefixd.address} remote-as ${prefixd.asn}`,
    ` neighbor ${prefixd.address} passive`,
    !isInternal(peering) && ` neighbor ${prefixd.address} ebgp-multihop 2`,
    ` neighbor ${prefixd.address} update-source ${router.address}`,
    ...family('ipv4'),
    ...family('ipv6'),
  );
}

function bird({ prefixd, router, maxRules }: Peering): string {
  const channel = (family: 4 | 6): string =>
    `  flow${family} { table flow${family}tab; import limit ${maxRules} action block; import all; export none; };`;
  const port = router.port === 179 ? '' : ` port ${router.port}`;
  return lines(
    `router id ${router.routerId};`,
    'protocol device { }',
    'flow4 table flow4tab;',
    'flow6 table flow6tab;',
    'protocol bgp prefixd {',
    `  local ${router.address}${port} as ${router.asn};`,
    `  neighbor ${prefixd.address} as ${prefixd.asn};`,
    '  multihop 2;                       # not on a directly connected network',
    '  passive on;',
    '  strict bind yes;',
    '  hold time 30;',
    '  graceful restart aware;           # keeps the rules while prefixd restarts',
    channel(4),
    channel(6),
    '}',
  );
}

function gobgp({ prefixd, router, maxRules }: Peering): string {
  const family = (name: string): readonly string[] => [
    '  [[neighbors.afi-safis]]',
    '    [neighbors.afi-safis.config]',
    `      afi-safi-name = "${name}"`,
    '    [neighbors.afi-safis.mp-graceful-restart.config]',
    '      enabled = true',
    '    [neighbors.afi-safis.prefix-limit.config]',
    `      max-prefixes = ${maxRules}`,
  ];
  return lines(
    '[global.config]',
    `  as = ${router.asn}`,
    `  router-id = "${router.routerId}"`,
    `  local-address-list = ["${router.address}"]`,
    `  port = ${router.port}`,
    '[[neighbors]]',
    '  [neighbors.config]',
    `    neighbor-address = "${prefixd.address}"`,
    `    peer-as = ${prefixd.asn}`,
    '  [neighbors.transport.config]',
    '    passive-mode = true',
    `    local-address = "${router.address}"`,
    '  [neighbors.timers.config]',
    '    idle-hold-time-after-reset = 1',
    '  [neighbors.graceful-restart.config]',
    '    enabled = true',
    '    helper-only = true',
    '    restart-time = 30',
    ...family('ipv4-flowspec'),
    ...family('ipv6-flowspec'),
  );
}

function inWords({ prefixd, router }: Peering): string {
  return lines(
    `neighbor ${prefixd.address}, AS ${prefixd.asn}; it connects to ${router.address} port ${router.port}, AS ${router.asn}`,
    'families: IPv4 FlowSpec (AFI 1, SAFI 133) and IPv6 FlowSpec (AFI 2, SAFI 133)',
    'import: accept all its routes, without the validation of RFC 8955 section 6; export: nothing',
  );
}

const MULTIHOP = 'Not directly connected:';

/** Every kind of router that `prefixd init` supports. */
export const ROUTER_KINDS: Readonly<Record<Platform, RouterKind>> = {
  juniper: {
    title: 'Junos MX',
    dialect: 'juniper',
    tried: false,
    configuration: junos,
    notes: [`${MULTIHOP} set protocols bgp group prefixd multihop ttl N.`],
  },
  'cisco-xr': {
    title: 'Cisco IOS-XR',
    dialect: 'cisco-xr',
    tried: false,
    configuration: iosXr,
    notes: [`${MULTIHOP} ebgp-multihop N under the neighbor.`],
  },
  arista: {
    title: 'Arista EOS',
    dialect: 'arista',
    tried: false,
    configuration: eos,
    notes: [
      'Replace Ethernet1 with each interface on which attacks arrive.',
      `${MULTIHOP} ebgp-multihop N for the neighbor.`,
    ],
  },
  nokia: {
    title: 'Nokia SR OS',
    dialect: 'nokia',
    tried: false,
    configuration: srOs,
    notes: [
      'Apply both filters at the ingress of the interfaces on which attacks arrive.',
      `${MULTIHOP} multihop N for the group.`,
    ],
  },
  huawei: {
    title: 'Huawei VRP',
    dialect: 'huawei',
    tried: false,
    configuration: vrp,
    notes: [`${MULTIHOP} ebgp-max-hop N for the peer.`],
  },
  frr: {
    title: 'FRR',
    dialect: 'generic',
    tried: true,
    configuration: frr,
    notes: ['bgpd must listen on that address and port (its options -l and -p).'],
  },
  bird: {
    title: 'BIRD',
    dialect: 'generic',
    tried: true,
    configuration: bird,
    notes: ['Omit "router id" and "protocol device" if the file already contains them.'],
  },
  gobgp: {
    title: 'GoBGP',
    dialect: 'generic',
    tried: true,
    configuration: gobgp,
    notes: ['Omit [global.config] if the file already contains it.'],
  },
  generic: {
    title: 'Any other router',
    dialect: 'generic',
    tried: false,
    configuration: inWords,
    notes: [],
  },
};
