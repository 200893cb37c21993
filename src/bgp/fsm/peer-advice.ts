/** Explains a peer's NOTIFICATION or silence: the likely cause, and what to change on which side. */
import { CapabilityCode, capabilityCode, decodeCapabilities } from '../wire/capabilities.ts';
import { familyName } from '../wire/iana.ts';
import { notificationText } from '../wire/notification-text.ts';
import { CeaseSubcode, ErrorCode, NotificationError, OpenSubcode } from '../wire/notification.ts';
import { formatIdentifier } from '../wire/open.ts';
import type { Capability, NotificationMessage } from '../wire/types.ts';
import type { FsmConfig, StateName } from './types.ts';

/** The values of this side's OPEN that the advice names. */
export type OurSide = Pick<FsmConfig, 'localAsn' | 'localIdentifier' | 'holdTimeSeconds'>;

/** Advice by code * 256 + subcode. */
const ADVICE: ReadonlyMap<number, string | ((ours: OurSide) => string)> = new Map<
  number,
  string | ((ours: OurSide) => string)
>([
  [
    at(ErrorCode.OpenMessage, OpenSubcode.UnsupportedVersionNumber),
    'the peer does not support BGP version 4: is it a BGP speaker?',
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.BadPeerAs),
    ({ localAsn }) =>
      `the peer expects a different AS here than AS ${localAsn}: correct local_asn here or the remote AS there`,
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.BadBgpIdentifier),
    ({ localIdentifier }) =>
      `the peer refuses our router id ${formatIdentifier(localIdentifier)}, most likely because it has the same one: change router_id here`,
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.UnacceptableHoldTime),
    ({ holdTimeSeconds }) =>
      `the peer refuses our hold time of ${holdTimeSeconds} s: change hold_time_seconds here or its minimum there`,
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.RoleMismatch),
    'the peer requires a BGP role (RFC 9234), which prefixd does not support: disable strict mode there',
  ],
  [
    // RFC 5492 §3 suggests to retry without capabilities, but FlowSpec needs them (RFC 4760 §8).
    at(ErrorCode.OpenMessage, OpenSubcode.UnsupportedOptionalParameter),
    'the peer does not accept capabilities (RFC 5492), which FlowSpec needs: enable them there or update the peer',
  ],
  [
    at(ErrorCode.HoldTimerExpired, 0),
    'the peer received nothing from us within its hold time: check the path to it and the load on this host',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.MaximumNumberOfPrefixesReached),
    'the peer accepts fewer rules than it was sent: set max_rules here to its prefix limit',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.AdministrativeShutdown),
    'the operator there shut the session down: it must be enabled there',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.PeerDeConfigured),
    'this side was removed from its configuration: restore it there or remove the neighbor here',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.OutOfResources),
    'the peer lacks resources for the session: check its memory and session limits',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.BfdDown),
    'BFD on the peer reports that the path is down: check the link',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.ConnectionRejected),
    'the peer rejects this connection: is our address configured as a neighbor there, and enabled?',
  ],
]);

function at(code: number, subcode: number): number {
  return code * 256 + subcode;
}

/**
 * Advice for an UPDATE error, which a router sends if its release does not know a component or action (RFC 8955 §4.2,
 * RFC 4271 §6.3).
 */
const UPDATE_ADVICE =
  'the peer could not decode a rule: set dialect here to match the router, and look for the rule in its log';

function adviceFor(code: number, subcode: number, data: Uint8Array, ours: OurSide): string | undefined {
  if (code === ErrorCode.UpdateMessage) return UPDATE_ADVICE;
  if (code === ErrorCode.OpenMessage && subcode === OpenSubcode.UnsupportedCapability) {
    return capabilityAdvice(namedCapabilities(data));
  }
  const advice = ADVICE.get(at(code, subcode));
  return typeof advice === 'function' ? advice(ours) : advice;
}

/**
 * Reads the capabilities in the data of 2/7. RFC 5492 §5: those that the peer misses; some peers list those that they
 * refuse.
 */
function namedCapabilities(data: Uint8Array): readonly Capability[] {
  try {
    return decodeCapabilities(data);
  } catch (error) {
    // Unreadable data names no capability; it is shown in hexadecimal.
    if (error instanceof NotificationError) return [];
    throw error;
  }
}

/**
 * Advises on a refused capability. The session is not retried with fewer capabilities: it needs the multiprotocol ones
 * (RFC 4760 §8), and a session without the others would differ from the configuration without anybody noticing.
 */
function capabilityAdvice(named: readonly Capability[]): string {
  const families = named.flatMap((one) => (one.type === 'multiprotocol' ? [familyName(one.family)] : []));
  const others = named.filter((one) => one.type !== 'multiprotocol');
  if (families.length > 0 || others.length === 0) {
    const which = families.length === 0 ? '' : ` (it names ${families.join(', ')})`;
    return `the address families do not match${which}: configure the same ones in families here and there`;
  }
  return others.map(otherAdvice).join('; ');
}

