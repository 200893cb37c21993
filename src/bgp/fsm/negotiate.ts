/** Builds this side's OPEN and checks the peer's OPEN (RFC 4271 §4.2 and §6.2, RFC 5492). */
import { encodeCapabilities } from '../wire/capabilities.ts';
import { AS_TRANS, type Family, familyName, sameFamily } from '../wire/iana.ts';
import { ErrorCode, NotificationError, OpenSubcode } from '../wire/notification.ts';
import {
  BGP_VERSION,
  findCapability,
  formatIdentifier,
  myAsField,
  offeredFamilies,
  peerAsn,
} from '../wire/open.ts';
import type { Capability, OpenMessage } from '../wire/types.ts';
import type { Agreement, FsmConfig, RestartFamily } from './types.ts';

/** RFC 4271 §8.2.2: "A HoldTimer value of 4 minutes is suggested" until the OPENs have settled it. */
export const LARGE_HOLD_SECONDS = 240;

/**
 * Builds this side's OPEN. Capabilities beyond multiprotocol and 4-octet AS are always offered: the peer ignores those
 * it does not know.
 */
export function localOpen(config: FsmConfig): OpenMessage {
  const capabilities: Capability[] = config.families.map((family) => ({ type: 'multiprotocol', family }));
  capabilities.push({ type: 'route-refresh' }, { type: 'extended-message' });
  const restart = config.gracefulRestart;
  if (restart !== undefined) {
    capabilities.push({
      type: 'graceful-restart',
      restarting: restart.restarting,
      notification: true,
      restartTime: restart.restartTimeSeconds,
      // RFC 4724 §3, the F bit: the router does the filtering, and it continues while we are away. That holds for a
      // lost connection as for a restart, and §4.2 drops stale routes if the bit is clear.
      families: (restart.families ?? config.families).map((family) => ({
        family,
        forwardingPreserved: true,
      })),
    });
  }
  capabilities.push({ type: 'four-octet-as', asn: config.localAsn }, { type: 'enhanced-route-refresh' });
  if (restart !== undefined && restart.longLivedStaleSeconds > 0) {
    capabilities.push({
      type: 'long-lived-graceful-restart',
      families: config.families.map((family) => ({
        family,
        forwardingPreserved: true,
        staleTime: restart.longLivedStaleSeconds,
      })),
    });
  }
  return {
    type: 'open',
    version: BGP_VERSION,
    myAs: myAsField(config.localAsn),
    holdTime: config.holdTimeSeconds,
    bgpIdentifier: config.localIdentifier,
    capabilities,
  };
}

/**
 * Returns the parameters of a session with this peer, or the NOTIFICATION for its OPEN. The error's message tells an
 * operator what to change and on which side. Errors that need no configuration (version, hold time 1 and 2, identifier
 * 0, AS 0) are already refused when the OPEN is decoded.
 */
export function negotiate(open: OpenMessage, config: FsmConfig): Agreement | NotificationError {
  return (
    checkPeerAs(open, config) ??
    checkIdentifier(open, config) ??
    checkFamilies(open, config) ??
    agree(open, config)
  );
}

// RFC 4271 §6.2: "If the Autonomous System field of the OPEN message is unacceptable, then the Error Subcode MUST be set
// to Bad Peer AS."
function checkPeerAs(open: OpenMessage, config: FsmConfig): NotificationError | undefined {
  const asn = peerAsn(open);
  if (asn === config.peerAsn) return undefined;
  if (asn === AS_TRANS) {
    return openError(
      OpenSubcode.BadPeerAs,
      `peer sent AS ${AS_TRANS} (AS_TRANS) and no 4-octet AS number, but peer_asn says ${config.peerAsn}: enable 4-octet AS numbers there (RFC 6793)`,
    );
  }
  return openError(
    OpenSubcode.BadPeerAs,
    `peer is AS ${asn} but peer_asn says ${config.peerAsn}: correct peer_asn here or the local AS there`,
  );
}

