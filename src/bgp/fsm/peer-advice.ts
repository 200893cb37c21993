/** A NOTIFICATION that the peer sent, in words, with what to change and on which side. */
import { CapabilityCode, capabilityCode, decodeCapabilities } from '../wire/capabilities.ts';
import { familyName } from '../wire/iana.ts';
import { notificationText } from '../wire/notification-text.ts';
import { CeaseSubcode, ErrorCode, NotificationError, OpenSubcode } from '../wire/notification.ts';
import { formatIdentifier } from '../wire/open.ts';
import type { Capability, NotificationMessage } from '../wire/types.ts';
import type { FsmConfig, StateName } from './types.ts';

/** What this side sent in its OPEN. */
export type OurSide = Pick<FsmConfig, 'localAsn' | 'localIdentifier' | 'holdTimeSeconds'>;

/** The key is code * 256 + subcode. */
const ADVICE: ReadonlyMap<number, string | ((ours: OurSide) => string)> = new Map<
  number,
  string | ((ours: OurSide) => string)
>([
  [
    at(ErrorCode.OpenMessage, OpenSubcode.UnsupportedVersionNumber),
    'the peer does not speak BGP version 4: is it a BGP speaker?',
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.BadPeerAs),
    ({ localAsn }) =>
      `the peer expects another AS here than AS ${localAsn}: correct local_asn here or the remote AS there`,
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.BadBgpIdentifier),
    ({ localIdentifier }) =>
      `the peer refuses our router id ${formatIdentifier(localIdentifier)}, most likely because it has the same: change router_id here`,
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.UnacceptableHoldTime),
    ({ holdTimeSeconds }) =>
      `the peer refuses our hold time of ${holdTimeSeconds} s: change hold_time_seconds here or its minimum there`,
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.RoleMismatch),
    'the peer demands a BGP role (RFC 9234), which this side does not have: turn strict mode off there',
  ],
  [
    // RFC 5492 §3 would have us come back without capabilities; without them there is no FlowSpec (RFC 4760 §8).
    at(ErrorCode.OpenMessage, OpenSubcode.UnsupportedOptionalParameter),
    'the peer takes no capabilities (RFC 5492), and there is no FlowSpec without them: turn them on there or update the peer',
  ],
  [
    at(ErrorCode.HoldTimerExpired, 0),
    'the peer heard nothing from us for its hold time: check the path to it and the load here',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.MaximumNumberOfPrefixesReached),
    'the peer takes fewer rules than it was sent: set max_rules here to its prefix limit',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.AdministrativeShutdown),
    'its operator shut the session down: it has to be enabled there',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.PeerDeConfigured),
    'this side was removed from its configuration: restore it there or remove the neighbor here',
  ],
  [
    at(ErrorCode.Cease, CeaseSubcode.OutOfResources),
    'the peer has no memory or no room for the session: look there',
  ],
  [at(ErrorCode.Cease, CeaseSubcode.BfdDown), 'BFD on the peer found the path broken: check the link'],
  [
    at(ErrorCode.Cease, CeaseSubcode.ConnectionRejected),
    'the peer does not want this connection: is our address configured as a neighbor there, and enabled?',
  ],
]);

function at(code: number, subcode: number): number {
  return code * 256 + subcode;
}

/** What routers answer to a component or an action that their release does not know (RFC 8955 §4.2, RFC 4271 §6.3). */
const UPDATE_ADVICE =
  'the peer cannot read a rule that it was sent: set dialect here to what the router is, and look for the rule in its log';

function adviceFor(code: number, subcode: number, data: Uint8Array, ours: OurSide): string | undefined {
  if (code === ErrorCode.UpdateMessage) return UPDATE_ADVICE;
  if (code === ErrorCode.OpenMessage && subcode === OpenSubcode.UnsupportedCapability) {
    return capabilityAdvice(namedCapabilities(data));
  }
  const advice = ADVICE.get(at(code, subcode));
  return typeof advice === 'function' ? advice(ours) : advice;
}

/** RFC 5492 §5: the data of 2/7 lists the capabilities that the peer misses; some list those that they refuse. */
function namedCapabilities(data: Uint8Array): readonly Capability[] {
  try {
    return decodeCapabilities(data);
  } catch (error) {
    // Data that cannot be read names nothing; it is shown as it came.
    if (error instanceof NotificationError) return [];
    throw error;
  }
}

/**
 * The session is not tried again with fewer capabilities: the multiprotocol ones are what it is for (RFC 4760 §8), and a
 * session that silently lacks others behaves differently from what the configuration says.
 */
