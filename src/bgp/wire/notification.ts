/** NOTIFICATION (RFC 4271 §4.5, §6): error codes, and the exception that carries its NOTIFICATION. */
import type { ByteWriter } from '../../net/bytes.ts';
import { HEADER_LENGTH, maxMessageLength } from './message-length.ts';
import { MessageType } from './iana.ts';
import type { CodecContext, NotificationMessage } from './types.ts';

/** Error codes (RFC 4271 §4.5, RFC 7313 §5, RFC 9687 §3). */
export const ErrorCode = {
  MessageHeader: 1,
  OpenMessage: 2,
  UpdateMessage: 3,
  HoldTimerExpired: 4,
  FiniteStateMachine: 5,
  Cease: 6,
  RouteRefreshMessage: 7,
  SendHoldTimerExpired: 8,
} as const;

/** Message Header Error subcodes (RFC 4271 §6.1). */
export const HeaderSubcode = {
  ConnectionNotSynchronized: 1,
  BadMessageLength: 2,
  BadMessageType: 3,
} as const;

/** OPEN Message Error subcodes (RFC 4271 §6.2, RFC 5492 §5, RFC 9234 §4.2). 0 is Unspecific. */
export const OpenSubcode = {
  Unspecific: 0,
  UnsupportedVersionNumber: 1,
  BadPeerAs: 2,
  BadBgpIdentifier: 3,
  UnsupportedOptionalParameter: 4,
  UnacceptableHoldTime: 6,
  UnsupportedCapability: 7,
  RoleMismatch: 11,
} as const;

/** UPDATE Message Error subcodes (RFC 4271 §6.3). */
export const UpdateSubcode = {
  MalformedAttributeList: 1,
  UnrecognizedWellKnownAttribute: 2,
  MissingWellKnownAttribute: 3,
  AttributeFlagsError: 4,
  AttributeLengthError: 5,
  InvalidOriginAttribute: 6,
  InvalidNextHopAttribute: 8,
  OptionalAttributeError: 9,
  InvalidNetworkField: 10,
  MalformedAsPath: 11,
} as const;

/** Finite State Machine Error subcodes (RFC 6608 §3). */
export const FsmSubcode = {
  Unspecified: 0,
  UnexpectedInOpenSent: 1,
  UnexpectedInOpenConfirm: 2,
  UnexpectedInEstablished: 3,
} as const;

/** Cease subcodes (RFC 4486 §3, RFC 8538 §3, RFC 9384 §3). */
export const CeaseSubcode = {
  MaximumNumberOfPrefixesReached: 1,
  AdministrativeShutdown: 2,
  PeerDeConfigured: 3,
  AdministrativeReset: 4,
  ConnectionRejected: 5,
  OtherConfigurationChange: 6,
  ConnectionCollisionResolution: 7,
  OutOfResources: 8,
  HardReset: 9,
  BfdDown: 10,
} as const;

/** ROUTE-REFRESH Message Error subcodes (RFC 7313 §5). */
export const RouteRefreshSubcode = { InvalidMessageLength: 1 } as const;

/** Thrown for a malformed message or a protocol violation; the codec throws nothing else while decoding. */
export class NotificationError extends Error {
  override readonly name = 'NotificationError';
  readonly code: number;
  readonly subcode: number;
  /** The Data field that RFC 4271 §6 requires for this code and subcode, as a copy. */
  readonly data: Uint8Array;

  /** `message` describes the problem and its position. */
  constructor(code: number, subcode: number, message: string, data: Uint8Array = new Uint8Array(0)) {
    super(message);
    this.code = code;
    this.subcode = subcode;
    this.data = data;
  }
}

/** Returns the NOTIFICATION for an error. */
export function notificationFor(error: NotificationError): NotificationMessage {
  return { type: 'notification', code: error.code, subcode: error.subcode, data: error.data };
}

/** Decodes the body of a NOTIFICATION, which has at least two octets. The data is a view. */
export function decodeNotification(body: Uint8Array): NotificationMessage {
  return {
    type: 'notification',
    code: body[0] as number,
    subcode: body[1] as number,
    data: body.subarray(2),
  };
}

/**
 * Writes the body of a NOTIFICATION. Data that exceeds the message is cut: it quotes the received data, and an
 * incomplete report is better than none.
 */
export function writeNotification(
  writer: ByteWriter,
  message: NotificationMessage,
  context: CodecContext,
): void {
  const room = maxMessageLength(MessageType.Notification, context.extendedMessages) - HEADER_LENGTH - 2;
  writer.u8(message.code).u8(message.subcode).bytes(message.data.subarray(0, room));
}
