/** Finds out what a message means to the state machine before a state acts on it. */
import { MessageType } from '../wire/iana.ts';
import { CeaseSubcode, ErrorCode, type NotificationError } from '../wire/notification.ts';
import type { Meaning } from './leave-state.ts';
import type { FsmEvent, FsmState } from './types.ts';

export const MESSAGE_NAMES = {
  [MessageType.Open]: 'OPEN',
  [MessageType.Update]: 'UPDATE',
  [MessageType.RouteRefresh]: 'ROUTE-REFRESH',
} as const;

/** Returns the type of the unreadable message if the error code is specific to one type. */
export function messageTypeOf({ code }: NotificationError): keyof typeof MESSAGE_NAMES | undefined {
  if (code === ErrorCode.OpenMessage) return MessageType.Open;
  if (code === ErrorCode.UpdateMessage) return MessageType.Update;
  return code === ErrorCode.RouteRefreshMessage ? MessageType.RouteRefresh : undefined;
}

/**
 * True if a message of the type is expected: OPENs before the session is established, UPDATEs and ROUTE-REFRESHes
 * afterwards.
 */
export function isInOrder(state: FsmState['name'], type: number): boolean {
  return (type === MessageType.Open) === (state !== 'established');
}

/**
 * Returns the meaning of a NOTIFICATION. A peer that restarts ends its session with a Cease; only "too many routes" is
 * a refusal.
 */
export function meaningOf(state: FsmState, event: Extract<FsmEvent, { type: 'notification' }>): Meaning {
  if (isCollision(event)) return 'collision';
  const { code, subcode, data } = event.notification;
  // RFC 8538 §3.1: a Hard Reset begins its data with the code and the subcode that it stands for.
  const reason = subcode === CeaseSubcode.HardReset ? data[1] : subcode;
  const leaves = code === ErrorCode.Cease && reason !== CeaseSubcode.MaximumNumberOfPrefixesReached;
  return state.name === 'established' && leaves ? 'absence' : 'refusal';
}

/** The reason that a session gives when it ends for the neighbor's other connection. */
export const ANOTHER_STAYS = 'another connection with this neighbor is kept';

export function isCollision(event: Extract<FsmEvent, { type: 'notification' }>): boolean {
  const { code, subcode } = event.notification;
  return code === ErrorCode.Cease && subcode === CeaseSubcode.ConnectionCollisionResolution;
}
