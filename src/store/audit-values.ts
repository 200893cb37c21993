/** What the audit log says of a mitigation and its changes, and what has to be remembered to say how it was before. */
import type { MitigationChange } from '../core/facts.ts';
import type { Mitigation } from '../core/types.ts';
import { type Changeable, changedValues, decidedMitigationView } from '../view/mitigation.ts';

/** Values by their names in the API. */
export type AuditValues = Readonly<Record<string, unknown>>;

/** What a later entry may have to say a mitigation was before. */
export type Known = Pick<
  Mitigation,
  'status' | 'ending' | 'match' | 'ports' | 'excludedPorts' | 'action' | 'step' | 'expiresAt' | 'lastEventId'
>;

/** What the log says of a mitigation at its beginning: all that the API says, but what the entry itself tells. */
export function mitigationValues(mitigation: Mitigation): AuditValues {
  const { mitigation_id, created_by, reason, why, ...values } = decidedMitigationView(mitigation);
  return values;
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

/** The values that a change carries, as `source` has them, under the status that is given. */
export function valuesOf(
  source: Changeable,
  change: Changeable,
  status: Known['status'] | null,
): AuditValues {
  const values = changedValues(source, change);
  return status === null ? values : { status, ...values };
}
