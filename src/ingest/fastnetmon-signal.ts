/** What every report of FastNetMon has in common, whichever edition wrote it. */
import type { Detection } from '../core/types.ts';
import { vectorToken } from '../core/vector-aliases.ts';
import { KNOWN_VECTORS, protocolNumber } from '../core/vectors.ts';
import type { Target } from './fastnetmon-target.ts';
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
