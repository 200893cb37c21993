/** The common elements of reports from all editions of FastNetMon. */
import { KNOWN_VECTORS, Protocol, protocolNumber, vectorToken } from '../core/policy/vectors.ts';
import type { Detection } from '../core/types.ts';
import { formatAddress, formatPrefix, makePrefix, parseAddress, unmapped } from '../net/prefix.ts';
import { parseGenericEvent } from './generic.ts';
import type { Signal } from './signal.ts';
import { readVector, type VectorMaps } from './vector-names.ts';

export const FASTNETMON = 'fastnetmon';

/**
 * Returns the vector for FastNetMon's name of an attack, by the aliases and `detectors.fastnetmon.vector_map`;
 * undefined when the name is unknown.
 */
export function vectorOf(attackType: string | undefined, maps: VectorMaps | undefined): string | undefined {
  const vector = attackType === undefined ? undefined : readVector(attackType, [FASTNETMON], maps);
  if (vector === undefined || vector === 'unknown') return undefined;
  const isMapped = vector !== vectorToken(attackType ?? '');
  return isMapped || KNOWN_VECTORS.includes(vector) ? vector : undefined;
}

/** Returns the protocol for FastNetMon's name, which may be `unknown`. */
export function namedProtocol(name: string | undefined): number | undefined {
  return name === undefined ? undefined : protocolNumber(name);
}

/** One report's data about one victim. Absent: not reported. */
export interface CounterFinding {
  readonly target: Target;
  readonly action: 'ban' | 'unban';
  readonly vector: string;
  readonly protocol?: number | undefined;
  /** Bits per second. */
  readonly bps?: number | undefined;
  readonly pps?: number | undefined;
  readonly ports?: readonly number[];
  readonly externalId?: string | undefined;
  /** Values that were ignored. */
  readonly notes?: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * Returns a report as a signal. FastNetMon reports an attack once and then its end, so its reports hold their
 * mitigation until they release it.
 */
export function signalOf(finding: CounterFinding, more: Partial<Detection> = {}): Signal {
  const { target, action, vector, protocol, bps, pps, ports = [], externalId, notes = [], details } = finding;
  const event = {
    event_id: externalId,
    source: FASTNETMON,
    victim_ip: target.address,
    vector,
    protocol,
    action,
    bps,
    pps,
    top_dst_ports: ports,
    raw_details: details,
  };
  const signal = parseGenericEvent(event, { notes });
  if (signal.kind !== 'detection') return signal;
  return {
    kind: 'detection',
    detection: { ...signal.detection, victim: target.victim, hold: 'until_released', ...more },
  };
}

/** True for words that mean that our own host is the source, in scripts and templates alike. */
export function saysOutgoing(direction: string): boolean {
  return /^\s*(out(going|bound)?|egress)\s*$/i.test(direction);
}

/** Returns the signal for an attack whose source is our own host. */
export function outgoing(ip: string): Signal {
  return {
    kind: 'ignored',
    why: `${ip} is the source of the attack: a rule for its address would not stop it, and none is made against our own host`,
  };
}

// Reads FastNetMon's names of victims: an address, an address with a length, or a network.

/** A report's victim. */
export interface Target {
  /** As in Detection: a canonical address, or the canonical prefix of more than one. */
  readonly victim: string;
  /** The address, or the prefix's first address. */
  readonly address: string;
}

/**
 * Reads `203.0.113.5`, `203.0.113.5/32` or `203.0.113.0/24`. If host bits are set, `host` means the address itself,
 * else the network around it, which is how FastNetMon reads the networks of its groups. Undefined for other texts.
 */
export function readTarget(text: string, host: boolean): Target | undefined {
  const [addressText = '', lengthText, ...rest] = text.trim().split('/');
  const address = parseAddress(addressText);
  if (address === undefined || rest.length > 0) return undefined;
  const bits = address.length * 8;
  if (lengthText !== undefined && (!/^\d{1,3}$/.test(lengthText) || Number(lengthText) > bits))
    return undefined;
  const length = lengthText === undefined ? bits : Number(lengthText);
  const network = makePrefix(address, length);
  const hasHostBits = network.address.some((byte, i) => byte !== address[i]);
  const prefix = unmapped(host && hasHostBits ? makePrefix(address, bits) : network);
  const first = formatAddress(prefix.address);
  const isHost = prefix.length === prefix.address.length * 8;
  return { victim: isHost ? first : formatPrefix(prefix), address: first };
}

// Classifies attacks without a name by FastNetMon's traffic counters.

/** The victim's incoming traffic; all in packets/s, or all in bytes/s. Undefined: not reported. */
export interface Counters {
  readonly total: number | undefined;
  readonly udp: number | undefined;
  readonly tcp: number | undefined;
  /** SYN segments, included in `tcp`. */
  readonly syn: number | undefined;
  readonly icmp: number | undefined;
  /** Fragments of any protocol. */
  readonly fragments: number | undefined;
}

/** The kind of attack that the counters show. */
export interface Classification {
  readonly vector: string;
  /** IP protocol; undefined: more than one. */
  readonly protocol: number | undefined;
}

/** A protocol with at least this share of the traffic is the attack's protocol. */
const MOST = 0.9;

/**
 * Returns the protocol that carries nine tenths of the traffic, and its vector; undefined without counters, or when no
 * protocol dominates. TCP is a SYN flood when most of it is SYN, else an ACK flood; without a SYN counter it is a TCP
 * flood.
 */
export function classify(counters: Counters): Classification | undefined {
  const { udp = 0, tcp = 0, syn, icmp = 0, fragments = 0 } = counters;
  const total = Math.max(counters.total ?? 0, udp + tcp + icmp);
  if (total <= 0) return undefined;
  const isMost = (part: number): boolean => part >= total * MOST;
  if (isMost(fragments)) return { vector: 'ip_fragmentation', protocol: undefined };
  if (isMost(udp)) return { vector: 'udp_flood', protocol: Protocol.Udp };
  if (isMost(icmp)) return { vector: 'icmp_flood', protocol: Protocol.Icmp };
  if (!isMost(tcp)) return undefined;
  const vector = syn === undefined ? 'tcp_flood' : syn * 2 > tcp ? 'syn_flood' : 'ack_flood';
  return { vector, protocol: Protocol.Tcp };
}

/** Returns the kind of an attack without a name: FastNetMon's protocol, refined by the counters. */
export function unnamedKind(protocol: number | undefined, shown: Classification | undefined): Classification {
  if (protocol === undefined) return shown ?? { vector: 'unknown', protocol: undefined };
  const agrees = shown !== undefined && (shown.protocol === undefined || shown.protocol === protocol);
  return agrees ? shown : { vector: 'unknown', protocol };
}

/** Reads a number, or a number as text; undefined for anything else. */
export function figure(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || !/^\s*\d+(\.\d+)?\s*$/.test(value)) return undefined;
  return Number(value);
}
