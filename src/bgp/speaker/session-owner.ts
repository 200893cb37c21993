/** Defines the callbacks through which a session reports to its owner and asks it. */
import type { Agreement, FsmState } from '../fsm/types.ts';
import type { NotificationMessage, OpenMessage, RouteRefreshMessage, UpdateMessage } from '../wire/types.ts';
import type { MessageName } from './types.ts';

/** Callbacks of a session's owner. Called synchronously. */
export interface SessionOwner<Session> {
  readonly onState: (session: Session, before: FsmState['name']) => void;
  /** Returns false to hold our OPEN back until `proceed`. Default: true. */
  readonly mayOpen?: (session: Session) => boolean;
  /**
   * Decides about an OPEN: false if another connection of the neighbor is kept and this one closed (RFC 4271 §6.8),
   * `wait` if the owner cannot decide yet and will call `proceed` or `dump`.
   */
  readonly allowOpen: (session: Session, open: OpenMessage) => boolean | 'wait';
  readonly onUp: (session: Session, agreement: Agreement) => void;
  readonly onDown: (session: Session, why: string) => void;
  readonly onUpdate: (session: Session, update: UpdateMessage) => void;
  readonly onRefresh: (session: Session, refresh: RouteRefreshMessage) => void;
  readonly onMessage: (direction: 'in' | 'out', name: MessageName) => void;
  readonly onNotification: (direction: 'in' | 'out', notification: NotificationMessage, text: string) => void;
  readonly onReport: (session: Session, why: string, fault: boolean, hint: string | undefined) => void;
  /** The transport has room again. */
  readonly onWritable: (session: Session) => void;
  /** The peer's transport has acknowledged more octets: see `acknowledged`. Established sessions only. */
  readonly onAcknowledged?: (session: Session) => void;
}
