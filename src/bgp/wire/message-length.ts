/** Length limits of messages (RFC 4271 §4.1, RFC 8654 §4). */
import { MessageType } from './iana.ts';

/** Length of the header in octets: marker 16, length 2, type 1. */
export const HEADER_LENGTH = 19;

/** The longest message unless extended messages were negotiated (RFC 4271 §4.1). */
export const MAX_MESSAGE_LENGTH = 4096;

/** The longest message with extended messages (RFC 8654 §4). */
export const MAX_EXTENDED_LENGTH = 65535;

/** Returns the longest message of a type in octets; OPEN and KEEPALIVE stay at 4096 octets (RFC 8654 §4). */
export function maxMessageLength(type: number, extendedMessages: boolean): number {
  if (!extendedMessages || type === MessageType.Open || type === MessageType.Keepalive)
    return MAX_MESSAGE_LENGTH;
  return MAX_EXTENDED_LENGTH;
}

/**
 * Returns the shortest message of a type (RFC 4271 §6.1), or undefined for an unknown type. The length of a
 * ROUTE-REFRESH is checked with its body, because RFC 7313 §5 may define its own error for it.
 */
export function minMessageLength(type: number): number | undefined {
  switch (type) {
    case MessageType.Open:
      return 29;
    case MessageType.Update:
      return 23;
    case MessageType.Notification:
      return 21;
    case MessageType.Keepalive:
    case MessageType.RouteRefresh:
      return HEADER_LENGTH;
    default:
      return undefined;
  }
}
