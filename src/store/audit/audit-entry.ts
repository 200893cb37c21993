/** Converts facts to audit entries: who did what to which object, when and why, with the values before and after. */
import { popActor } from '../../core/intent.ts';
import { SYSTEM } from '../../core/decide/lifecycle.ts';
import type { Fact, MitigationChange, RecordedFact } from '../../core/facts.ts';
import type { Actor, EventRecord, Mitigation } from '../../core/types.ts';
import { forgetOldest } from '../../net/queue.ts';
import { timeText } from '../../net/time.ts';
import { type Changeable, changedValues, decidedMitigationView } from '../../view/mitigation.ts';

/** One line of the audit log. Keys are as in the API; times are RFC 3339. */
export interface AuditEntry {
  readonly v: 1;
  /** Number of the fact; null for an action that no fact records. */
  readonly seq: number | null;
  readonly time: string;
  /** Type of the fact or of the operator's action, such as `mitigation.created`. */
  readonly action: string;
  readonly actor: {
    readonly kind: Actor['kind'];
    readonly name: string;
    /** Name of the token or certificate if the caller gave another `name`; otherwise null. */
    readonly via: string | null;
    /** Of a person who has signed in; absent for others. */
    readonly issuer?: string;
    readonly subject?: string;
    readonly address: string | null;
    readonly request_id: string | null;
  };
  readonly target: { readonly type: string; readonly id: string };
  readonly reason: string | null;
  readonly why: readonly string[];
  /** The changed values before the change; null if there were none, or if they are no longer known. */
  readonly before: AuditValues | null;
  readonly after: AuditValues | null;
}

/** An operator's action that no fact records, such as clearing a peer. */
export interface AuditAction {
  /** In the form `noun.verb`. */
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly actor: Actor;
  readonly target: string;
  readonly reason: string;
}

/** Events whose actor is remembered; an event's consequences follow immediately. */
const EVENTS = 1_000;

/** Follows the facts, so that an entry can show the values before a change and the event's actor. */
export class AuditTrail {
  readonly #mitigations = new Map<string, KnownMitigation>();
  readonly #actors = new Map<string, Actor>();

  /** `live` are the mitigations, and `events` the events (oldest first), before the first fact that follows. */
  constructor(live: Iterable<Mitigation> = [], events: Iterable<EventRecord> = []) {
    for (const mitigation of live) this.#mitigations.set(mitigation.id, known(mitigation));
    for (const event of events) this.#remember(event);
  }

  entryOf({ seq, at, fact }: RecordedFact): AuditEntry {
    return entry(seq, at, fact.type, this.#contentOf(fact));
  }

  #contentOf(fact: Fact): Content {
    switch (fact.type) {
      case 'event.received':
        return this.#event(fact.event);
      case 'mitigation.created':
      case 'mitigation.rejected':
      case 'mitigation.imported': {
        const { mitigation } = fact;
        const { id, createdBy, reason, why } = mitigation;
        if (fact.type !== 'mitigation.rejected') this.#mitigations.set(id, known(mitigation));
        return { actor: createdBy, target: target(id), reason, why, after: mitigationValues(mitigation) };
      }
      case 'mitigation.extended':
      case 'mitigation.widened':
      case 'mitigation.escalated':
        return this.#change(fact.type === 'mitigation.escalated', fact.id, fact.change);
      case 'mitigation.released': {
        const { actor, reason } = fact.release;
        const { expiresAt } = fact;
        const before = this.#mitigations.get(fact.id);
        if (before !== undefined && expiresAt !== undefined) {
          this.#mitigations.set(fact.id, { ...before, expiresAt });
        }
        const times = (at: number | undefined) => (at === undefined ? {} : { expires_at: timeText(at) });
        return {
          actor,
          target: target(fact.id),
          reason,
          before: expiresAt === undefined ? null : times(before?.expiresAt),
          after: { released: fact.holds.length, ...times(expiresAt) },
        };
      }
      case 'mitigation.moved': {
        const { id, actor, customerId, serviceId } = fact;
        const reason = 'the inventory assigns its victim to another customer or service';
        const after = { customer_id: customerId, service_id: serviceId };
        return { actor, target: target(id), reason, after };
      }
      case 'mitigation.ending': {
        const before = this.#mitigations.get(fact.id);
        const { ending } = fact;
        if (before !== undefined) this.#mitigations.set(fact.id, { ...before, ending });
        return {
          actor: ending.actor,
          target: target(fact.id),
          reason: ending.reason,
          before:
            before === undefined ? null : { status: before.status, expires_at: timeText(before.expiresAt) },
          after: { ending: true, to: ending.to },
        };
      }
      case 'mitigation.withdrawn':
      case 'mitigation.expired': {
        const before = this.#mitigations.get(fact.id);
        this.#mitigations.delete(fact.id);
        return {
          actor: before?.ending?.actor ?? SYSTEM,
          target: target(fact.id),
          reason: before?.ending?.reason ?? null,
          before: before === undefined ? null : { status: before.status },
          after: { status: fact.type === 'mitigation.withdrawn' ? 'withdrawn' : 'expired' },
        };
      }
      default:
        return operatorContent(fact);
    }
  }

  #remember({ id, actor }: EventRecord): void {
    this.#actors.set(id, actor);
    forgetOldest(this.#actors, EVENTS);
  }

