/** What can raise an alert, by the name that the configuration, the alerts and the facts share. */

/** In the order of the documentation. */
export const ALERT_EVENTS = [
  'mitigation.created',
  'mitigation.rejected',
  'mitigation.extended',
  'mitigation.widened',
  'mitigation.escalated',
  'mitigation.withdrawn',
  'mitigation.expired',
  'mitigation.unenforced',
  'safelist.added',
  'safelist.removed',
  'control.paused',
  'control.resumed',
  'peer.disabled',
  'peer.enabled',
  'policy.loaded',
] as const;

export type AlertEvent = (typeof ALERT_EVENTS)[number];
