/** Encodes and decodes ROUTE-REFRESH (RFC 2918 §3) with the subtypes of RFC 7313 §3.2. */
import type { ByteWriter } from '../../net/bytes.ts';
import { HEADER_LENGTH } from './message-length.ts';
import { ErrorCode, HeaderSubcode, NotificationError, RouteRefreshSubcode } from './notification.ts';
import type { CodecContext, RouteRefreshMessage } from './types.ts';

/** Message subtypes (RFC 7313 §3.2): a request, and the beginning and end of its answer. */
export const RefreshSubtype = { Request: 0, BeginOfRefresh: 1, EndOfRefresh: 2 } as const;

const BODY_LENGTH = 4;

/**
 * Decodes a ROUTE-REFRESH, header included. A wrong length is one of two errors:
 * - 7/1 with the whole message as data, from a peer that advertised enhanced route refresh. RFC 7313 §5: "The error
 *   handling specified in this section is applicable only when a BGP speaker has received the 'Enhanced Route Refresh
 *   Capability' from a peer." It requires 7/1 for a mark with a wrong length; a request from such a peer gets the same.
 * - 1/2 with the length as data, from any other peer (RFC 4271 §6.1).
 * A subtype that RFC 7313 does not define is returned for the caller to ignore (§5), whatever follows its four octets.
 * Outbound route filters (RFC 5291), which would follow a request, are never negotiated.
 */
export function decodeRouteRefresh(
  message: Uint8Array,
  context: Pick<CodecContext, 'enhancedRouteRefresh'>,
): RouteRefreshMessage {
  const length = message.length - HEADER_LENGTH;
  const enhanced = context.enhancedRouteRefresh === true;
  const subtype = message[HEADER_LENGTH + 2];
  const longer = enhanced && subtype !== undefined && subtype > RefreshSubtype.EndOfRefresh;
  if (subtype === undefined || length < BODY_LENGTH || (length > BODY_LENGTH && !longer)) {
    throw wrongLength(message, enhanced);
  }
  const afi = ((message[HEADER_LENGTH] as number) << 8) | (message[HEADER_LENGTH + 1] as number);
  return { type: 'route_refresh', family: { afi, safi: message[HEADER_LENGTH + 3] as number }, subtype };
}

function wrongLength(message: Uint8Array, enhanced: boolean): NotificationError {
  const reason = `the body of a ROUTE-REFRESH has ${BODY_LENGTH} octets, not ${message.length - HEADER_LENGTH}`;
  return enhanced
    ? new NotificationError(
        ErrorCode.RouteRefreshMessage,
        RouteRefreshSubcode.InvalidMessageLength,
        reason,
        message.slice(),
      )
    : new NotificationError(
        ErrorCode.MessageHeader,
        HeaderSubcode.BadMessageLength,
        reason,
        message.slice(HEADER_LENGTH - 3, HEADER_LENGTH - 1),
      );
}

/** Writes the body of a ROUTE-REFRESH. */
export function writeRouteRefresh(writer: ByteWriter, message: RouteRefreshMessage): void {
  writer.u16(message.family.afi).u8(message.subtype).u8(message.family.safi);
}
