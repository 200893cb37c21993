/**
 * Names of vectors as detectors and people write them. One table for every intake: a report and a playbook that use
 * different names of one vector mean the same (docs/detectors.md lists it).
 */
import { KNOWN_VECTORS, VECTOR_PATTERN } from './vectors.ts';

/** Aliases of vectors that are no amplification, in normal form (see `vectorToken`). */
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

/** How the service that an amplification attack abuses is called besides its own name. */
const SERVICE_NAMES: Readonly<Record<string, readonly string[]>> = {
  memcached: ['memcache'],
  ssdp: ['upnp'],
  cldap: ['ldap'],
  netbios: ['nbns'],
  portmap: ['portmapper', 'rpcbind'],
  wsd: ['ws_discovery'],
  mssql: ['ms_sql', 'mc_sqlr'],
};

/** What follows the name of the service. */
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

/** Vectors by their aliases and themselves; separators do not count: `udpflood` and `UdpFlood` are `udp_flood`. */
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

/** What the service that a vector abuses is called; empty for a vector that is no amplification. */
export function servicesOf(vector: string): readonly string[] {
  if (!vector.endsWith(AMPLIFICATION)) return [];
  const service = vector.slice(0, -AMPLIFICATION.length);
  return [service, ...(SERVICE_NAMES[service] ?? [])];
}

/** The aliases of a vector that are not made of the name of a service. */
export function singleAliases(vector: string): readonly string[] {
  return FLOOD_ALIASES[vector] ?? ABUSES[vector] ?? [];
}

/**
 * A name in normal form: lower case, with an underscore for whatever else than letters and digits stands between words.
 * Undefined when nothing is left or it is longer than 64 characters.
 */
export function vectorToken(text: string): string | undefined {
  if (VECTOR_PATTERN.test(text)) return text;
  const token = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  return VECTOR_PATTERN.test(token) ? token : undefined;
}

/** The known vector that a name in normal form is an alias of, or the name itself. */
export function canonicalVector(token: string): string {
  return BY_SQUEEZED.get(squeeze(token)) ?? token;
}

function squeeze(token: string): string {
  return token.replaceAll('_', '');
}
