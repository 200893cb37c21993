/** What every report of FastNetMon has in common, whichever edition wrote it. */
import { KNOWN_VECTORS, Protocol, protocolNumber, vectorToken } from '../core/policy/vectors.ts';
import type { Detection } from '../core/types.ts';
import { formatAddress, formatPrefix, makePrefix, parseAddress, unmapped } from '../net/prefix.ts';
import { parseGenericEvent } from './generic.ts';
import type { Signal } from './signal.ts';
import { readVector, type VectorMaps } from './vector-names.ts';

export const FASTNETMON = 'fastnetmon';

/**
 * The vector of a name that FastNetMon gives an attack, by its aliases and `detectors.fastnetmon.vector_map`; undefined when
 * it says nothing that is known.
 */
export function vectorOf(attackType: string | undefined, maps: VectorMaps | undefined): string | undefined {
  const vector = attackType === undefined ? undefined : readVector(attackType, [FASTNETMON], maps);
  if (vector === undefined || vector === 'unknown') return undefined;
  const isMapped = vector !== vectorToken(attackType ?? '');
  return isMapped || KNOWN_VECTORS.includes(vector) ? vector : undefined;
}

/** The protocol of FastNetMon's name, which also says `unknown`. */
export function namedProtocol(name: string | undefined): number | undefined {
  return name === undefined ? undefined : protocolNumber(name);
}

/** What one report says about one victim. Absent: not said. */
export interface Finding {
  readonly target: Target;
  readonly action: 'ban' | 'unban';
  readonly vector: string;
  readonly protocol?: number | undefined;
  /** Bits a second. */
  readonly bps?: number | undefined;
  readonly pps?: number | undefined;
  readonly ports?: readonly number[];
  readonly externalId?: string | undefined;
  /** What was left out. */
  readonly notes?: readonly string[];
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * The finding as a signal. FastNetMon reports an attack once and then its end, so its reports hold what they lead to
 * until it is released.
 */
export function signalOf(finding: Finding, more: Partial<Detection> = {}): Signal {
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

/** True for the words that say that our own host is the source, whoever wrote them into a script or a template. */
export function saysOutgoing(direction: string): boolean {
  return /^\s*(out(going|bound)?|egress)\s*$/i.test(direction);
}

/** The answer to an attack that our own host is the source of. */
export function outgoing(ip: string): Signal {
  return {
    kind: 'ignored',
    why: `${ip} sends the attack: a rule towards it would not stop it; no rule is made against our own host`,
  };
}

// What FastNetMon names as being under attack: an address, an address with a length, or a network.

/** Victim of a report. */
export interface Target {
  /** As in Detection: a canonical address, or the canonical prefix of more than one. */
  readonly victim: string;
  /** The address, or the first one of the prefix. */
  readonly address: string;
}

/**
 * Reads `203.0.113.5`, `203.0.113.5/32` or `203.0.113.0/24`. With bits set behind the length, `host` says that the address
 * itself is meant, and otherwise the network around it, which is how FastNetMon reads the networks of its groups.
 * Undefined when the text is none of these.
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

// FastNetMon's traffic counters: what kind of attack they show when FastNetMon does not name one.

/** Incoming traffic of the victim; all in packets a second, or all in bytes a second. Undefined: not reported. */
export interface Counters {
  readonly total: number | undefined;
  readonly udp: number | undefined;
  readonly tcp: number | undefined;
  /** SYN segments, which are part of `tcp`. */
  readonly syn: number | undefined;
  readonly icmp: number | undefined;
  /** Fragments of any protocol. */
  readonly fragments: number | undefined;
}

/** What the counters show. */
export interface Classification {
  readonly vector: string;
  /** IP protocol; null: not one alone. */
  readonly protocol: number | null;
}

/** A protocol with this share of the traffic is what the victim is attacked with. */
const MOST = 0.9;

/**
 * The protocol that carries nine tenths of the traffic, and the vector that goes with it; undefined when there are no
 * counters, or none of them stands out. TCP is a SYN flood when most of it is SYN, else an ACK flood; where the SYN
 * counter is missing, it is a TCP flood of some kind.
 */
export function classify(counters: Counters): Classification | undefined {
  const { udp = 0, tcp = 0, syn, icmp = 0, fragments = 0 } = counters;
  const total = Math.max(counters.total ?? 0, udp + tcp + icmp);
  if (total <= 0) return undefined;
  const isMost = (part: number): boolean => part >= total * MOST;
  if (isMost(fragments)) return { vector: 'ip_fragmentation', protocol: null };
  if (isMost(udp)) return { vector: 'udp_flood', protocol: Protocol.Udp };
  if (isMost(icmp)) return { vector: 'icmp_flood', protocol: Protocol.Icmp };
  if (!isMost(tcp)) return undefined;
  const vector = syn === undefined ? 'tcp_flood' : syn * 2 > tcp ? 'syn_flood' : 'ack_flood';
  return { vector, protocol: Protocol.Tcp };
}

/** What is known of an attack that has no name: the protocol that FastNetMon names, refined by what its counters show. */
export function unnamedKind(protocol: number | undefined, shown: Classification | undefined): Classification {
  if (protocol === undefined) return shown ?? { vector: 'unknown', protocol: null };
  const agrees = shown !== undefined && (shown.protocol === null || shown.protocol === protocol);
  return agrees ? shown : { vector: 'unknown', protocol };
}

/** A number, or a number as text; undefined for anything else. */
export function figure(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined;
  if (typeof value !== 'string' || !/^\s*\d+(\.\d+)?\s*$/.test(value)) return undefined;
  return Number(value);
}