  #event(event: EventRecord): Content {
    this.#remember(event);
    // The detector's own details are only in the journal: they may be long and have any content.
    const { externalId, source, action, victim, vector, bps, pps, confidence, ports } = event.detection;
    return {
      actor: event.actor,
      target: { type: 'event', id: event.id },
      reason: event.refusal,
      why: event.why,
      after: {
        status: event.status,
        mitigation_id: event.mitigationId,
        external_event_id: externalId,
        source,
        action,
        victim_ip: victim,
        vector,
        bps,
        pps,
        confidence,
        top_dst_ports: ports,
      },
    };
  }

  #change(isEscalated: boolean, id: string, change: MitigationChange): Content {
    const before = this.#mitigations.get(id);
    if (before !== undefined) {
      const status = isEscalated ? 'escalated' : before.status;
      this.#mitigations.set(id, known({ ...before, ...change, status }));
    }
    const { lastEventId, origin, why } = change;
    const reporter = lastEventId === undefined ? undefined : this.#actors.get(lastEventId);
    return {
      actor: origin === undefined ? (reporter ?? SYSTEM) : popActor(origin.pop),
      target: target(id),
      ...(why === undefined ? {} : { why }),
      before: before === undefined ? null : valuesOf(before, change, isEscalated && before.status),
      after: valuesOf(change, change, isEscalated && 'escalated'),
    };
  }
}

/** Returns the entry of an action that no fact records. */
export function entryOfAction({ type, at, actor, target, reason }: AuditAction): AuditEntry {
  const [noun = type] = type.split('.');
  return entry(null, at, type, { actor, target: { type: noun, id: target }, reason });
}

type OperatorFact = Extract<
  Fact,
  {
    type:
      | `safelist.${string}`
      | `control.${string}`
      | `peer.${string}`
      | `scrubber.${string}`
      | `policy.${string}`
      | `import.${string}`;
  }
>;

function operatorContent(fact: OperatorFact): Content {
  switch (fact.type) {
    case 'safelist.added': {
      const { prefix, addedBy, reason } = fact.entry;
      return { actor: addedBy, target: { type: 'safelist', id: prefix }, reason, after: { prefix } };
    }
    case 'safelist.removed': {
      const { actor, prefix } = fact;
      return { actor, target: { type: 'safelist', id: prefix }, before: { prefix } };
    }
    case 'control.paused':
    case 'control.resumed': {
      const { actor, reason } = fact;
      const paused = fact.type === 'control.paused';
      const target = { type: 'control', id: 'announcements' };
      return { actor, target, reason, before: { paused: !paused }, after: { paused } };
    }
    case 'peer.disabled':
    case 'peer.enabled': {
      const { actor, peer, reason } = fact;
      const enabled = fact.type === 'peer.enabled';
      return { actor, target: { type: 'peer', id: peer }, reason, after: { enabled } };
    }
    case 'scrubber.down':
    case 'scrubber.up': {
      const healthy = fact.type === 'scrubber.up';
      const reason = healthy ? null : fact.reason;
      return { actor: SYSTEM, target: { type: 'scrubber', id: fact.scrubber }, reason, after: { healthy } };
    }
    case 'import.refused': {
      const { origin, mitigationId, victim, vector, reason, detail } = fact;
      const after = { origin: origin.pop, victim_ip: victim, vector };
      return { actor: popActor(origin.pop), target: target(mitigationId), reason, why: [detail], after };
    }
    case 'import.ended': {
      const { origin, mitigationId, reason, actor = popActor(origin.pop) } = fact;
      return { actor, target: target(mitigationId), reason };
    }
    case 'policy.loaded':
      return {
        actor: fact.actor,
        target: { type: 'policy', id: 'configuration' },
        reason: fact.summary,
      };
  }
}

/** The part of an entry that depends on the kind of fact. */
interface Content extends Partial<Pick<AuditEntry, 'reason' | 'why' | 'before' | 'after'>> {
  readonly actor: Actor;
  readonly target: AuditEntry['target'];
}

function entry(seq: number | null, at: number, action: string, content: Content): AuditEntry {
  const { actor, target, reason = null, why = [], before = null, after = null } = content;
  return {
    v: 1,
    seq,
    time: timeText(at),
    action,
    actor: {
      kind: actor.kind,
      name: actor.name,
      via: actor.via ?? null,
      ...(actor.issuer === undefined ? {} : { issuer: actor.issuer }),
      ...(actor.subject === undefined ? {} : { subject: actor.subject }),
      address: actor.address ?? null,
      request_id: actor.requestId ?? null,
    },
    target,
    reason,
    why,
    before,
    after,
  };
}

function target(id: string): AuditEntry['target'] {
  return { type: 'mitigation', id };
}

// Values of mitigations, and the values that are kept to show them before a change.

/** Values by their names in the API. */
type AuditValues = Readonly<Record<string, unknown>>;

/** The values that a later entry may show as `before`. */
type KnownMitigation = Pick<
  Mitigation,
  | 'status'
  | 'ending'
  | 'match'
  | 'ports'
  | 'excludedPorts'
  | 'action'
  | 'step'
  | 'expiresAt'
  | 'lastEventId'
  | 'pops'
  | 'dryRun'
>;

/** Returns a new mitigation's values: those of the API, without the ones that the entry itself has. */
function mitigationValues(mitigation: Mitigation): AuditValues {
  const { mitigation_id, created_by, reason, why, ...values } = decidedMitigationView(mitigation);
  return values;
}

/** Returns the values to remember. */
function known(mitigation: KnownMitigation): KnownMitigation {
  const { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId } = mitigation;
  const { pops = null, dryRun } = mitigation;
  return { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId, pops, dryRun };
}

/** Returns the values of `source` for the keys of `change`, and the status unless it is false. */
function valuesOf(
  source: Changeable,
  change: Changeable,
  status: KnownMitigation['status'] | false,
): AuditValues {
  const values = changedValues(source, change);
  return status === false ? values : { status, ...values };
}
