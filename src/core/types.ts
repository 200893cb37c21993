/** The vocabulary of decisions. Plain data that survives JSON: addresses and prefixes are canonical text, times are ms since the epoch. */

/** Who asked: a detector, an operator or the daemon itself. */
export interface Actor {
  readonly kind: 'detector' | 'operator' | 'system';
  /** Name of the token, operator_id, or "prefixd". */
  readonly name: string;
  /** Name of the token or certificate that let the call in, where `name` is what the caller said. */
  readonly via?: string;
  /** Remote address, when there is one. */
  readonly address?: string;
  readonly requestId?: string;
}

/**
 * How a reporter keeps a mitigation alive. `until_ttl`: it repeats while the attack lasts, so each report extends the TTL.
 * `until_released`: it reports the end, so the daemon renews the TTL until then, for at most `timers.max_hold_seconds`.
 */
export type HoldMode = 'until_released' | 'until_ttl';

/** What else the packets of an attack have in common, as the detector saw it. Absent keys do not restrict. */
export interface TrafficTraits {
  /** Ascending, no duplicates, at most 64. */
  readonly srcPorts?: readonly number[];
  /** TCP flags that are all set, as the octet of the TCP header (SYN is 0x02). */
  readonly tcpFlags?: number;
  /** TCP flags of which none is set; only together with tcpFlags. */
  readonly tcpFlagsClear?: number;
  /** Total lengths of the IP packets in octets, in normal form. */
  readonly packetLengths?: readonly Range[];
  /** Only fragments. */
  readonly fragments?: boolean;
}

