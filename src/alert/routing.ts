/** Decides which destinations get an alert: by event, customer and severity. */
import {
  type Alert,
  type AlertEvent,
  type AlertKind,
  isWanted,
  leavesUnprotected,
  TEST_ALERT,
} from './alert.ts';
import { type AlertDestination, type AlertSeverity, SEVERITIES } from './alert-destination.ts';

/** Which alerts a destination gets. */
export interface AlertRoute {
  readonly events: ReadonlySet<AlertEvent>;
  /** Undefined: alerts about any customer and about none. */
  readonly customers: ReadonlySet<string> | undefined;
  readonly minSeverity: AlertSeverity;
  /** True if it has incidents, which must be ended. */
  readonly hasIncidents: boolean;
}

/** Types of destinations that open an incident and end it. */
const WITH_INCIDENTS: ReadonlySet<AlertDestination['type']> = new Set(['pagerduty', 'opsgenie']);

/** Returns a destination's route. `events`: those of destinations that name none. */
export function routeOf(destination: AlertDestination, events: readonly AlertEvent[]): AlertRoute {
  const { customers, minSeverity = 'info' } = destination;
  return {
    events: new Set(destination.events ?? events),
    customers: customers === undefined ? undefined : new Set(customers),
    minSeverity,
    hasIncidents: WITH_INCIDENTS.has(destination.type),
  };
}

/** Returns true if a destination with this route gets the alert. */
export function isRouted(
  alert: Alert,
  { events, customers, minSeverity, hasIncidents }: AlertRoute,
): boolean {
  if (alert.resolves === true && !hasIncidents) return false;
  if (!isWanted(alert, events)) return false;
  if (customers !== undefined && !customers.has(customerOf(alert) ?? '')) return false;
  // An incident that was opened must end, however low the severity of an end is.
  if (hasIncidents && endsIncident(alert)) return true;
  return SEVERITIES.indexOf(alertSeverity(alert)) >= SEVERITIES.indexOf(minSeverity);
}

/** Returns the customer that an alert is about; undefined if it is about none, or about several. */
export function customerOf({ event, mitigation }: Alert): string | undefined {
  if (mitigation === undefined) return undefined;
  // Gathered refusals by a quota of the POP have victims of several customers, who must not read of each other.
  const { reason, customerId } = mitigation;
  const isShared = event === 'mitigation.rejected' && reason.startsWith('quota_');
  return isShared && reason !== 'quota_customer' ? undefined : (customerId ?? undefined);
}

const ENDS: ReadonlySet<AlertKind> = new Set<AlertKind>([
  'mitigation.withdrawn',
  'mitigation.expired',
  'control.resumed',
  'scrubber.up',
]);

/** Returns true for an alert that ends an incident. */
export function endsIncident({ event, resolves }: Alert): boolean {
  return ENDS.has(event) || resolves === true;
}

const EVENT_SEVERITIES: Readonly<Record<AlertKind, AlertSeverity>> = {
  'mitigation.created': 'warning',
  'mitigation.rejected': 'info',
  'mitigation.extended': 'info',
  'mitigation.widened': 'warning',
  'mitigation.escalated': 'critical',
  'mitigation.withdrawn': 'info',
  'mitigation.expired': 'info',
  'mitigation.unenforced': 'critical',
  'scrubber.request_failed': 'critical',
  'mitigation.imported': 'warning',
  'import.refused': 'warning',
  'safelist.added': 'info',
  'safelist.removed': 'info',
  'control.paused': 'warning',
  'control.resumed': 'info',
  'peer.disabled': 'warning',
  'peer.enabled': 'info',
  'scrubber.down': 'critical',
  'scrubber.up': 'info',
  'policy.loaded': 'info',
  [TEST_ALERT]: 'info',
};

/**
 * Returns an alert's severity: by its event, except that a refusal that leaves a victim unprotected is critical, and
 * that a dry run, which changes no router, is only information.
 */
export function alertSeverity(alert: Alert): AlertSeverity {
  if (alert.mitigation?.dryRun === true) return 'info';
  return leavesUnprotected(alert) ? 'critical' : EVENT_SEVERITIES[alert.event];
}
