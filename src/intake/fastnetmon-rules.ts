/**
 * The flow_spec_rules of FastNetMon Advanced: which part of a victim's traffic it would block
 * (fastnetmon.com/docs-fnm-advanced/fastnetmon-bgp-flow-spec-rfc-5575-json-representation).
 */
import { MAX_PORT, normalRanges, portSet } from '../core/policy/ports.ts';
import type { Range, TrafficTraits } from '../core/types.ts';
import { hasPorts, Protocol, protocolNumber } from '../core/policy/vectors.ts';
import { isRecord } from './kept.ts';
import { readTarget } from './fastnetmon-common.ts';

/** One rule, as far as a detection can say it. */
export interface RuleTraffic {
  /** `destination_prefix`; null: the address that the document is about. */
  readonly destination: string | null;
  /** null: any. */
  readonly protocol: number | null;
  /** Destination ports, ascending; empty: any. */
  readonly ports: readonly number[];
  readonly traits: TrafficTraits;
  /** Criteria of the rule that a detection has no place for. */
  readonly leftOut: readonly string[];
  /** The same for the same rule, whatever the order of its lists. */
  readonly key: string;
}

export type RuleReading =
  /** `more`: parts that were not read, because there are too many. */
  | { readonly kind: 'traffic'; readonly parts: readonly RuleTraffic[]; readonly more: number }
  /** It blocks nothing. */
  | { readonly kind: 'ignored'; readonly why: string }
  | { readonly kind: 'invalid'; readonly path: string; readonly message: string };

/** A detection has room for so many ports; a rule with more is about no particular port. */
const MAX_PORTS = 64;
/** And for so many ranges of packet lengths: with all that there may be, a rule is longer than any message of BGP. */
const MAX_LENGTHS = 64;
/** Parts of one rule that are read: every protocol may be named, and each with many flags. */
const MAX_RULE_PARTS = 64;
const MAX_PACKET_LENGTH = 65_535;

/** FastNetMon's names; RFC 9293 §3.1 for the bits. */
const TCP_FLAGS: ReadonlyMap<string, number> = new Map([
  ['fin', 0x01],
  ['syn', 0x02],
  ['rst', 0x04],
  ['push', 0x08],
  ['psh', 0x08],
  ['ack', 0x10],
  ['urgent', 0x20],
  ['urg', 0x20],
]);

/** True for the flags that only fragments have. */
const FRAGMENT_FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['is-fragment', true],
  ['first-fragment', true],
  ['last-fragment', true],
  ['dont-fragment', false],
  ['not-a-fragment', false],
]);

/** Actions that take no traffic away. */
const HARMLESS_ACTIONS: readonly string[] = ['accept', 'mark'];

/** Criteria that a detection cannot carry. */
const UNSAID = [
  'source_prefix',
  'ttls',
  'vlans',
  'source_asns',
  'destination_asns',
  'input_interfaces',
  'output_interfaces',
  'agent_addresses',
] as const;

/** Thrown while a rule is read, never further. */
class Unreadable extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/**
 * Reads one rule. A rule about several protocols, or several alternatives of TCP flags, has a part for each. A rule of which
 * nothing is left but what a detection cannot say is invalid: without that, it would take everything.
 */
export function readRule(rule: unknown): RuleReading {
  try {
    return read(rule);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    return { kind: 'invalid', path: error.path, message: error.message };
  }
}

function read(rule: unknown): RuleReading {
  if (!isRecord(rule)) throw new Unreadable('', 'must be an object');
  const action = rule.action_type;
  if (typeof action === 'string' && HARMLESS_ACTIONS.includes(action)) {
    return { kind: 'ignored', why: `a rule with action_type ${action} blocks nothing` };
  }
  const destination = readDestination(rule.destination_prefix);
  const protocols = listOf(rule, 'protocols').map(readProtocol);
  const ports = readPorts(rule, 'destination_ports');
  const srcPorts = readPorts(rule, 'source_ports');
  const allLengths = readLengths(rule);
  const packetLengths = allLengths.length > MAX_LENGTHS ? [] : allLengths;
  const flags = readFlags(rule);
  const { fragments, words } = readFragments(rule);
  const tooMany = allLengths.length > MAX_LENGTHS ? ['packet_lengths'] : [];
  const leftOut = [...words, ...tooMany, ...UNSAID.filter((key) => isPresent(rule[key]))];
  // Later fragments carry neither ports nor flags, so a rule about fragments cannot ask for them.
  if (fragments && ports.length + srcPorts.length + flags.length > 0)
    leftOut.push('ports and flags of fragments');

  const restricts =
    protocols.length + ports.length + srcPorts.length + packetLengths.length + flags.length > 0 || fragments;
  if (!restricts && leftOut.length > 0) {
    throw new Unreadable('', `matches only by ${leftOut.join(', ')}, which cannot be used`);
  }
  const parts: RuleTraffic[] = [];
  let count = 0;
  // Hashed once for all parts: it may be megabytes long.
  const unsaid = keyOf([...UNSAID.map((key) => rule[key]), ...(tooMany.length === 0 ? [] : [allLengths])]);
  for (const protocol of protocols.length === 0 ? [null] : [...new Set(protocols)]) {
    const bare = fragments || !hasPorts(protocol);
    if (!hasPorts(protocol) && !fragments && ports.length + srcPorts.length > 0) {
      throw new Unreadable('protocols', 'has a protocol without ports in a rule that names ports');
    }
    if (flags.length > 0 && protocol !== null && protocol !== Protocol.Tcp) {
      throw new Unreadable('tcp_flags', 'belongs to a protocol other than TCP');
    }
    for (const tcpFlags of flags.length === 0 || fragments ? [undefined] : flags) {
      if (++count > MAX_RULE_PARTS) continue;
      const traits: TrafficTraits = {
        ...(bare || srcPorts.length === 0 ? {} : { srcPorts }),
        ...(tcpFlags === undefined ? {} : { tcpFlags }),
        ...(packetLengths.length === 0 ? {} : { packetLengths }),
        ...(fragments ? { fragments } : {}),
      };
      const traffic = {
        destination,
        // Only TCP has flags.
        protocol: tcpFlags === undefined ? protocol : Protocol.Tcp,
        ports: bare ? [] : ports,
        traits,
      };
      parts.push({ ...traffic, leftOut, key: keyOf({ ...traffic, unsaid }) });
    }
  }
  return { kind: 'traffic', parts, more: count - parts.length };
}

