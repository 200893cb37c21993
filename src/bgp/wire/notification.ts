/** NOTIFICATION: error codes, and the error that carries the NOTIFICATION it deserves (RFC 4271 §4.5, §6). */

/** Error codes (RFC 4271 §4.5, RFC 7313 §5). */
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

/** What a malformed message or a breach of protocol throws: nothing else leaves the codec. */
export class NotificationError extends Error {
  override readonly name = 'NotificationError';
  readonly code: number;
  readonly subcode: number;
  /** The Data field: what RFC 4271 §6 asks for with this code and subcode. */
  readonly data: Uint8Array;

  /** `message` says in words what was wrong and where. */
  constructor(code: number, subcode: number, message: string, data: Uint8Array = new Uint8Array(0)) {
    super(message);
    this.code = code;
    this.subcode = subcode;
    this.data = data;
  }
}
