/** What every report of FastNetMon has in common, whichever edition wrote it. */
import type { Detection } from '../core/types.ts';
import { Protocol, protocolNumber } from '../core/vectors.ts';
import type { Target } from './fastnetmon-target.ts';
import { parseGenericEvent } from './generic.ts';
import type { Signal } from './signal.ts';

export const FASTNETMON = 'fastnetmon';

/** FastNetMon's names of attacks, where they are not the vectors' own. */
const VECTORS: ReadonlyMap<string, string> = new Map([
  ['udp_flood', 'udp_flood'],
  ['syn_flood', 'syn_flood'],
  ['icmp_flood', 'icmp_flood'],
  ['ip_fragmentation', 'ip_fragmentation'],
  ['ip_fragmentation_flood', 'ip_fragmentation'],
  ['dns_amplification', 'dns_amplification'],
  ['ntp_amplification', 'ntp_amplification'],
  ['ssdp_amplification', 'ssdp_amplification'],
  ['chargen_amplification', 'chargen_amplification'],
  ['memcached_amplification', 'memcached_amplification'],
  ['cldap_amplification', 'cldap_amplification'],
]);

/** The vector of a name that FastNetMon gives an attack; undefined when it names none that is known. */
export function vectorOf(attackType: string | undefined): string | undefined {
  return VECTORS.get(attackType ?? '');
}

/** The protocol of FastNetMon's name, which also says `unknown`. */
export function namedProtocol(name: string | undefined): number | undefined {
  return name === undefined ? undefined : protocolNumber(name);
}

/** The protocol whose flows show the ports that an attack of this vector is aimed at. */
export function flowProtocol(vector: string): number | undefined {
  if (vector === 'syn_flood' || vector === 'ack_flood') return Protocol.Tcp;
  return vector === 'udp_flood' || vector.endsWith('_amplification') ? Protocol.Udp : undefined;
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
  readonly details: Readonly<Record<string, unknown>>;
}

/**
 * The finding as a signal. FastNetMon reports an attack once and then its end, so its reports hold what they lead to
 * until it is released.
 */
export function signalOf(finding: Finding, more: Partial<Detection> = {}): Signal {
  const { target, action, vector, protocol, bps, pps, ports = [], externalId, details } = finding;
  const signal = parseGenericEvent({
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
  });
  if (signal.kind !== 'detection') return signal;
  return {
    kind: 'detection',
    detection: { ...signal.detection, victim: target.victim, hold: 'until_released', ...more },
  };
}

/** The answer to an attack that our own host is the source of. */
export function outgoing(ip: string): Signal {
  return {
    kind: 'ignored',
    why: `${ip} sends the attack: a rule towards it would not stop it; no rule is made against our own host`,
  };
}
