/** Encodes and decodes BGP messages, header included (RFC 4271 §4). */
import { checkHeader, finishFrame, messageType, startFrame } from './framing.ts';
import { MessageType } from './iana.ts';
import { HEADER_LENGTH } from './message-length.ts';
import {
  decodeNotification,
  ErrorCode,
  HeaderSubcode,
  NotificationError,
  writeNotification,
} from './notification.ts';
import { decodeOpen, writeOpen } from './open.ts';
import { decodeRouteRefresh, writeRouteRefresh } from './route-refresh.ts';
import type { BgpMessage, CodecContext } from './types.ts';
import { decodeUpdate, updateLengthHint, writeUpdate } from './update.ts';

/**
 * Decodes one whole message as `MessageFramer.next` returns it. Octet fields of the result are views of `octets`; copy
 * those that must outlive them. Throws NotificationError and nothing else.
 */
export function decodeMessage(octets: Uint8Array, context: CodecContext): BgpMessage {
  if (octets.length < HEADER_LENGTH || checkHeader(octets, 0, context.extendedMessages) !== octets.length) {
    throw new NotificationError(
      ErrorCode.MessageHeader,
      HeaderSubcode.BadMessageLength,
      `${octets.length} octets are not exactly one message`,
      octets.slice(16, 18),
    );
  }
  const type = messageType(octets);
  if (type === MessageType.Update) return decodeUpdate(octets.subarray(HEADER_LENGTH), context);
  if (type === MessageType.Keepalive) return { type: 'keepalive' };
  if (type === MessageType.Open) return decodeOpen(octets.subarray(HEADER_LENGTH));
  if (type === MessageType.Notification) return decodeNotification(octets.subarray(HEADER_LENGTH));
  return decodeRouteRefresh(octets, context);
}

/**
 * Encodes a message, header included, into its own buffer. Throws RangeError if a field is too large or the message is
 * longer than the session allows: both are errors of the caller.
 */
export function encodeMessage(message: BgpMessage, context: CodecContext): Uint8Array {
  switch (message.type) {
    case 'open': {
      const writer = startFrame(MessageType.Open, 96);
      writeOpen(writer, message);
      return finishFrame(writer, MessageType.Open, context.extendedMessages);
    }
    case 'update': {
      const writer = startFrame(MessageType.Update, updateLengthHint(message));
      writeUpdate(writer, message, context);
      return finishFrame(writer, MessageType.Update, context.extendedMessages);
    }
    case 'notification': {
      const writer = startFrame(MessageType.Notification, 2 + message.data.length);
      writeNotification(writer, message, context);
      return finishFrame(writer, MessageType.Notification, context.extendedMessages);
    }
    case 'keepalive':
      return finishFrame(startFrame(MessageType.Keepalive, 0), MessageType.Keepalive, false);
    case 'route_refresh': {
      const writer = startFrame(MessageType.RouteRefresh, 4);
      writeRouteRefresh(writer, message);
      return finishFrame(writer, MessageType.RouteRefresh, context.extendedMessages);
    }
  }
}
