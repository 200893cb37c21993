/** FastNetMon's traffic counters: what kind of attack they show when FastNetMon does not name one. */
import { Protocol } from '../core/vectors.ts';

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