// RFC 6286 §2.2: "If the BGP Identifier field of the OPEN message is zero, or if it is the same as the BGP Identifier of
// the local BGP speaker and the message is from an internal peer, then the Error Subcode is set to Bad BGP Identifier."
function checkIdentifier(open: OpenMessage, config: FsmConfig): NotificationError | undefined {
  if (open.bgpIdentifier !== config.localIdentifier || config.localAsn !== config.peerAsn) return undefined;
  return openError(
    OpenSubcode.BadBgpIdentifier,
    `peer has our own router id ${formatIdentifier(open.bgpIdentifier)}: within one AS they must differ, change router_id here or there`,
  );
}

// RFC 5492 §3: "if a BGP speaker that supports a certain capability determines that its peer doesn't support this
// capability, the speaker MAY send a NOTIFICATION message [...] and terminate peering". §5: subcode 7; "the Data field
// in the NOTIFICATION message MUST list the set of capabilities that causes the speaker to send the message".
function checkFamilies(open: OpenMessage, config: FsmConfig): NotificationError | undefined {
  if (sharedFamilies(open, config).length > 0) return undefined;
  const required = config.families.map((family): Capability => ({ type: 'multiprotocol', family }));
  const theirs = offeredFamilies(open).map(familyName).join(', ');
  const ours = config.families.map(familyName).join(', ');
  return openError(
    OpenSubcode.UnsupportedCapability,
    `no address family in common: this side offers ${ours}, peer offers ${theirs}: add the missing family there or correct families here`,
    encodeCapabilities(required),
  );
}

function agree(open: OpenMessage, config: FsmConfig): Agreement {
  const families = sharedFamilies(open, config);
  // RFC 4271 §4.2: "a BGP speaker MUST calculate the value of the Hold Timer by using the smaller of its configured Hold
  // Time and the Hold Time received in the OPEN message."
  const holdTimeSeconds = Math.min(open.holdTime, config.holdTimeSeconds);
  const theirRestart = findCapability(open, 'graceful-restart');
  const gracefulRestart = config.gracefulRestart !== undefined && theirRestart !== undefined;
  const has = (type: Capability['type']): boolean => open.capabilities.some((c) => c.type === type);
  return {
    holdTimeSeconds,
    // RFC 4271 §4.4: "A reasonable maximum time between KEEPALIVE messages would be one third of the Hold Time interval."
    keepaliveSeconds: holdTimeSeconds / 3,
    families,
    familiesRefused: config.families.filter((family) => !families.includes(family)),
    fourOctetAs: has('four-octet-as'),
    routeRefresh: has('route-refresh'),
    enhancedRouteRefresh: has('enhanced-route-refresh'),
    extendedMessages: has('extended-message'),
    // RFC 4724 §3: without families the sender cannot keep its own forwarding state, but it does help us keep ours.
    gracefulRestart,
    notificationRestart: gracefulRestart && theirRestart.notification,
    peerRestartSeconds: theirRestart?.restartTime ?? 0,
    peerRestartFamilies: eachOnce(theirRestart?.families ?? []),
    peerAsn: peerAsn(open),
    peerIdentifier: open.bgpIdentifier,
    peerRouterId: formatIdentifier(open.bgpIdentifier),
    internal: config.localAsn === config.peerAsn,
  };
}

/** Removes repeated families; the last entry of a family counts. */
function eachOnce(listed: readonly RestartFamily[]): readonly RestartFamily[] {
  return listed.filter(
    (one, at) => listed.findLastIndex(({ family }) => sameFamily(family, one.family)) === at,
  );
}

function sharedFamilies(open: OpenMessage, config: FsmConfig): readonly Family[] {
  const theirs = offeredFamilies(open);
  return config.families.filter((family) => theirs.some((other) => sameFamily(family, other)));
}

function openError(subcode: number, message: string, data?: Uint8Array): NotificationError {
  return new NotificationError(ErrorCode.OpenMessage, subcode, message, data);
}

/** RFC 9687 §5: the SendHoldTime is the greater of 8 minutes and twice the hold time. */
export function sendHoldSeconds(agreement: Agreement): number {
  return Math.max(480, 2 * agreement.holdTimeSeconds);
}