function otherAdvice(capability: Capability): string {
  const code = capabilityCode(capability);
  if (capability.type === 'unknown') {
    return `the peer requires capability ${code}, which prefixd does not support: make it optional there`;
  }
  const what = `the peer refuses the capability ${capability.type} (${code})`;
  return code === CapabilityCode.GracefulRestart || code === CapabilityCode.LongLivedGracefulRestart
    ? `${what}: remove graceful_restart from this neighbor here, or update the peer`
    : `${what}, which is always offered and which a peer should ignore if unknown (RFC 5492 §3): update the peer`;
}

/** Explains a NOTIFICATION and what to do about it, in one line for `last_error` and the log. */
export function explainNotification({ code, subcode, data }: NotificationMessage, ours: OurSide): string {
  // RFC 8538 §3.1: a Hard Reset's data begins with the code and the subcode of the true reason.
  const hard = code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset && data.length >= 2;
  const advice = hard
    ? adviceFor(data[0] ?? 0, data[1] ?? 0, data.subarray(2), ours)
    : adviceFor(code, subcode, data, ours);
  const said = `peer sent ${notificationText(code, subcode, data)}`;
  return advice === undefined ? said : `${said}; ${advice}`;
}

// Likely causes if a peer is silent, or closes a connection without a NOTIFICATION.

/** A state that lasts this long gets a hint, in seconds; on a healthy session each takes far less. */
export const PATIENCE_SECONDS = 10;

type Side = Pick<FsmConfig, 'localAsn' | 'sharedSettings'>;

/** Explains a dial without an answer within the ConnectRetryTime. */
export function unansweredDial({
  connectRetrySeconds,
  sharedSettings,
}: Pick<FsmConfig, 'connectRetrySeconds' | 'sharedSettings'>): string {
  return `no answer to the connection attempt for ${connectRetrySeconds} s: ${pathAdvice(sharedSettings)}`;
}

/** Explains OpenSent: no OPEN arrived on the connection, within `seconds` or yet. */
export function noOpen({ localAsn, sharedSettings }: Side, seconds?: number): string {
  const shared = sharedSettings === undefined ? '' : ` Check ${sharedSettings} as well.`;
  return `connected, but no OPEN received${spanText(seconds)}: is this side's address configured as a neighbor there, with AS ${localAsn}?${shared}`;
}

/** Explains OpenConfirm: the peer's OPEN arrived, but no KEEPALIVE to accept ours, within `seconds` or yet. */
export function noKeepalive(seconds?: number): string {
  return `peer sent its OPEN but no KEEPALIVE${spanText(seconds)}, so it has not accepted ours: ${UNACCEPTED}`;
}

function spanText(seconds: number | undefined): string {
  return seconds === undefined ? ' yet' : ` for ${seconds} s`;
}

const UNACCEPTED =
  'look in its log for the reason (session limit, families, AS numbers); if it never received our OPEN, check the path towards the peer and its MTU, including any helper in between';

/**
 * Returns the likely cause if the peer closed or reset the connection in `state` without a NOTIFICATION; undefined if
 * there is none.
 */
export function closedHint(state: StateName, { localAsn }: Pick<FsmConfig, 'localAsn'>): string | undefined {
  switch (state) {
    case 'opensent':
      return `it had sent no OPEN: is this side's address configured as a neighbor there, with AS ${localAsn}, and enabled?`;
    case 'openconfirm':
      return 'it had sent its OPEN but did not accept ours, without a NOTIFICATION: look in its log for the reason';
    default:
      return undefined;
  }
}

/** The state of a session that is not established. */
export interface Waiting {
  readonly state: StateName;
  /** Seconds in this state. */
  readonly seconds: number;
  readonly config: Side & Pick<FsmConfig, 'passive'>;
}

/**
 * Returns the likely reason why a session stays in its state; undefined if it is too early, or if the last error
 * explains it. The text stays the same while the state lasts.
 */
export function waitingHint({ state, seconds, config }: Waiting): string | undefined {
  if (seconds < PATIENCE_SECONDS) return undefined;
  switch (state) {
    case 'connect':
      return `no answer to the connection attempt yet: ${pathAdvice(config.sharedSettings)}`;
    case 'active':
      return config.passive
        ? 'passive, and the peer has not connected yet: does it dial the address and port of bgp.listen, from its address here?'
        : undefined;
    case 'opensent':
      return noOpen(config);
    case 'openconfirm':
      return noKeepalive();
    default:
      return undefined;
  }
}

function pathAdvice(sharedSettings: string | undefined): string {
  return `check the address, the path, filters on it, and ${sharedSettings ?? 'whether the peer wants an MD5 password or GTSM'}`;
}
