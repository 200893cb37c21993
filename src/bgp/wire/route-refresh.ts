/** ROUTE-REFRESH (RFC 2918 §3) with the subtypes of RFC 7313 §3.2. */
import type { ByteWriter } from '../../net/bytes.ts';
import { HEADER_LENGTH } from './limits.ts';
import { ErrorCode, NotificationError, RouteRefreshSubcode } from './notification.ts';
import type { RouteRefreshMessage } from './types.ts';

/** Message subtypes (RFC 7313 §3.2): a request, and the beginning and end of what answers it. */
export const RefreshSubtype = { Request: 0, BeginOfRefresh: 1, EndOfRefresh: 2 } as const;

const BODY_LENGTH = 4;

/**
 * Decodes a ROUTE-REFRESH, header included. Error 7/1 with the whole message as data when its length is wrong (RFC 7313 §5).
 * A message with another subtype is returned, for the caller to ignore (RFC 7313 §5), whatever follows its four octets;
 * outbound route filters (RFC 5291), which would follow a request, are never negotiated.
 */
export function decodeRouteRefresh(message: Uint8Array): RouteRefreshMessage {
  const length = message.length - HEADER_LENGTH;
  const subtype = message[HEADER_LENGTH + 2];
  if (
    length < BODY_LENGTH ||
    subtype === undefined ||
    (length > BODY_LENGTH && subtype <= RefreshSubtype.EndOfRefresh)
  ) {
    throw new NotificationError(
      ErrorCode.RouteRefreshMessage,
      RouteRefreshSubcode.InvalidMessageLength,
      `the body of a ROUTE-REFRESH has ${BODY_LENGTH} octets, not ${length}`,
      message.slice(),
    );
  }
  const afi = ((message[HEADER_LENGTH] as number) << 8) | (message[HEADER_LENGTH + 1] as number);
  return { type: 'route_refresh', family: { afi, safi: message[HEADER_LENGTH + 3] as number }, subtype };
}

/** Writes the body of a ROUTE-REFRESH. */
export function writeRouteRefresh(writer: ByteWriter, message: RouteRefreshMessage): void {
  writer.u16(message.family.afi).u8(message.subtype).u8(message.family.safi);
}
