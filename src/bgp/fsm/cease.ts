/** Cease NOTIFICATIONs: the ends of sessions that someone wanted (RFC 4486, RFC 9003, RFC 8538). */
import { concatBytes } from '../../net/bytes.ts';
import { CeaseSubcode, ErrorCode } from '../wire/notification.ts';
import { encodeShutdownCommunication } from '../wire/shutdown-communication.ts';
import type { NotificationMessage } from '../wire/types.ts';
import type { Cease } from './types.ts';

/**
 * The NOTIFICATION for `cease`. With `hard`, routes must go although both sides set the N bit: the same Cease is then
 * wrapped into a Hard Reset (RFC 8538 §3.1), whose Data field holds the code, the subcode and the data within.
 */
export function ceaseNotification(cease: Cease, hard: boolean): NotificationMessage {
  const data = communicationData(cease);
  if (!hard) return { type: 'notification', code: ErrorCode.Cease, subcode: cease.subcode, data };
  return {
    type: 'notification',
    code: ErrorCode.Cease,
    subcode: CeaseSubcode.HardReset,
    data: concatBytes([Uint8Array.of(ErrorCode.Cease, cease.subcode), data]),
  };
}

/**
 * True for a Cease after which the peer shall not keep our routes even with RFC 8538 in force (§5.2): the session is
 * not meant to come back soon.
 */
export function endsForGood(cease: Cease): boolean {
  return (
    cease.subcode === CeaseSubcode.AdministrativeShutdown || cease.subcode === CeaseSubcode.PeerDeConfigured
  );
}

/** RFC 9003 §2: with Administrative Shutdown and Administrative Reset only. */
function communicationData({ subcode, communication }: Cease): Uint8Array {
  const carries =
    subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset;
  return carries && communication !== undefined
    ? encodeShutdownCommunication(communication)
    : new Uint8Array(0);
}
