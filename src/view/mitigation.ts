/** Converts a mitigation to the API's form: the decision, without the routers' states. */
import { isShared } from '../core/action.ts';
import type { z } from 'zod';
import { excludedRanges } from '../core/decide/rule.ts';
import type { MitigationChange } from '../core/facts.ts';
import { holdsOf } from '../core/state/holds.ts';
import { rangeText } from '../core/rule-text.ts';
import type { Away, Ending, Hold, Mitigation } from '../core/types.ts';
import { timeText } from '../net/time.ts';
import { actionView } from './action-view.ts';
import {
  type DecidedMitigationSchema,
  type HoldSchema,
  matchView,
  type MitigationStatusSchema,
} from './schemas.ts';
import { actorView, protocolOrNull, timeOrNull } from './values.ts';

export function holdView(hold: Hold): z.output<typeof HoldSchema> {
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

/** Returns a mitigation as decided, with the given status. */
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
    origin: mitigation.origin?.pop ?? null,
    pops: [...popsOf(mitigation)],
    victim_ip: mitigation.victim,
    vector: mitigation.vector,
    protocol: protocolOrNull(mitigation.match.protocol),
    dst_ports: [...mitigation.ports],
    excluded_ports: [...mitigation.excludedPorts],
    excluded_port_ranges: excludedRanges(mitigation).map(rangeText),
    ...actionView(mitigation.action),
    rate_shared: isShared(mitigation.action),
    dst_prefix: mitigation.match.dstPrefix,
    match: matchView(mitigation.match),
    created_at: timeText(mitigation.createdAt),
    updated_at: timeText(mitigation.updatedAt),
    expires_at: timeText(mitigation.expiresAt),
    away: awayView(mitigation.away ?? undefined),
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
    end: mitigation.ending === null ? null : endView(mitigation.ending),
  };
}

/** Returns the POPs whose routers get the rule; EVERY_POP alone for all. */
function popsOf({
  pops,
  pop,
}: {
  readonly pops?: Mitigation['pops'];
  readonly pop: string;
}): readonly string[] {
  return pops ?? [pop];
}

function awayView(away: Away | undefined): z.output<typeof DecidedMitigationSchema>['away'] {
  if (away === undefined) return null;
  const { since, minSeconds, cleanAt, probeUntil } = away;
  return {
    since: timeText(since),
    not_before: timeText(since + minSeconds * 1000),
    clean_at: cleanAt === undefined ? null : timeText(cleanAt),
    lifted_until: probeUntil === undefined ? null : timeText(probeUntil),
  };
}

function endView({ to, at, actor, reason }: Ending): z.output<typeof DecidedMitigationSchema>['end'] {
  return { to, at: timeText(at), by: actorView(actor), reason };
}

/** A change, or the mitigation that it changes. */
export type Changeable = Omit<MitigationChange, 'lastEventId' | 'renewAt' | 'hold' | 'why' | 'origin'> & {
  readonly lastEventId?: string | null;
};

/**
 * Returns the values of a change's keys, from `source`: the change itself, or the mitigation before it. Written out,
 * because copying optional keys one by one costs several times as much for every event of an attack.
 */
export function changedValues(source: Changeable, change: Changeable): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  if (change.match !== undefined) {
    values.protocol = protocolOrNull(source.match?.protocol);
    values.dst_prefix = source.match?.dstPrefix;
    values.match = source.match && matchView(source.match);
  }
  if (change.ports !== undefined) values.dst_ports = source.ports;
  if (change.excludedPorts !== undefined) values.excluded_ports = source.excludedPorts;
  if (change.action !== undefined) {
    if (source.action !== undefined) Object.assign(values, actionView(source.action));
    const isSharedNow = source.action !== undefined && isShared(source.action);
    if (isShared(change.action) || isSharedNow) values.rate_shared = isSharedNow;
  }
  if (change.pops !== undefined) values.pops = source.pops ?? null;
  if (change.dryRun !== undefined) values.dry_run = source.dryRun ?? null;
  if (change.step !== undefined) values.step = source.step;
  if (change.expiresAt !== undefined) values.expires_at = timeOrNull(source.expiresAt);
  if (change.lastEventId !== undefined && change.lastEventId !== null) {
    values.last_event_id = source.lastEventId ?? null;
  }
  return values;
}

/** Returns the changes of an extension, a widening or an escalation. */
export function changeView(change: MitigationChange): Readonly<Record<string, unknown>> {
  const values = changedValues(change, change);
  if (change.hold !== undefined) values.hold = holdView(change.hold);
  if (change.why !== undefined) values.why = change.why;
  return values;
}
