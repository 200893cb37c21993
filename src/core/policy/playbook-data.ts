/**
 * `playbooks.yaml` as plain data: the keys of the file, upstream prefixd's included, types checked and nothing else.
 * Where several files are read, the caller concatenates their `playbooks`; only one may have a `default_playbook`.
 */
import type { ProfileName } from './profile.ts';

/**
 * What to do, in this order, about a rule that no neighbor can enforce as drafted:
 * - `share_rate`: a police in several rules that share its rate;
 * - `police_allowed_ports`: a police that covers the allowed ports, too;
 * - `fewer_ports`: as many of the ports as a rule can name;
 * - `whole_protocol`: the whole protocol; a discard leaves out the allowed ports;
 * - `next_step`: the next step of the playbook.
 */
export const WAYS = [
  'share_rate',
  'police_allowed_ports',
  'fewer_ports',
  'whole_protocol',
  'next_step',
] as const;

export type Way = (typeof WAYS)[number];

export interface PlaybooksData {
  readonly playbooks?: readonly PlaybookData[] | undefined;
  /** What is done when no playbook matches; without it nothing is. */
  readonly default_playbook?:
    | {
        /** Defaults to `default`. */
        readonly name?: string | undefined;
        readonly steps: readonly StepData[];
        readonly when_unenforceable?: readonly Way[] | undefined;
      }
    | undefined;
}

export interface PlaybookData {
  readonly name: string;
  readonly match: PlaybookMatchData;
  readonly steps: readonly StepData[];
  /** All of WAYS in their order when left out; an empty list refuses what no neighbor can enforce. */
  readonly when_unenforceable?: readonly Way[] | undefined;
  /** Upstream's overrides of its correlation engine; read and not used (a warning says so). */
  readonly correlation?: unknown;
}

/** All that are given must hold. */
export interface PlaybookMatchData {
  readonly vector: string | readonly string[];
  /** Only events that name destination ports. */
  readonly require_top_ports?: boolean | undefined;
  /** Names of detectors, as in an event's `source`. */
  readonly source?: string | readonly string[] | undefined;
  /** An IP protocol number 0..255, or tcp, udp, icmp, icmpv6, gre, sctp. */
  readonly protocol?: number | string | undefined;
  /** Bits a second at least; an event that does not say falls short. */
  readonly min_bps?: number | undefined;
  /** Packets a second at least; an event that does not say falls short. */
  readonly min_pps?: number | undefined;
  /** 0..1 at least; an event that does not say falls short. */
  readonly min_confidence?: number | undefined;
  /** customer_id of the inventory. */
  readonly customer?: string | readonly string[] | undefined;
  readonly profile?: ProfileName | readonly ProfileName[] | undefined;
}

export interface StepData {
  readonly action: 'police' | 'discard';
  /** Bits a second, above 0; police needs it. */
  readonly rate_bps?: number | undefined;
  /**
   * Bits a second, above 0: the rate of a police whose rule matches every protocol of its victim, because the report names
   * neither protocol nor ports; rate_bps when left out.
   */
  readonly whole_host_rate_bps?: number | undefined;
  /** 1..86400; timers.default_ttl_seconds when left out. */
  readonly ttl_seconds?: number | undefined;
  /** 0..1; not on the first step. */
  readonly require_confidence_at_least?: number | undefined;
  /** Not on the first step. */
  readonly require_persistence_seconds?: number | undefined;
  /** Narrows the rule; a step without it keeps what the step before it said. */
  readonly match?: RefinementData | undefined;
}

/** Further restrictions of a step's rule. Ranges are numbers, or text such as "1000-1500". */
export interface RefinementData {
  /** 0..65535; reflectors' ports. Known amplification vectors bring their own. */
  readonly src_ports?: readonly (number | string)[] | undefined;
  /** Total length of the IP packet in octets, 20..65535. */
  readonly packet_length?: number | string | readonly (number | string)[] | undefined;
  /** Flags that must be set, and with `!` flags that must not: "syn", "syn,!ack". */
  readonly tcp_flags?: string | readonly string[] | undefined;
  /** Only fragments; such a rule has no ports, because later fragments carry none. */
  readonly fragments?: boolean | undefined;
  /** Only where guardrails allow it (`allow_src_prefix_match`). */
  readonly src_prefix?: string | undefined;
}
