/** Converts events and facts to the API's form. */
import type { z } from 'zod';
import type { RecordedFact } from '../core/facts.ts';
import { tcpFlagWords } from '../core/policy/refinement.ts';
import type { EventRecord, SafelistEntry } from '../core/types.ts';
import { timeText } from '../net/time.ts';
import { changeView, decidedMitigationView } from './mitigation.ts';
import type { EventSchema, SafelistEntrySchema } from './schemas.ts';
import { actorView, protocolOrNull, timeOrNull } from './values.ts';

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

// Facts.

export function safelistEntryView(entry: SafelistEntry): z.output<typeof SafelistEntrySchema> {
  return {
    prefix: entry.prefix,
    reason: entry.reason,
    added_at: timeText(entry.addedAt),
    added_by: entry.addedBy.name,
    configured: entry.configured,
  };
}

/** Returns a fact for the feed: what happened, without later changes. */
export function factView({ seq, at, fact }: RecordedFact): Readonly<Record<string, unknown>> {
  return { seq, at: timeText(at), type: fact.type, ...factBody(fact) };
}

function factBody(fact: RecordedFact['fact']): Readonly<Record<string, unknown>> {
  switch (fact.type) {
    case 'event.received':
      return { event: eventView(fact.event) };
    case 'mitigation.created':
    case 'mitigation.rejected':
    case 'mitigation.imported':
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
    case 'import.refused': {
      const { origin, mitigationId, victim, vector, reason, detail } = fact;
      return { mitigation_id: mitigationId, origin: origin.pop, victim_ip: victim, vector, reason, detail };
    }
    case 'import.ended':
      return {
        mitigation_id: fact.mitigationId,
        origin: fact.origin.pop,
        reason: fact.reason,
        ...(fact.actor === undefined ? {} : { actor: actorView(fact.actor) }),
      };
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
    case 'scrubber.down':
      return { scrubber: fact.scrubber, reason: fact.reason };
    case 'scrubber.up':
      return { scrubber: fact.scrubber };
    case 'policy.loaded':
      return { actor: actorView(fact.actor), summary: fact.summary };
  }
}