/** What a detector said, in one form whatever it spoke (see ingest/). */
export interface Detection {
  /** The detector's own id of the event; null when it gave none. The same ban with the same id is a duplicate. */
  readonly externalId: string | null;
  /**
   * The detector's id of the alert that the event is about, under which its hold is kept; absent or null: `externalId`,
   * and without that the source and the vector. It differs from `externalId` where a detector repeats an alert.
   */
  readonly alertId?: string | null;
  readonly source: string;
  readonly action: 'ban' | 'unban';
  /**
   * Canonical address, or the canonical prefix (`203.0.113.0/24`) of a report about more than one. In the record of a
   * report that was refused as `invalid_report`: what it said, cut, or empty.
   */
  readonly victim: string;
  /** `[a-z0-9_]{1,64}` */
  readonly vector: string;
  /** IP protocol number 0..255; null when neither said nor implied by the vector. */
  readonly protocol: number | null;
  /** Bits a second; null when not said. */
  readonly bps: number | null;
  /** Packets a second; null when not said. */
  readonly pps: number | null;
  /** 0..1; null when not said. */
  readonly confidence: number | null;
  /** Destination ports under attack, ascending, no duplicates, at most 64. */
  readonly ports: readonly number[];
  readonly traits?: TrafficTraits;
  /** When the detector says it happened; null when it did not. Recorded, and judged only for being stale. */
  readonly at: number | null;
  /** When the alert began, as the detector says (ms); absent: `at`, and without that its arrival. Never judged for being stale. */
  readonly beganAt?: number;
  /** Of an unban: when the attack ended, as the detector says (ms); absent: `at`. It ends nothing that began later. */
  readonly endedAt?: number;
  /** How this kind of detector holds what it reports; absent: until_ttl. A token or `detectors.*.hold` may say otherwise. */
  readonly hold?: HoldMode;
  /** Of an unban: its detector never names the vector, so every vector that this source reported is meant. */
  readonly anyVector?: boolean;
  /** Of an unban: the alerts of this source whose ids begin with `alertId` and a slash are over, too. */
  readonly withParts?: boolean;
  /** What was left out or assumed when the report was read, in words; absent: nothing. */
  readonly notes?: readonly string[];
  /** Whatever else came with it; kept, never interpreted. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What the router shall do. */
export type ActionType = 'police' | 'discard';

export interface MitigationAction {
  readonly type: ActionType;
  /** Bits a second; null for discard. */
  readonly rateBps: number | null;
  /** Only for police: where a neighbor needs several rules for the match, they share the rate. Absent: one rule has all of it. */
  readonly shared?: true;
}

/** A range of numbers, both ends included. */
export type Range = readonly [from: number, to: number];

/**
 * What to match, in terms of packets rather than of FlowSpec. A list that is empty or absent does not restrict. Kept
 * in a normal form (ranges ascending, disjoint, not adjacent), so that equal matches have equal `matchKey`.
 */
export interface Match {
  /** Canonical prefix; always there: a rule without a destination does not exist. */
  readonly dstPrefix: string;
  readonly srcPrefix?: string;
  /** IP protocol number; null: any. */
  readonly protocol: number | null;
  readonly dstPorts: readonly Range[];
  readonly srcPorts: readonly Range[];
  readonly packetLengths?: readonly Range[];
  /** TCP flags that must all be set, as the octet of the TCP header (SYN is 0x02). */
  readonly tcpFlags?: number;
  /** TCP flags that must not be set; only together with tcpFlags. */
  readonly tcpFlagsClear?: number;
  /** Only fragments (any but the first, or any first of several). */
  readonly fragments?: boolean;
}

/** States of a mitigation that facts record. `pending` is only ever derived: decided, but standing in no router yet. */
export type MitigationStatus = 'active' | 'escalated' | 'withdrawn' | 'expired' | 'rejected';

/** Why a mitigation is on its way out; its status changes when every established session has been sent the withdrawal. */
export interface Ending {
  readonly to: 'withdrawn' | 'expired';
  readonly at: number;
  readonly actor: Actor;
  readonly reason: string;
  /** This daemon's id of the report that ended it; absent: none did. */
  readonly eventId?: string;
}

/**
 * A reporter's alert that keeps a mitigation alive. The mitigation ends with its last hold, and a hold that lapses is
 * one that its reporter gave up by saying nothing more.
 */
export interface Hold {
  readonly source: string;
  /** The detector's id of the alert; null: the alert is known by its source, victim and vector. */
  readonly alertId: string | null;
  readonly vector: string;
  /** What was reported: the mitigation's victim, or a host within its prefix. */
  readonly victim: string;
  readonly mode: HoldMode;
  /** 0..1; null when neither the report nor the policy gives one. */
  readonly confidence: number | null;
  /** When the alert began (ms). An end that lies before it is about another attack. */
  readonly beganAt: number;
  /** When it was last reported (ms). */
  readonly reportedAt: number;
  /** When it lapses without another report (ms). */
  readonly until: number;
}

/** The last hold was released; the mitigation stays until it expires (`timers.hold_down_seconds`) or is held again. */
export interface Release {
  readonly at: number;
  readonly actor: Actor;
  readonly reason: string;
  /** This daemon's id of the report that released it. */
  readonly eventId?: string;
}

/** One decision to filter, from its first event to its end. */
export interface Mitigation {
  /** Lower-case UUID. */
  readonly id: string;
  readonly status: MitigationStatus;
  readonly ending: Ending | null;
  readonly customerId: string | null;
  readonly serviceId: string | null;
  readonly pop: string;
  readonly victim: string;
  readonly vector: string;
  /** The detector that reported it first; null or absent for an operator's own mitigation. */
  readonly source?: string | null;
  readonly match: Match;
  /** Ports under attack that the rule names; empty when it covers the protocol except `excludedPorts`. Ascending. */
  readonly ports: readonly number[];
  /** The service's allowed ports that the rule leaves alone, ascending, less those of ranges of more than 64 ports. */
  readonly excludedPorts: readonly number[];
  readonly action: MitigationAction;
  /** Name of the playbook; null for an operator's own mitigation. */
  readonly playbook: string | null;
  /** Index of the playbook's step in force, 0-based. */
  readonly step: number;
  /** The step it began at, where no neighbor could enforce those before; absent: the first. */
  readonly firstStep?: number;
  /** When the step in force began (ms). */
  readonly stepSince: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
  /**
   * When the daemon looks at it before it expires, to renew it on behalf of its holds or to take its next step (ms);
   * null or absent: only an event does.
   */
  readonly renewAt?: number | null;
  /** Who keeps it alive; empty for an operator's own, absent in journals of 0.1. At most MAX_HOLDS of one source. */
  readonly holds?: readonly Hold[];
  readonly release?: Release | null;
  readonly endedAt: number | null;
  /** Ids of events as this daemon gave them; null for an operator's own mitigation. */
  readonly triggeringEventId: string | null;
  readonly lastEventId: string | null;
  readonly createdBy: Actor;
  /** Decided in dry-run: goes through its whole life, and is never announced. */
  readonly dryRun: boolean;
  /** For a rejected one the refusal's code; else why it was created, in a few words. */
  readonly reason: string;
  /** The steps of the decision in words an operator understands. */
  readonly why: readonly string[];
}

/** Stable codes of refusals (422). */
export type RefusalReason =
  | 'safelisted'
  | 'not_unicast'
  | 'not_in_inventory'
  | 'prefix_length'
  | 'ttl_out_of_bounds'
  | 'too_many_ports'
  | 'protected'
  | 'quota_customer'
  | 'quota_pop'
  | 'quota_global'
  | 'quota_rate'
  | 'rule_too_broad'
  | 'not_enforceable'
  /** The report could not be read: its record holds what could, and its victim may be no address at all. */
  | 'invalid_report';

/** How an event was answered. */
export type EventStatus =
  | 'accepted'
  | 'extended'
  | 'widened'
  | 'escalated'
  | 'accepted_no_playbook'
  | 'accepted_no_mitigation'
  | 'dry_run'
  | 'withdrawn'
  /** An unban released its hold, and the mitigation stays: it is held by others, or for the hold-down time. */
  | 'released'
  | 'not_found'
  | 'no_active_mitigation'
  | 'rejected'
  | 'duplicate';

/** An event as it is remembered. */
export interface EventRecord {
  /** This daemon's id, lower-case UUID. */
  readonly id: string;
  readonly receivedAt: number;
  readonly detection: Detection;
  readonly actor: Actor;
  readonly status: EventStatus;
  /** Set when status is `rejected`. */
  readonly refusal: RefusalReason | null;
  readonly mitigationId: string | null;
  /** How the token that reported it holds mitigations, where it says so. */
  readonly hold?: HoldMode;
  /** The prefix whose attacked hosts are counted, where one rule may take the place of many (`aggregation`). */
  readonly block?: string;
  /** Mitigations that it was about and that it did not change. */
  readonly about?: readonly string[];
  readonly why: readonly string[];
}

/** A prefix that no rule may touch. */
export interface SafelistEntry {
  /** Canonical prefix. */
  readonly prefix: string;
  readonly reason: string;
  readonly addedAt: number;
  readonly addedBy: Actor;
  /** From the configuration file: it cannot be removed over the API. */
  readonly configured: boolean;
}
