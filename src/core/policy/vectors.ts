/** The known kinds of attacks and IP protocols. */
export const Protocol = { Icmp: 1, Tcp: 6, Udp: 17, Gre: 47, Icmpv6: 58, Sctp: 132 } as const;

const PROTOCOL_NAMES: ReadonlyMap<string, number> = new Map([
  ['icmp', Protocol.Icmp],
  ['tcp', Protocol.Tcp],
  ['udp', Protocol.Udp],
  ['gre', Protocol.Gre],
  ['icmpv6', Protocol.Icmpv6],
  ['sctp', Protocol.Sctp],
  ['ipv6-icmp', Protocol.Icmpv6],
  ['icmp6', Protocol.Icmpv6],
]);

/** The names of protocols, in words. */
export const PROTOCOL_LIST = 'tcp, udp, icmp, icmpv6, gre, sctp';

/** The syntax of vectors. */
export const VECTOR_PATTERN = /^[a-z0-9_]{1,64}$/;

/** The same in words. */
export const VECTOR_SYNTAX = '1 to 64 of a-z, 0-9 and underscore';

/** The UDP port from which the reflectors of an amplification attack answer. */
const REFLECTOR_PORTS: ReadonlyMap<string, number> = new Map([
  ['dns_amplification', 53],
  ['ntp_amplification', 123],
  ['memcached_amplification', 11211],
  ['ssdp_amplification', 1900],
  ['cldap_amplification', 389],
  ['chargen_amplification', 19],
  ['snmp_amplification', 161],
  ['netbios_amplification', 137],
  ['portmap_amplification', 111],
  ['wsd_amplification', 3702],
  ['mdns_amplification', 5353],
  ['coap_amplification', 5683],
  ['ard_amplification', 3283],
  ['qotd_amplification', 17],
  ['rip_amplification', 520],
  ['mssql_amplification', 1434],
]);

const VECTOR_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['udp_flood', Protocol.Udp],
  ['syn_flood', Protocol.Tcp],
  ['ack_flood', Protocol.Tcp],
  ['syn_ack_flood', Protocol.Tcp],
  ['rst_flood', Protocol.Tcp],
  ['fin_flood', Protocol.Tcp],
  ['tcp_flood', Protocol.Tcp],
  ['icmp_flood', Protocol.Icmp],
  ['gre_flood', Protocol.Gre],
]);

/**
 * Protocols by words in the names of other vectors. HTTP, DNS and the like are missing because they run over UDP as
 * well as TCP.
 */
const WORD_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['udp', Protocol.Udp],
  ['tcp', Protocol.Tcp],
  ['syn', Protocol.Tcp],
  ['synack', Protocol.Tcp],
  ['ack', Protocol.Tcp],
  ['rst', Protocol.Tcp],
  ['fin', Protocol.Tcp],
  ['psh', Protocol.Tcp],
  ['xmas', Protocol.Tcp],
  ['icmp', Protocol.Icmp],
  ['icmpv6', Protocol.Icmpv6],
  ['ping', Protocol.Icmp],
  ['gre', Protocol.Gre],
  ['sctp', Protocol.Sctp],
]);

/** Words for attacks that use reflectors: UDP unless another word of the name means something else. */
const REFLECTION_WORDS: ReadonlySet<string> = new Set(['amplification', 'reflection']);

/** Vectors that this program knows. Others are accepted; the words of their names imply their protocol. */
export const KNOWN_VECTORS: readonly string[] = [
  ...VECTOR_PROTOCOLS.keys(),
  ...REFLECTOR_PORTS.keys(),
  'ip_fragmentation',
  'unknown',
];

/**
 * Returns the protocol that a vector implies for a victim of this family, or null. An unknown vector implies the
 * protocol that the words of its name agree on. ICMP to an IPv6 victim is ICMPv6.
 */
export function impliedProtocol(vector: string, family: 4 | 6): number | null {
  if (REFLECTOR_PORTS.has(vector)) return Protocol.Udp;
  const protocol = VECTOR_PROTOCOLS.get(vector) ?? protocolOfWords(vector);
  return protocol === Protocol.Icmp && family === 6 ? Protocol.Icmpv6 : protocol;
}

