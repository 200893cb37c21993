/** Defines the destinations of alerts: where they are, which alerts they get, and how often. */
import type { AlertEvent } from './alert.ts';

/** Types of destinations, in the order of the documentation. */
export const DESTINATION_TYPES = [
  'slack',
  'discord',
  'teams',
  'telegram',
  'pagerduty',
  'opsgenie',
  'webhook',
] as const;

export type DestinationType = (typeof DESTINATION_TYPES)[number];

/** Service regions of PagerDuty and Opsgenie, which have hosts of their own. */
export const SERVICE_REGIONS = ['us', 'eu'] as const;

export type ServiceRegion = (typeof SERVICE_REGIONS)[number];

/** How urgent an alert is, in ascending order. */
export const SEVERITIES = ['info', 'warning', 'critical'] as const;

export type AlertSeverity = (typeof SEVERITIES)[number];

/** Where a destination is. `webhookUrl`, `botToken`, `routingKey`, `apiKey`, `url` and `secret` are secrets. */
type DestinationAddress =
  | { readonly type: 'slack'; readonly webhookUrl: string }
  | { readonly type: 'discord'; readonly webhookUrl: string }
  | { readonly type: 'teams'; readonly webhookUrl: string }
  | {
      readonly type: 'telegram';
      readonly botToken: string;
      readonly chatId: string;
      /** Topic of a group; absent: none. */
      readonly threadId?: number;
    }
  | { readonly type: 'pagerduty'; readonly routingKey: string; readonly region?: ServiceRegion }
  | { readonly type: 'opsgenie'; readonly apiKey: string; readonly region?: ServiceRegion }
  /** Unsigned if `secret` is undefined. */
  | { readonly type: 'webhook'; readonly url: string; readonly secret: string | undefined };

/** Which alerts a destination gets, and how often. */
interface DestinationRules {
  /** Default: from the type, see `destinationNames`. */
  readonly name?: string;
  /** Default: the events of `alerting`. */
  readonly events?: readonly AlertEvent[];
  /** Only alerts about these customers. Default: all alerts. */
  readonly customers?: readonly string[];
  /** Default: info. */
  readonly minSeverity?: AlertSeverity;
  /** Time for which alerts are gathered into one message (s). Default: they are not. */
  readonly digestSeconds?: number;
}

export type AlertDestination = DestinationAddress & DestinationRules;

/**
 * Returns the destinations' names: as configured, or by type, such as `slack`, and `slack-2` for the second one of a
 * type.
 */
export function destinationNames(
  destinations: readonly { readonly type: DestinationType; readonly name?: string | undefined }[],
): readonly string[] {
  const counts = new Map<string, number>();
  return destinations.map(({ type, name }) => {
    const count = (counts.get(type) ?? 0) + 1;
    counts.set(type, count);
    return name ?? (count === 1 ? type : `${type}-${count}`);
  });
}
