/** A NOTIFICATION that the peer sent, in words, with what to change and on which side. */
import { notificationText } from '../wire/notification-text.ts';
import { CeaseSubcode, ErrorCode, OpenSubcode } from '../wire/notification.ts';
import type { NotificationMessage } from '../wire/types.ts';

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
    at(ErrorCode.OpenMessage, OpenSubcode.UnsupportedCapability),
    'the address families do not fit: configure the same ones in families here and there',
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

/** What the peer said and what to do about it: one line for `last_error` and the log. */
export function explainNotification({ code, subcode, data }: NotificationMessage): string {
  // RFC 8538 §3.1: a Hard Reset begins its data with the code and the subcode that it stands for.
  const hard = code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset && data.length >= 2;
  const advice = hard ? ADVICE.get(at(data[0] ?? 0, data[1] ?? 0)) : ADVICE.get(at(code, subcode));
  const said = `peer sent ${notificationText(code, subcode, data)}`;
  return advice === undefined ? said : `${said}; ${advice}`;
}
