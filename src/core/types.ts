/**
 * The types of decisions: plain data that survives JSON. Addresses and prefixes are canonical text, times are ms since
 * the epoch.
 */
import type { MitigationAction } from './action.ts';

/** A detector, an operator or the daemon itself. */
export interface Actor {
  readonly kind: 'detector' | 'operator' | 'system';
  /** The token's name, the operator_id, or "prefixd". */
  readonly name: string;
  /** The name of the token or certificate that authenticated the call; `name` is the caller's own statement then. */
  readonly via?: string;
  /** Of a person who has signed in: who vouches for the identity, and the person's id there, which is never reused. */
  readonly issuer?: string;
  readonly subject?: string;
  /** Remote address, when there is one. */
  readonly address?: string;
  readonly requestId?: string;
}

export const HOLD_MODES = ['until_released', 'until_ttl'] as const;

/**
 * A reporter's way of keeping a mitigation alive. `until_ttl`: it repeats its report during the attack, and each report
 * extends the TTL. `until_released`: it reports the end; until then the daemon renews the TTL, for at most
 * `timers.max_hold_seconds`.
 */
export type HoldMode = (typeof HOLD_MODES)[number];

/** Further properties that an attack's packets share, as the detector saw them. Absent keys do not restrict. */
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

/** A detector's report, in one form for all detectors (see src/intake). */
export interface Detection {
  /** The detector's own id of the event; null when it gave none. The same ban with the same id is a duplicate. */
  readonly externalId: string | null;
  /**
   * The detector's id of the alert, which identifies the hold; absent or null: `externalId`, or if that is missing the
   * source and the vector. It differs from `externalId` when a detector repeats an alert.
   */
  readonly alertId?: string | null;
  readonly source: string;
  readonly action: 'ban' | 'unban';
  /**
   * Canonical address, or the canonical prefix (`203.0.113.0/24`) of a report about several. For a report that was
   * refused as `invalid_report`: the reported text, cut, or empty.
   */
  readonly victim: string;
  /** `[a-z0-9_]{1,64}` */
  readonly vector: string;
  /** IP protocol number 0..255; null when neither reported nor implied by the vector. */
  readonly protocol: number | null;
  /** Bits per second; null when not reported. */
  readonly bps: number | null;
  /** Packets per second; null when not reported. */
  readonly pps: number | null;
  /** 0..1; null when not reported. */
  readonly confidence: number | null;
  /** Destination ports under attack, ascending, no duplicates, at most 64. */
  readonly ports: readonly number[];
  readonly traits?: TrafficTraits;
  /** The detector's time of the event; null when not reported. Recorded; used only to refuse old events. */
  readonly at: number | null;
  /** The start of the alert by the detector's clock (ms); absent: `at`, or if that is missing the time of arrival. */
  readonly beganAt?: number;
  /**
   * For an unban: the end of the attack by the detector's clock (ms); absent: `at`. It ends nothing that began later.
   */
  readonly endedAt?: number;
  /** The hold mode of this kind of detector; absent: until_ttl. A token or `detectors.*.hold` may override it. */
  readonly hold?: HoldMode;
  /** For an unban: its detector never names the vector, so it covers every vector that this source reported. */
  readonly anyVector?: boolean;
  /** For an unban: it also covers this source's alerts whose ids begin with `alertId` and a slash. */
  readonly withParts?: boolean;
  /** The POPs that see the attack, as the report names them, for steps with scope `reported`; absent: none. */
  readonly pops?: readonly string[];
  /** Notes on values that were ignored or assumed when the report was read; absent: none. */
  readonly notes?: readonly string[];
  /** All other data of the report; kept, never interpreted. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A range of numbers, both ends included. */
export type Range = readonly [from: number, to: number];

/**
 * The packets to match, in terms of packets and not of FlowSpec. An empty or absent list does not restrict. Kept in a
 * normal form (ranges ascending, disjoint, not adjacent), so that equal matches have equal `matchKey`.
 */
export interface Match {
  /** Canonical prefix; required, because a rule without a destination does not exist. */
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

/** A mitigation's recorded states. `pending` is only derived: decided, but in no router yet. */
export type MitigationStatus = 'active' | 'escalated' | 'withdrawn' | 'expired' | 'rejected';

/** The reason why a mitigation ends; its status changes when every established session has been sent the withdrawal. */
export interface Ending {
  readonly to: 'withdrawn' | 'expired';
  readonly at: number;
  readonly actor: Actor;
  readonly reason: string;
  /** This daemon's id of the report that ended it; absent: no report did. */
  readonly eventId?: string;
  /** Another POP's mitigation that only a new policy forbade: it may begin again once the policy allows it. */
  readonly revocable?: true;
}

/**
 * A reporter's alert that keeps a mitigation alive. The mitigation ends with its last hold. A hold lapses when its
 * reporter stops reporting.
 */
export interface Hold {
  readonly source: string;
  /** The detector's id of the alert; null: source, victim and vector identify the alert. */
  readonly alertId: string | null;
  readonly vector: string;
  /** The reported victim: the mitigation's victim, or a host within its prefix. */
  readonly victim: string;
  readonly mode: HoldMode;
  /** 0..1; null when neither the report nor the policy gives one. */
  readonly confidence: number | null;
  /** Start of the alert (ms). An end before it is about another attack. */
  readonly beganAt: number;
  /** Time of the last report (ms). */
  readonly reportedAt: number;
  /** Time at which it lapses without another report (ms). */
  readonly until: number;
}

/**
 * The release of the last hold; the mitigation stays until it expires (`timers.hold_down_seconds`) or is held again.
 */
export interface Release {
  readonly at: number;
  readonly actor: Actor;
  readonly reason: string;
  /** This daemon's id of the report that released it. */
  readonly eventId?: string;
}

/** A victim's traffic that is diverted or blackholed, which its detectors no longer see. */
export interface Away {
  /** ms */
  readonly since: number;
  /** The traffic does not return earlier than this long after `since`. */
  readonly minSeconds: number;
  /** The scrubber reported that the traffic is clean (ms), and nothing was reported since; absent: it did not. */
  readonly cleanAt?: number;
  /** Its blackhole is lifted until then (ms), to see whether the attack goes on; absent: it is not. */
  readonly probeUntil?: number;
}

/** A FlowSpec rule that a mitigation had before its victim's traffic was diverted or blackholed. */
export interface Filter {
  readonly match: Match;
  readonly ports: readonly number[];
  readonly excludedPorts: readonly number[];
  readonly action: MitigationAction;
  /** Index of its step in the playbook. */
  readonly step: number;
}

/**
 * One statement of a POP to the others. `n` counts the statements of one run of its daemon, which is its `epoch`. Only
 * the POP itself makes them, so of two about one thing the later one holds.
 */
export interface IntentVersion {
  readonly pop: string;
  readonly epoch: number;
  readonly n: number;
}

/** Stands for every POP in a list of POPs. */
export const EVERY_POP = '*';

/** One decision to filter, from its first event to its end. */
export interface Mitigation {
  /** Lower-case UUID. */
  readonly id: string;
  readonly status: MitigationStatus;
  readonly ending: Ending | null;
  readonly customerId: string | null;
  readonly serviceId: string | null;
  /** The POP whose daemon keeps it; the one that decided it is in `origin`. */
  readonly pop: string;
  /** Set if another POP decided it: the newest statement that is in effect here. Absent: decided here. */
  readonly origin?: IntentVersion;
  /** The POPs whose routers get its rule, ascending, or EVERY_POP alone; absent or null: `pop` only. */
  readonly pops?: readonly string[] | null;
  readonly victim: string;
  readonly vector: string;
  /** The detector that reported it first; null or absent for an operator's own mitigation. */
  readonly source?: string | null;
  readonly match: Match;
  /** Ports under attack that the rule names; empty when it covers the protocol except `excludedPorts`. Ascending. */
  readonly ports: readonly number[];
  /** The service's allowed ports that the rule leaves alone, ascending, without ranges of more than 64 ports. */
  readonly excludedPorts: readonly number[];
  readonly action: MitigationAction;
  /** Name of the playbook; null for an operator's own mitigation. */
  readonly playbook: string | null;
  /** Index of the playbook's current step, 0-based. */
  readonly step: number;
  /** The step it began at, if no neighbor could enforce those before; absent: the first. */
  readonly firstStep?: number;
  /** Start of the current step (ms). */
  readonly stepSince: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly expiresAt: number;
  /**
   * The time before expiry at which the daemon renews it for its holds or takes its next step (ms); null or absent:
   * only an event does.
   */
  readonly renewAt?: number | null;
  /**
   * The holds that keep it alive; empty for an operator's own, absent in journals of 0.1. At most MAX_HOLDS per source.
   */
  readonly holds?: readonly Hold[];
  readonly release?: Release | null;
  /** Since when its traffic is diverted or blackholed; absent or null: it is not. */
  readonly away?: Away | null;
  /** Its last FlowSpec rule, which neighbors that cannot hold its unicast route keep; absent or null: it has none. */
  readonly filter?: Filter | null;
  readonly endedAt: number | null;
  /** This daemon's ids of events; null for an operator's own mitigation. */
  readonly triggeringEventId: string | null;
  readonly lastEventId: string | null;
  readonly createdBy: Actor;
  /** Decided in dry-run: has all states, but is never announced. */
  readonly dryRun: boolean;
  /** For a rejected one the refusal's code; otherwise the cause in a few words. */
  readonly reason: string;
  /** The steps of the decision, for operators. */
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
  /** The scrubber is not configured, or blackholing is not allowed for this customer. */
  | 'action_not_allowed'
  /** The scrubber does not answer its health probe. */
  | 'scrubber_unhealthy'
  | 'quota_diverted'
  | 'quota_blackholed'
  /** Another POP's mitigation: this POP does not take any from it (`exchange.accept`), or it is not that POP's. */
  | 'import_not_accepted'
  /** Another POP's mitigation: too many of that POP's are active here (`exchange.max_imported_per_pop`). */
  | 'quota_imported'
  /** Another POP's mitigation: it was withdrawn here, and that is final. */
  | 'import_withdrawn'
  /** Another POP's mitigation: announcements are paused here. */
  | 'paused'
  /** The report could not be read: the record has its readable values, and its victim may not be an address. */
  | 'invalid_report';

/** The answer to an event. */
export type EventStatus =
  | 'accepted'
  | 'extended'
  | 'widened'
  | 'escalated'
  | 'accepted_no_playbook'
  | 'accepted_no_mitigation'
  | 'dry_run'
  | 'withdrawn'
  /** An unban released its hold, and the mitigation stays active: others hold it, or the hold-down time runs. */
  | 'released'
  | 'not_found'
  | 'no_active_mitigation'
  | 'rejected'
  | 'duplicate';

/** An event as it is kept. */
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
  /** The hold mode of the token that reported it, if it has one. */
  readonly hold?: HoldMode;
  /** The prefix whose attacked hosts are counted, if one rule may replace many (`aggregation`). */
  readonly block?: string;
  /** Mitigations that the event was about but did not change. */
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
  /** The additions that came by the exchange, each of which a removal must name; absent: it was added here alone. */
  readonly tags?: readonly IntentVersion[];
  /** With tags: it was added here on its own, too, so removals by the exchange leave it. */
  readonly own?: true;
}
