/** How sessions and their Adj-RIB-Outs look from outside. */
import type { z } from 'zod';
import type { Announcer } from '../control/announcer.ts';
import type { ReconcilerView } from '../control/types.ts';
import type { Said } from '../core/state.ts';
import { toHex } from '../net/bytes.ts';
import { timeText } from '../net/time.ts';
import type { NotificationSchema, PeerSchema, RibRouteSchema } from './schemas.ts';
import { timeOrNull } from '../view/values.ts';

export type PeerStatus = ReturnType<Announcer['peers']>[number];
type Notification = NonNullable<PeerStatus['lastNotificationSent']>;
type Family = PeerStatus['families'][number];
type SentRoute = NonNullable<ReturnType<ReturnType<Announcer['ribOut']>['sent']>>;

const AFI_NAMES: Readonly<Record<number, string>> = { 1: 'ipv4', 2: 'ipv6' };
const SAFI_NAMES: Readonly<Record<number, string>> = { 1: 'unicast', 133: 'flowspec', 134: 'flowspec-vpn' };

/** The configured name of a family (`ipv4-flowspec`), or `afi/safi` for one without a name. */
export function familyText({ afi, safi }: Family): string {
  const [net, kind] = [AFI_NAMES[afi], SAFI_NAMES[safi]];
  return net === undefined || kind === undefined ? `${afi}/${safi}` : `${net}-${kind}`;
}

function notificationView(notification: Notification | null): z.output<typeof NotificationSchema> | null {
  if (notification === null) return null;
  const { code, subcode, text, at } = notification;
  return { code, subcode, text, at: timeText(at) };
}

function causeView(cause: PeerStatus['lastCause']): z.output<typeof PeerSchema>['last_cause'] {
  if (cause === null) return null;
  const { text, firstAt, lastAt, count, symptom } = cause;
  return { text, first_at: timeText(firstAt), last_at: timeText(lastAt), count, symptom };
}

/** `disabled`: who keeps it down, null when nobody does. */
export function peerView(peer: PeerStatus, disabled: Said | null, now: number): z.output<typeof PeerSchema> {
  const { negotiated, counters, establishedAt } = peer;
  return {
    name: peer.name,
    address: peer.address,
    peer_asn: peer.peerAsn,
    state: peer.state,
    state_since: timeText(peer.stateSince),
    enabled: peer.enabled,
    disabled: disabled && {
      by: disabled.actor.name,
      at: timeText(disabled.at),
      reason: disabled.reason,
    },
    established_at: timeOrNull(establishedAt),
    uptime_seconds: establishedAt === null ? null : Math.max(0, Math.floor((now - establishedAt) / 1000)),
    families: peer.families.map(familyText),
    negotiated: negotiated && {
      hold_time_seconds: negotiated.holdTimeSeconds,
      families: negotiated.families.map(familyText),
      four_octet_as: negotiated.fourOctetAs,
      route_refresh: negotiated.routeRefresh,
      enhanced_route_refresh: negotiated.enhancedRouteRefresh,
      extended_messages: negotiated.extendedMessages,
      graceful_restart: negotiated.gracefulRestart,
      peer_router_id: negotiated.peerRouterId,
    },
    rules_sent: peer.rulesSent,
    rules_pending: peer.rulesPending,
    last_error: peer.lastError,
    hint: peer.hint,
    last_cause: causeView(peer.lastCause),
    last_notification_sent: notificationView(peer.lastNotificationSent),
    last_notification_received: notificationView(peer.lastNotificationReceived),
    counters: {
      messages_in: { ...counters.messagesIn },
      messages_out: { ...counters.messagesOut },
      routes_received: counters.routesReceived,
      established: counters.established,
      flaps: counters.flaps,
      since: timeText(peer.countedSince),
      last_flap_at: timeOrNull(peer.lastFlapAt),
    },
  };
}

/** One route as it was written to a neighbor. */
export function routeView(
  peer: string,
  { route, sentAt }: SentRoute,
  reconciler: ReconcilerView,
): z.output<typeof RibRouteSchema> {
  const { extendedCommunities, ipv6ExtendedCommunities } = route.attributes;
  return {
    family: familyText(route.family),
    nlri_hex: toHex(route.nlri),
    rule: route.text,
    actions_hex: toHex(extendedCommunities) + toHex(ipv6ExtendedCommunities),
    mitigation_id: reconciler.ownerOf(peer, route.key) ?? null,
    sent_at: timeText(sentAt),
  };
}
