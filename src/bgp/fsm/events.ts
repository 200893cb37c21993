/** Messages as events of the state machine (RFC 4271 §8.1.5). */
import { ErrorCode, FsmSubcode, NotificationError } from '../wire/notification.ts';
import type { BgpMessage } from '../wire/types.ts';
import type { FsmEvent } from './types.ts';

/** The event that a message is when it arrives. */
export function eventOf(message: BgpMessage): FsmEvent {
  switch (message.type) {
    case 'open':
      return { type: 'open', open: message };
    case 'update':
      return { type: 'update', update: message };
    case 'keepalive':
      return { type: 'keepalive' };
    case 'route_refresh':
      return { type: 'route-refresh', refresh: message };
    case 'notification':
      return { type: 'notification', notification: message };
  }
}

/** RFC 4271 §8.2.2: a peer that has sent its OPEN waits for the answer. This one sends message after message instead. */
export function unanswered(): NotificationError {
  return new NotificationError(
    ErrorCode.FiniteStateMachine,
    FsmSubcode.UnexpectedInOpenSent,
    'peer sends message after message without an answer to its OPEN',
  );
}
