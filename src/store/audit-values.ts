/** What the audit log says of a mitigation and its changes, and what has to be remembered to say how it was before. */
import type { MitigationChange } from '../core/facts.ts';
import type { Mitigation } from '../core/types.ts';
import { timeText } from '../net/time.ts';

/** Values by their names in the API. */
export type AuditValues = Readonly<Record<string, unknown>>;

/** What a later entry may have to say a mitigation was before. */
export type Known = Pick<
  Mitigation,
  'status' | 'ending' | 'match' | 'ports' | 'excludedPorts' | 'action' | 'step' | 'expiresAt' | 'lastEventId'
>;

/** What the log says of a mitigation at its beginning. */
export function mitigationValues(mitigation: Mitigation): AuditValues {
  const { status, customerId, serviceId, pop, victim, vector, playbook, dryRun, triggeringEventId } =
    mitigation;
  return {
    status,
    customer_id: customerId,
    service_id: serviceId,
    pop,
    victim_ip: victim,
    vector,
    playbook,
    dry_run: dryRun,
    triggering_event_id: triggeringEventId,
    ...valuesOf(mitigation, mitigation, null),
  };
}

/** What is remembered of a mitigation. */
export function known(mitigation: Known): Known {
  const { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId } = mitigation;
  return { status, ending, match, ports, excludedPorts, action, step, expiresAt, lastEventId };
}

/** The same after a change. */
export function knownAfter(before: Known, change: MitigationChange, status: Mitigation['status']): Known {
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

/** A change, or the mitigation that it changes. */
type Changeable = Omit<MitigationChange, 'lastEventId'> & { readonly lastEventId?: string | null };

/**
 * The values that a change carries, as `source` has them: the change itself, or the mitigation before it. Written out,
 * because copying what may be there key by key costs several times as much for every event of an attack.
 */
export function valuesOf(
  source: Changeable,
  change: Changeable,
  status: Known['status'] | null,
): AuditValues {
  const values: Record<string, unknown> = status === null ? {} : { status };
  if (change.match !== undefined) values.match = source.match;
  if (change.ports !== undefined) values.dst_ports = source.ports;
  if (change.excludedPorts !== undefined) values.excluded_ports = source.excludedPorts;
  if (change.action !== undefined) {
    values.action_type = source.action?.type;
    values.rate_bps = source.action?.rateBps;
  }
  if (change.step !== undefined) values.step = source.step;
  if (change.expiresAt !== undefined) {
    values.expires_at = source.expiresAt === undefined ? null : timeText(source.expiresAt);
  }
  if (change.lastEventId !== undefined && change.lastEventId !== null) {
    values.last_event_id = source.lastEventId ?? null;
  }
  return values;
}