function protocolOfWords(vector: string): number | null {
  const words = vector.split('_');
  const named = new Set(words.flatMap((word) => WORD_PROTOCOLS.get(word) ?? []));
  const [only] = named;
  if (only !== undefined) return named.size === 1 ? only : null;
  return words.some((word) => REFLECTION_WORDS.has(word)) ? Protocol.Udp : null;
}

/** True for an attack by UDP reflectors, whose packets all come from the port of the abused service. */
export function isAmplification(vector: string): boolean {
  if (REFLECTOR_PORTS.has(vector)) return true;
  return (
    vector.split('_').some((word) => REFLECTION_WORDS.has(word)) &&
    impliedProtocol(vector, 4) === Protocol.Udp
  );
}

/** True for a UDP port from which reflectors of a known amplification attack answer. */
export function isReflectorPort(port: number): boolean {
  for (const known of REFLECTOR_PORTS.values()) if (known === port) return true;
  return false;
}

/** Returns the reflectors' source port of a known amplification vector, else undefined. */
export function reflectorPort(vector: string): number | undefined {
  return REFLECTOR_PORTS.get(vector);
}

/** Returns the amplification vector whose reflectors answer from this UDP port, else undefined. */
export function reflectorVector(port: number | undefined): string | undefined {
  for (const [vector, source] of REFLECTOR_PORTS) if (source === port) return vector;
  return undefined;
}

/** Returns a protocol's number from digits or a name (`udp`, any case); undefined if invalid. */
export function protocolNumber(text: string | number): number | undefined {
  if (typeof text === 'string' && !/^\d{1,3}$/.test(text)) return PROTOCOL_NAMES.get(text.toLowerCase());
  const value = Number(text);
  return Number.isInteger(value) && value >= 0 && value <= 255 ? value : undefined;
}

/** Returns a protocol's name (`udp`), or its digits if it has no name here. */
export function protocolName(protocol: number): string {
  for (const [name, number] of PROTOCOL_NAMES) if (number === protocol) return name;
  return String(protocol);
}

/** Formats a protocol: `UDP`, `protocol 89`, or `any protocol` for null. */
export function protocolWords(protocol: number | null): string {
  if (protocol === null) return 'any protocol';
  for (const [name, number] of PROTOCOL_NAMES) {
    if (number === protocol) return name === 'icmpv6' ? 'ICMPv6' : name.toUpperCase();
  }
  return `protocol ${protocol}`;
}

/** True when FlowSpec's port components can match the protocol: TCP and UDP (RFC 8955 §4.2.2.4), or any. */
export function hasPorts(protocol: number | null): boolean {
  return protocol === null || protocol === Protocol.Tcp || protocol === Protocol.Udp;
}

// Maps the names that detectors and people use to vectors. All intakes share one table, so different names for one
// vector mean the same in a report and in a playbook (docs/detectors.md lists it).

/** Aliases of vectors other than amplification, in normal form (see `vectorToken`). */
const FLOOD_ALIASES: Readonly<Record<string, readonly string[]>> = {
  udp_flood: ['udp', 'udp_attack', 'udp_flooding', 'udp_flood_attack'],
  syn_flood: [
    'syn',
    'syn_attack',
    'syn_flooding',
    'syn_flood_attack',
    'tcp_syn',
    'tcp_syn_attack',
    'tcp_syn_flood',
  ],
  ack_flood: ['ack', 'ack_attack', 'ack_flooding', 'tcp_ack', 'tcp_ack_attack', 'tcp_ack_flood'],
  syn_ack_flood: ['syn_ack', 'syn_ack_attack', 'tcp_syn_ack', 'tcp_syn_ack_flood'],
  rst_flood: ['rst', 'rst_attack', 'tcp_rst', 'tcp_rst_flood'],
  fin_flood: ['fin', 'fin_attack', 'tcp_fin', 'tcp_fin_flood'],
  tcp_flood: ['tcp', 'tcp_attack', 'tcp_flooding', 'tcp_flood_attack'],
  icmp_flood: [
    'icmp',
    'icmp_attack',
    'icmp_flooding',
    'icmp_echo_flood',
    'icmpv6',
    'icmpv6_flood',
    'ping',
    'ping_flood',
  ],
  gre_flood: ['gre', 'gre_attack', 'gre_flooding'],
  ip_fragmentation: [
    'frag',
    'frag_flood',
    'fragment',
    'fragments',
    'fragment_flood',
    'fragmentation',
    'fragmentation_flood',
    'fragmented_packets',
    'ip_frag',
    'ip_frag_flood',
    'ip_fragment',
    'ip_fragments',
    'ip_fragment_flood',
    'ip_fragmentation_flood',
  ],
  unknown: ['n_a', 'none', 'undefined', 'unclassified', 'unidentified', 'unknown_attack'],
};

