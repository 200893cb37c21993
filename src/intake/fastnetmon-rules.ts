/**
 * Reads FastNetMon Advanced's flow_spec_rules, which say what traffic to a victim it would block
 * (fastnetmon.com/docs-fnm-advanced/fastnetmon-bgp-flow-spec-rfc-5575-json-representation).
 */
import { MAX_PORT, normalRanges, portSet } from '../core/policy/ports.ts';
import type { Range, TrafficTraits } from '../core/types.ts';
import { hasPorts, Protocol, protocolNumber } from '../core/policy/vectors.ts';
import { isRecord } from './kept.ts';
import { readTarget } from './fastnetmon-common.ts';

/** One rule's traffic, as far as a detection can express it. */
export interface RuleTraffic {
  /** `destination_prefix`; null: the address that the document is about. Null, because `key` hashes the JSON. */
  readonly destination: string | null;
  /** null: any. */
  readonly protocol: number | null;
  /** Destination ports, ascending; empty: any. */
  readonly ports: readonly number[];
  readonly traits: TrafficTraits;
  /** Criteria of the rule that a detection cannot express. */
  readonly ignored: readonly string[];
  /** Equal for equal rules, whatever the order of their lists. */
  readonly key: string;
}

export type RuleReading =
  /** `more`: the number of parts that were not read because there are too many. */
  | { readonly kind: 'traffic'; readonly parts: readonly RuleTraffic[]; readonly more: number }
  /** It blocks nothing. */
  | { readonly kind: 'ignored'; readonly why: string }
  | { readonly kind: 'invalid'; readonly path: string; readonly message: string };

/** A detection has at most this many ports; a rule with more is about no particular port. */
const MAX_PORTS = 64;
/** A detection has at most this many ranges of packet lengths: with more, a rule could exceed a BGP message. */
const MAX_LENGTHS = 64;
/** At most this many parts of one rule are read: it may name every protocol, each with many flags. */
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

/** Fragment flags; true for those that only fragments have. */
const FRAGMENT_FLAGS: ReadonlyMap<string, boolean> = new Map([
  ['is-fragment', true],
  ['first-fragment', true],
  ['last-fragment', true],
  ['dont-fragment', false],
  ['not-a-fragment', false],
]);

/** Actions that block no traffic. */
const HARMLESS_ACTIONS: readonly string[] = ['accept', 'mark'];

/** Criteria that a detection cannot express. */
const UNSUPPORTED_KEYS = [
  'source_prefix',
  'ttls',
  'vlans',
  'source_asns',
  'destination_asns',
  'input_interfaces',
  'output_interfaces',
  'agent_addresses',
] as const;

/** Thrown only within the reading of a rule. */
class Unreadable extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/**
 * Reads one rule. A rule about several protocols, or several alternatives of TCP flags, has one part for each. A rule
 * that has only criteria that a detection cannot express is invalid: without them, it would match all traffic.
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
  const ignored = [...words, ...tooMany, ...UNSUPPORTED_KEYS.filter((key) => isPresent(rule[key]))];
  // Later fragments carry neither ports nor flags, so a rule about fragments cannot match them.
  if (fragments && ports.length + srcPorts.length + flags.length > 0)
    ignored.push('ports and flags of fragments');

  const restricts =
    protocols.length + ports.length + srcPorts.length + packetLengths.length + flags.length > 0 || fragments;
  if (!restricts && ignored.length > 0) {
    throw new Unreadable('', `matches only by ${ignored.join(', ')}, which cannot be used`);
  }
  const parts: RuleTraffic[] = [];
  let count = 0;
  // Hashes once for all parts, because the rule may be megabytes long.
  const unsaid = keyOf([
    ...UNSUPPORTED_KEYS.map((key) => rule[key]),
    ...(tooMany.length === 0 ? [] : [allLengths]),
  ]);
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
      parts.push({ ...traffic, ignored, key: keyOf({ ...traffic, unsaid }) });
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

/** Returns a rule's ports; empty when it names none, or more than a detection can have. */
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

/** Returns the alternatives, each as its required flags; drops one that requires more than another. */
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
  // The rule is about fragments only if no alternative is about whole packets.
  const fragments = flags.every((only) => only);
  return { fragments, words: fragments ? [] : ['fragmentation_flags'] };
}

/** Returns a list; a single value is a list of one, and a missing one is empty. */
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

/** Computes FNV-1a twice with different beginnings: short, and the same on every machine. */
function keyOf(value: unknown): string {
  const text = JSON.stringify(value);
  const hash = (begin: number): string => {
    let sum = begin;
    for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193);
    return (sum >>> 0).toString(16).padStart(8, '0');
  };
  return hash(0x811c9dc5) + hash(0x050c5d1f);
}