function capabilityAdvice(named: readonly Capability[]): string {
  const families = named.flatMap((one) => (one.type === 'multiprotocol' ? [familyName(one.family)] : []));
  const others = named.filter((one) => one.type !== 'multiprotocol');
  if (families.length > 0 || others.length === 0) {
    const which = families.length === 0 ? '' : ` (it names ${families.join(', ')})`;
    return `the address families do not fit${which}: configure the same ones in families here and there`;
  }
  return others.map(otherAdvice).join('; ');
}

function otherAdvice(capability: Capability): string {
  const code = capabilityCode(capability);
  if (capability.type === 'unknown') {
    return `the peer demands capability ${code}, which this side does not have: make it optional there`;
  }
  const what = `the peer refuses the capability ${capability.type} (${code})`;
  return code === CapabilityCode.GracefulRestart || code === CapabilityCode.LongLivedGracefulRestart
    ? `${what}: remove graceful_restart from this neighbor here, or update the peer`
    : `${what}, which is always offered and which a peer may ignore (RFC 5492 §3): update the peer`;
}

/** What the peer said and what to do about it: one line for `last_error` and the log. */
export function explainNotification({ code, subcode, data }: NotificationMessage, ours: OurSide): string {
  // RFC 8538 §3.1: a Hard Reset begins its data with the code and the subcode that it stands for.
  const hard = code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset && data.length >= 2;
  const advice = hard
    ? adviceFor(data[0] ?? 0, data[1] ?? 0, data.subarray(2), ours)
    : adviceFor(code, subcode, data, ours);
  const said = `peer sent ${notificationText(code, subcode, data)}`;
  return advice === undefined ? said : `${said}; ${advice}`;
}

// What a peer's silence suggests, or a connection that it closes without a NOTIFICATION: it says nothing itself, so these
// are the likely causes and where to look. explain.ts has what a NOTIFICATION says.

/** A state that lasts so long deserves a hint, in seconds; on a sound session each of them takes far less. */
export const PATIENCE_SECONDS = 10;

type Side = Pick<FsmConfig, 'localAsn' | 'alikeOnBothSides'>;

/** A dial that nobody answered within the ConnectRetryTime. */
export function unansweredDial({
  connectRetrySeconds,
  alikeOnBothSides,
}: Pick<FsmConfig, 'connectRetrySeconds' | 'alikeOnBothSides'>): string {
  return `no answer to the connection attempt for ${connectRetrySeconds} s: ${pathAdvice(alikeOnBothSides)}`;
}

/** OpenSent: no OPEN arrived on the connection, within `seconds` or yet. */
export function noOpen({ localAsn, alikeOnBothSides }: Side, seconds?: number): string {
  const alike = alikeOnBothSides === undefined ? '' : ` Check ${alikeOnBothSides} as well.`;
  return `connected, and no OPEN came${spanText(seconds)}: is this side's address configured as a neighbor there, with AS ${localAsn}?${alike}`;
}

/** OpenConfirm: the peer's OPEN arrived, and no KEEPALIVE by which it would accept ours, within `seconds` or yet. */
export function noKeepalive(seconds?: number): string {
  return `peer has sent its OPEN and no KEEPALIVE${spanText(seconds)}, so it has not accepted ours: ${UNACCEPTED}`;
}

function spanText(seconds: number | undefined): string {
  return seconds === undefined ? ' yet' : ` for ${seconds} s`;
}

const UNACCEPTED =
  'look in its log for why (its session limit, families, AS numbers); if it never received our OPEN, check the path and any helper in between for the MTU and for the direction to the peer';

/** What it suggests that the peer closed or reset the connection in `state` without a NOTIFICATION; undefined for nothing. */
export function closedHint(state: StateName, { localAsn }: Pick<FsmConfig, 'localAsn'>): string | undefined {
  switch (state) {
    case 'opensent':
      return `it had sent no OPEN: is this side's address configured as a neighbor there, with AS ${localAsn}, and enabled?`;
    case 'openconfirm':
      return 'it had sent its OPEN and did not accept ours, without a NOTIFICATION: look in its log for why';
    default:
      return undefined;
  }
}

/** What is known of a session that is not established. */
export interface Waiting {
  readonly state: StateName;
  /** How long it has been in this state. */
  readonly seconds: number;
  readonly config: Side & Pick<FsmConfig, 'passive'>;
}

/**
 * What may keep a session where it is; undefined while that is not yet worth a word, or where its last error says it. The
 * text stays the same while the state lasts.
 */
export function waitingHint({ state, seconds, config }: Waiting): string | undefined {
  if (seconds < PATIENCE_SECONDS) return undefined;
  switch (state) {
    case 'connect':
      return `no answer to the connection attempt yet: ${pathAdvice(config.alikeOnBothSides)}`;
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

function pathAdvice(alikeOnBothSides: string | undefined): string {
  return `check the address, the path, filters on it, and ${alikeOnBothSides ?? 'whether the peer wants an MD5 password or GTSM'}`;
}