function readDestination(value: unknown): string | null {
  if (!isPresent(value)) return null;
  const target = typeof value === 'string' ? readTarget(value, false) : undefined;
  if (target === undefined) throw new Unreadable('destination_prefix', 'must be an IPv4 or IPv6 prefix');
  return target.victim;
}

function readProtocol(value: unknown): number {
  const protocol = typeof value === 'string' || typeof value === 'number' ? protocolNumber(value) : undefined;
  if (protocol === undefined) throw new Unreadable('protocols', `"${words(value)}" is not a known protocol`);
  return protocol;
}

/** Empty when none are named, and when there are more than a detection has room for. */
function readPorts(rule: Readonly<Record<string, unknown>>, key: string): readonly number[] {
  const ports = portSet(listOf(rule, key).map((value) => whole(key, value, MAX_PORT)));
  return ports.length > MAX_PORTS ? [] : ports;
}

function readLengths(rule: Readonly<Record<string, unknown>>): readonly Range[] {
  const lengths = listOf(rule, 'packet_lengths').map((value) =>
    whole('packet_lengths', value, MAX_PACKET_LENGTH),
  );
  return normalRanges(lengths.map((length) => [length, length] as const));
}

/** The alternatives, each with all flags that it asks for; one that asks for more than another adds nothing to it. */
function readFlags(rule: Readonly<Record<string, unknown>>): readonly number[] {
  const alternatives = listOf(rule, 'tcp_flags').map((value) => {
    let bits = 0;
    for (const name of String(value).toLowerCase().split(/[|,+]/)) {
      const bit = TCP_FLAGS.get(name.trim());
      if (bit === undefined) throw new Unreadable('tcp_flags', `"${words(value)}" is not a known TCP flag`);
      bits |= bit;
    }
    return bits;
  });
  return [...new Set(alternatives)].filter(
    (bits) => !alternatives.some((other) => other !== bits && (other & bits) === other),
  );
}

function readFragments(rule: Readonly<Record<string, unknown>>): {
  readonly fragments: boolean;
  readonly words: readonly string[];
} {
  const flags = listOf(rule, 'fragmentation_flags').map((value) => {
    const only = FRAGMENT_FLAGS.get(String(value).toLowerCase());
    if (only === undefined) {
      throw new Unreadable('fragmentation_flags', `"${words(value)}" is not a known fragmentation flag`);
    }
    return only;
  });
  if (flags.length === 0) return { fragments: false, words: [] };
  // Alternatives: with one of them about whole packets, the rule is not about fragments alone.
  const fragments = flags.every((only) => only);
  return { fragments, words: fragments ? [] : ['fragmentation_flags'] };
}

/** A list; one value alone is a list of one, and what is not there is empty. */
function listOf(rule: Readonly<Record<string, unknown>>, key: string): readonly unknown[] {
  const value = rule[key];
  if (!isPresent(value)) return [];
  return Array.isArray(value) ? value : [value];
}

function isPresent(value: unknown): boolean {
  return (
    value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
  );
}

function whole(key: string, value: unknown, most: number): number {
  const number = typeof value === 'string' && /^\d{1,5}$/.test(value.trim()) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= most) return number;
  throw new Unreadable(key, `"${words(value)}" is not a whole number from 0 to ${most}`);
}

function words(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).slice(0, 40);
}

/** FNV-1a, twice with different beginnings: short, and the same wherever it is computed. */
function keyOf(value: unknown): string {
  const text = JSON.stringify(value);
  const hash = (begin: number): string => {
    let sum = begin;
    for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
    return (sum >>> 0).toString(16).padStart(8, '0');
  };
  return hash(0x811c9dc5) + hash(0x050c5d1f);
}