/** Other names of the services that amplification attacks abuse. */
const SERVICE_NAMES: Readonly<Record<string, readonly string[]>> = {
  memcached: ['memcache'],
  ssdp: ['upnp'],
  cldap: ['ldap'],
  netbios: ['nbns'],
  portmap: ['portmapper', 'rpcbind'],
  wsd: ['ws_discovery'],
  mssql: ['ms_sql', 'mc_sqlr'],
};

/** Words that follow the service's name. */
export const AMPLIFICATION_WORDS: readonly string[] = [
  'amplification',
  'amp',
  'reflection',
  'reflect',
  'amplification_attack',
  'reflection_attack',
  'amplification_flood',
  'reflection_flood',
  'reflection_amplification',
  'amp_flood',
  'drdos',
];

/** Names of single abuses. */
const ABUSES: Readonly<Record<string, readonly string[]>> = {
  ntp_amplification: ['monlist', 'ntp_monlist'],
};

const AMPLIFICATION = '_amplification';

/** Every known vector with its aliases, in normal form. */
export const VECTOR_ALIASES: ReadonlyMap<string, readonly string[]> = new Map(
  KNOWN_VECTORS.map((vector) => [vector, aliasesOf(vector)]),
);

/** Vectors by their aliases and their own names, without separators: `udpflood` and `UdpFlood` are `udp_flood`. */
const BY_SQUEEZED: ReadonlyMap<string, string> = new Map(
  [...VECTOR_ALIASES].flatMap(([vector, aliases]) =>
    [vector, ...aliases].map((name) => [squeeze(name), vector] as const),
  ),
);

function aliasesOf(vector: string): readonly string[] {
  const services = servicesOf(vector);
  const made = services.flatMap((name) => AMPLIFICATION_WORDS.map((word) => `${name}_${word}`));
  return [...made.filter((name) => name !== vector), ...singleAliases(vector)];
}

/** Returns the names of the service that a vector abuses; empty for a vector other than amplification. */
export function servicesOf(vector: string): readonly string[] {
  if (!vector.endsWith(AMPLIFICATION)) return [];
  const service = vector.slice(0, -AMPLIFICATION.length);
  return [service, ...(SERVICE_NAMES[service] ?? [])];
}

/** Returns a vector's aliases that do not contain a service's name. */
export function singleAliases(vector: string): readonly string[] {
  return FLOOD_ALIASES[vector] ?? ABUSES[vector] ?? [];
}

/**
 * Returns a name in normal form: lower case, with one underscore for each run of other characters than letters and
 * digits. Undefined when nothing is left or when it is longer than 64 characters.
 */
export function vectorToken(text: string): string | undefined {
  if (VECTOR_PATTERN.test(text)) return text;
  const token = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  return VECTOR_PATTERN.test(token) ? token : undefined;
}

/** Returns the known vector that a name in normal form is an alias of, or the name itself. */
export function canonicalVector(token: string): string {
  return BY_SQUEEZED.get(squeeze(token)) ?? token;
}

function squeeze(token: string): string {
  return token.replaceAll('_', '');
}
