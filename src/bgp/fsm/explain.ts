/** A NOTIFICATION that the peer sent, in words, with what to change and on which side. */
import { CapabilityCode, capabilityCode, decodeCapabilities } from '../wire/capabilities.ts';
import { familyName } from '../wire/iana.ts';
import { notificationText } from '../wire/notification-text.ts';
import { CeaseSubcode, ErrorCode, NotificationError, OpenSubcode } from '../wire/notification.ts';
import type { Capability, NotificationMessage } from '../wire/types.ts';

/** The key is code * 256 + subcode. */
const ADVICE: ReadonlyMap<number, string> = new Map([
  [
    at(ErrorCode.OpenMessage, OpenSubcode.BadPeerAs),
    'the peer expects another AS here: correct local_asn here or the remote AS there',
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.BadBgpIdentifier),
    'the peer refuses our router id: change router_id here, it may be used twice',
  ],
  [
    at(ErrorCode.OpenMessage, OpenSubcode.UnacceptableHoldTime),
    'the peer refuses our hold time: change hold_time_seconds here or its minimum there',
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
    'the peer takes fewer rules than it was sent: raise its prefix limit there or lower max_rules here',
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

function adviceFor(code: number, subcode: number, data: Uint8Array): string | undefined {
  if (code === ErrorCode.UpdateMessage) return UPDATE_ADVICE;
  return code === ErrorCode.OpenMessage && subcode === OpenSubcode.UnsupportedCapability
    ? capabilityAdvice(namedCapabilities(data))
    : ADVICE.get(at(code, subcode));
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
export function explainNotification({ code, subcode, data }: NotificationMessage): string {
  // RFC 8538 §3.1: a Hard Reset begins its data with the code and the subcode that it stands for.
  const hard = code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset && data.length >= 2;
  const advice = hard
    ? adviceFor(data[0] ?? 0, data[1] ?? 0, data.subarray(2))
    : adviceFor(code, subcode, data);
  const said = `peer sent ${notificationText(code, subcode, data)}`;
  return advice === undefined ? said : `${said}; ${advice}`;
}
