/** How decisions look from outside: snake_case, times RFC 3339 in UTC, protocols by name. */
import type { z } from 'zod';
import type { ReconcilerView } from '../control/types.ts';
import type { RecordedFact } from '../core/facts.ts';
import { holdsOf } from '../core/holds.ts';
import { tcpFlagWords } from '../core/refinement.ts';
import { sparedRanges } from '../core/rule.ts';
import type { Actor, EventRecord, Hold, Mitigation, SafelistEntry } from '../core/types.ts';
import { protocolName } from '../core/vectors.ts';
import { rangeText } from '../core/words.ts';
import { timeText } from '../net/time.ts';
import { matchView } from './match-view.ts';
import type {
  ActorSchema,
  DecidedMitigationSchema,
  EventSchema,
  HoldSchema,
  MitigationSchema,
  MitigationStatusSchema,
  SafelistEntrySchema,
} from './schemas.ts';

/** As timeText, null for null. */
export function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : timeText(ms);
}

const protocolOrNull = (protocol: number | null): string | null =>
  protocol === null ? null : protocolName(protocol);

export function actorView(actor: Actor): z.output<typeof ActorSchema> {
  return {
    kind: actor.kind,
    name: actor.name,
    ...(actor.via === undefined ? {} : { via: actor.via }),
    ...(actor.address === undefined ? {} : { address: actor.address }),
    ...(actor.requestId === undefined ? {} : { request_id: actor.requestId }),
  };
}

export function eventView(event: EventRecord): z.output<typeof EventSchema> {
  const { detection } = event;
  return {
    event_id: event.id,
    external_event_id: detection.externalId,
    received_at: timeText(event.receivedAt),
    timestamp: timeOrNull(detection.at),
    source: detection.source,
    action: detection.action,
    victim_ip: detection.victim,
    vector: detection.vector,
    protocol: protocolOrNull(detection.protocol),
    bps: detection.bps,
    pps: detection.pps,
    confidence: detection.confidence,
    top_dst_ports: [...detection.ports],
    top_src_ports: [...(detection.traits?.srcPorts ?? [])],
    tcp_flags: tcpFlagWords(detection.traits ?? {}),
    status: event.status,
    reason: event.refusal,
    mitigation_id: event.mitigationId,
    why: [...event.why],
    raw_details: { ...detection.details },
  };
}

function holdView(hold: Hold): z.output<typeof HoldSchema> {
  return {
    source: hold.source,
    alert_id: hold.alertId,
    vector: hold.vector,
    victim_ip: hold.victim,
    hold: hold.mode,
    confidence: hold.confidence,
    began_at: timeText(hold.beganAt),
    reported_at: timeText(hold.reportedAt),
    until: timeText(hold.until),
  };
}

/** A mitigation as decided, under the status that is given. */
export function decidedMitigationView(
  mitigation: Mitigation,
  status: z.output<typeof MitigationStatusSchema> = mitigation.status,
): z.output<typeof DecidedMitigationSchema> {
  return {
    mitigation_id: mitigation.id,
    status,
    customer_id: mitigation.customerId,
    service_id: mitigation.serviceId,
    pop: mitigation.pop,
    victim_ip: mitigation.victim,
    vector: mitigation.vector,
    protocol: protocolOrNull(mitigation.match.protocol),
    dst_ports: [...mitigation.ports],
    excluded_ports: [...mitigation.excludedPorts],
    excluded_port_ranges: sparedRanges(mitigation).map(rangeText),
    action_type: mitigation.action.type,
    rate_bps: mitigation.action.rateBps,
    dst_prefix: mitigation.match.dstPrefix,
    match: matchView(mitigation.match),
    created_at: timeText(mitigation.createdAt),
    updated_at: timeText(mitigation.updatedAt),
    expires_at: timeText(mitigation.expiresAt),
    withdrawn_at: mitigation.status === 'withdrawn' ? timeOrNull(mitigation.endedAt) : null,
    ended_at: timeOrNull(mitigation.endedAt),
    triggering_event_id: mitigation.triggeringEventId,
    last_event_id: mitigation.lastEventId,
    playbook: mitigation.playbook,
    step: mitigation.step,
    dry_run: mitigation.dryRun,
    created_by: actorView(mitigation.createdBy),
    reason: mitigation.reason,
    why: [...mitigation.why],
    held_by: [...new Set(holdsOf(mitigation).map(({ source }) => source))],
    ending: mitigation.ending !== null && mitigation.endedAt === null,
  };
}

