/** Converts facts to audit entries: who did what to which object, when and why, with the values before and after. */
import { SYSTEM } from '../../core/decide/lifecycle.ts';
import type { Fact, MitigationChange, RecordedFact } from '../../core/facts.ts';
import type { Actor, EventRecord, Mitigation } from '../../core/types.ts';
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
    switch (fact.type) {
      case 'event.received':
        return this.#event(seq, at, fact.event);
      case 'mitigation.created':
      case 'mitigation.rejected': {
        const { mitigation } = fact;
        if (fact.type === 'mitigation.created') this.#mitigations.set(mitigation.id, known(mitigation));
        const { reason, why } = mitigation;
        return entry(seq, at, fact.type, mitigation.createdBy, target(mitigation.id), {
          reason,
          why,
          after: mitigationValues(mitigation),
        });
      }
      case 'mitigation.extended':
      case 'mitigation.widened':
      case 'mitigation.escalated':
        return this.#change(seq, at, fact.type, fact.id, fact.change);
      case 'mitigation.released': {
        const { actor, reason } = fact.release;
        const { expiresAt } = fact;
        const before = this.#mitigations.get(fact.id);
        if (before !== undefined && expiresAt !== undefined) {
          this.#mitigations.set(fact.id, { ...before, expiresAt });
        }
        const times = (at: number | undefined) => (at === undefined ? {} : { expires_at: timeText(at) });
        return entry(seq, at, fact.type, actor, target(fact.id), {
          reason,
          before: expiresAt === undefined ? null : times(before?.expiresAt),
          after: { released: fact.holds.length, ...times(expiresAt) },
        });
      }
      case 'mitigation.moved': {
        const { id, actor, customerId, serviceId } = fact;
        return entry(seq, at, fact.type, actor, target(id), {
          reason: 'the inventory assigns its victim to another customer or service',
          after: { customer_id: customerId, service_id: serviceId },
        });
      }
      case 'mitigation.ending': {
        const before = this.#mitigations.get(fact.id);
        const { ending } = fact;
        if (before !== undefined) this.#mitigations.set(fact.id, { ...before, ending });
        return entry(seq, at, fact.type, ending.actor, target(fact.id), {
          reason: ending.reason,
          before:
            before === undefined ? null : { status: before.status, expires_at: timeText(before.expiresAt) },
          after: { ending: true, to: ending.to },
        });
      }
      case 'mitigation.withdrawn':
      case 'mitigation.expired': {
        const before = this.#mitigations.get(fact.id);
        this.#mitigations.delete(fact.id);
        return entry(seq, at, fact.type, before?.ending?.actor ?? SYSTEM, target(fact.id), {
          reason: before?.ending?.reason ?? null,
          before: before === undefined ? null : { status: before.status },
          after: { status: fact.type === 'mitigation.withdrawn' ? 'withdrawn' : 'expired' },
        });
      }
      default:
        return operatorEntry(seq, at, fact);
    }
  }

  #remember({ id, actor }: EventRecord): void {
    this.#actors.set(id, actor);
    for (const oldest of this.#actors.keys()) {
      if (this.#actors.size <= EVENTS) break;
      this.#actors.delete(oldest);
    }
  }

  #event(seq: number, at: number, event: EventRecord): AuditEntry {
    this.#remember(event);
    // The detector's own details are only in the journal: they may be long and have any content.
    const { externalId, source, action, victim, vector, bps, pps, confidence, ports } = event.detection;
    return entry(
      seq,
      at,
      'event.received',
      event.actor,
      { type: 'event', id: event.id },
      {
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
      },
    );
  }

  #change(seq: number, at: number, action: Fact['type'], id: string, change: MitigationChange): AuditEntry {
    const before = this.#mitigations.get(id);
    const isEscalated = action === 'mitigation.escalated';
    const after = valuesOf(change, change, isEscalated ? 'escalated' : null);
    let old: AuditValues | null = null;
    if (before !== undefined) {
      old = valuesOf(before, change, isEscalated ? before.status : null);
      this.#mitigations.set(id, knownAfter(before, change, isEscalated ? 'escalated' : before.status));
    }
    const event = change.lastEventId;
    return entry(
      seq,
      at,
      action,
      (event === undefined ? undefined : this.#actors.get(event)) ?? SYSTEM,
      target(id),
      {
        ...(change.why === undefined ? {} : { why: change.why }),
        before: old,
        after,
      },
    );
  }
}