/**
 * The status that operators see: `pending` while a mitigation that should stand in routers was not yet sent to any of
 * them. Facts do not record it, because it is about sessions and not about decisions.
 */
export function shownStatus(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
): z.output<typeof MitigationStatusSchema> {
  const standing = mitigation.status === 'active' || mitigation.status === 'escalated';
  if (!standing || mitigation.ending !== null || mitigation.dryRun) return mitigation.status;
  const sent = reconciler.rulesOf(mitigation.id).some((rule) => rule.state === 'sent');
  return sent ? mitigation.status : 'pending';
}

/** A mitigation with its rules on each neighbor. */
export function mitigationView(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
): z.output<typeof MitigationSchema> {
  return {
    ...decidedMitigationView(mitigation, shownStatus(mitigation, reconciler)),
    holds: holdsOf(mitigation).map(holdView),
    rule: reconciler.ruleText(mitigation.id),
    rules: reconciler.rulesOf(mitigation.id).map(({ neighbor, rule, nlriHex, state, why }) => ({
      neighbor,
      rule,
      nlri_hex: nlriHex,
      state,
      ...(why === undefined ? {} : { why }),
    })),
  };
}

export function safelistEntryView(entry: SafelistEntry): z.output<typeof SafelistEntrySchema> {
  return {
    prefix: entry.prefix,
    reason: entry.reason,
    added_at: timeText(entry.addedAt),
    added_by: entry.addedBy.name,
    configured: entry.configured,
  };
}

/** A fact as the feed tells it: what happened, without asking what has become of it since. */
export function factView({ seq, at, fact }: RecordedFact): Readonly<Record<string, unknown>> {
  return { seq, at: timeText(at), type: fact.type, ...factBody(fact) };
}

function factBody(fact: RecordedFact['fact']): Readonly<Record<string, unknown>> {
  switch (fact.type) {
    case 'event.received':
      return { event: eventView(fact.event) };
    case 'mitigation.created':
    case 'mitigation.rejected':
      return { mitigation_id: fact.mitigation.id, mitigation: decidedMitigationView(fact.mitigation) };
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated':
      return { mitigation_id: fact.id, change: changeView(fact.change) };
    case 'mitigation.released': {
      const { at, actor, reason } = fact.release;
      return {
        mitigation_id: fact.id,
        released: { holds: fact.holds.length, at: timeText(at), actor: actorView(actor), reason },
        ...(fact.expiresAt === undefined ? {} : { change: { expires_at: timeText(fact.expiresAt) } }),
      };
    }
    case 'mitigation.moved': {
      const { id, customerId, serviceId, actor } = fact;
      const change = { customer_id: customerId, service_id: serviceId };
      return { mitigation_id: id, change, actor: actorView(actor) };
    }
    case 'mitigation.ending': {
      const { to, at, actor, reason } = fact.ending;
      return { mitigation_id: fact.id, ending: { to, at: timeText(at), actor: actorView(actor), reason } };
    }
    case 'mitigation.withdrawn':
    case 'mitigation.expired':
      return { mitigation_id: fact.id };
    case 'safelist.added':
      return { entry: safelistEntryView(fact.entry) };
    case 'safelist.removed':
      return { prefix: fact.prefix, actor: actorView(fact.actor) };
    case 'control.paused':
    case 'control.resumed':
      return { actor: actorView(fact.actor), reason: fact.reason };
    case 'peer.disabled':
    case 'peer.enabled':
      return { peer: fact.peer, actor: actorView(fact.actor), reason: fact.reason };
    case 'policy.loaded':
      return { actor: actorView(fact.actor), summary: fact.summary };
  }
}

type Change = Extract<RecordedFact['fact'], { change: unknown }>['change'];

function changeView(change: Change): Readonly<Record<string, unknown>> {
  return {
    ...(change.match === undefined
      ? {}
      : { dst_prefix: change.match.dstPrefix, match: matchView(change.match) }),
    ...(change.ports === undefined ? {} : { dst_ports: change.ports }),
    ...(change.excludedPorts === undefined ? {} : { excluded_ports: change.excludedPorts }),
    ...(change.action === undefined
      ? {}
      : { action_type: change.action.type, rate_bps: change.action.rateBps }),
    ...(change.step === undefined ? {} : { step: change.step }),
    ...(change.expiresAt === undefined ? {} : { expires_at: timeText(change.expiresAt) }),
    ...(change.hold === undefined ? {} : { hold: holdView(change.hold) }),
    ...(change.lastEventId === undefined ? {} : { last_event_id: change.lastEventId }),
    ...(change.why === undefined ? {} : { why: change.why }),
  };
}