/** Returns the entry of an action that no fact records. */
export function entryOfAction({ type, at, actor, target, reason }: AuditAction): AuditEntry {
  const [noun = type] = type.split('.');
  return entry(null, at, type, actor, { type: noun, id: target }, { reason });
}

type OperatorFact = Extract<
  Fact,
  {
    type: `safelist.${string}` | `control.${string}` | `peer.${string}` | `policy.${string}`;
  }
>;

function operatorEntry(seq: number, at: number, fact: OperatorFact): AuditEntry {
  switch (fact.type) {
    case 'safelist.added':
      return entry(
        seq,
        at,
        fact.type,
        fact.entry.addedBy,
        { type: 'safelist', id: fact.entry.prefix },
        {
          reason: fact.entry.reason,
          after: { prefix: fact.entry.prefix },
        },
      );
    case 'safelist.removed':
      return entry(
        seq,
        at,
        fact.type,
        fact.actor,
        { type: 'safelist', id: fact.prefix },
        {
          before: { prefix: fact.prefix },
        },
      );
    case 'control.paused':
    case 'control.resumed': {
      const paused = fact.type === 'control.paused';
      return entry(
        seq,
        at,
        fact.type,
        fact.actor,
        { type: 'control', id: 'announcements' },
        {
          reason: fact.reason,
          before: { paused: !paused },
          after: { paused },
        },
      );
    }
    case 'peer.disabled':
    case 'peer.enabled': {
      const enabled = fact.type === 'peer.enabled';
      return entry(
        seq,
        at,
        fact.type,
        fact.actor,
        { type: 'peer', id: fact.peer },
        {
          reason: fact.reason,
          after: { enabled },
        },
      );
    }
    case 'policy.loaded':
      return entry(
        seq,
        at,
        fact.type,
        fact.actor,
        { type: 'policy', id: 'configuration' },
        {
          reason: fact.summary,
        },
      );
  }
}

function entry(
  seq: number | null,
  at: number,
  action: string,
  actor: Actor,
  of: AuditEntry['target'],
  rest: Partial<Pick<AuditEntry, 'reason' | 'why' | 'before' | 'after'>>,
): AuditEntry {
  return {
    v: 1,
    seq,
    time: timeText(at),
    action,
    actor: {
      kind: actor.kind,
      name: actor.name,
      via: actor.via ?? null,
      address: actor.address ?? null,
      request_id: actor.requestId ?? null,
    },
    target: of,
    reason: rest.reason ?? null,
    why: rest.why ?? [],
    before: rest.before ?? null,
    after: rest.after ?? null,
  };
}

function target(id: string): AuditEntry['target'] {
  return { type: 'mitigation', id };
}

// Values of mitigations, and the values that are kept to show them before a change.

/** Values by their names in the API. */
export type AuditValues = Readonly<Record<string, unknown>>;

/** The values that a later entry may show as `before`. */
export type KnownMitigation = Pick<
  Mitigation,
  'status' | 'ending' | 'match' | 'ports' | 'excludedPorts' | 'action' | 'step' | 'expiresAt' | 'lastEventId'
>;

/** Returns a new mitigation's values: those of the API, without the ones that the entry itself has. */
export function mitigationValues(mitigation: Mitigation): AuditValues {
  const { mitigation_id, created_by, reason, why, ...values } = decidedMitigationView(mitigation);
  return values;
}

/** Returns the values to remember. */
export function known(mitigation: KnownMitigation): KnownMitigation {
  const { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId } = mitigation;
  return { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId };
}

/** Returns the values to remember after a change. */
export function knownAfter(
  before: KnownMitigation,
  change: MitigationChange,
  status: Mitigation['status'],
): KnownMitigation {
  const {
    match = before.match,
    ports = before.ports,
    excludedPorts = before.excludedPorts,
    action = before.action,
    step = before.step,
    expiresAt = before.expiresAt,
    lastEventId = before.lastEventId,
  } = change;
  const { ending } = before;
  return { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId };
}

/** Returns the values of `source` for the keys of `change`, and the status unless it is null. */
export function valuesOf(
  source: Changeable,
  change: Changeable,
  status: KnownMitigation['status'] | null,
): AuditValues {
  const values = changedValues(source, change);
  return status === null ? values : { status, ...values };
}
