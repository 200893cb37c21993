/**
 * The vocabulary of the finite state machine (RFC 4271 §8): states, events and actions as data.
 *
 * One machine handles one connection to a neighbor (§8.2.1). A second connection of the same neighbor has a second
 * machine; collision.ts decides which one is kept.
 */
import type { Family } from '../wire/iana.ts';
import { ErrorCode, FsmSubcode, NotificationError } from '../wire/notification.ts';
import type {
  BgpMessage,
  NotificationMessage,
  OpenMessage,
  RouteRefreshMessage,
  UpdateMessage,
} from '../wire/types.ts';

/** The configuration that the machine needs. */
export interface FsmConfig {
  /** 1..4294967295 */
  readonly localAsn: number;
  /** BGP Identifier, four octets as a number, not 0 (RFC 6286 §2.1). */
  readonly localIdentifier: number;
  /** 1..4294967295 */
  readonly peerAsn: number;
  /** 0, or 3..65535 seconds. */
  readonly holdTimeSeconds: number;
  /** Families to offer, in this order; at least one. */
  readonly families: readonly Family[];
  /** True: never dials (PassiveTcpEstablishment, RFC 4271 §8.1.1). */
  readonly passive: boolean;
  /** Time limit of a dial in seconds; the next dial follows. */
  readonly connectRetrySeconds: number;
  /** Settings that must be equal on both sides or no packet gets through, as text: `the MD5 password on both sides`. */
  readonly sharedSettings?: string;
  /** Absent: the capability is not offered (RFC 4724 §3). */
  readonly gracefulRestart?: GracefulRestartOffer;
}

/** The graceful restart capability of this side. */
export interface GracefulRestartOffer {
  /** 0..4095 seconds */
  readonly restartTimeSeconds: number;
  /** 0 disables long-lived graceful restart; up to 16777215 seconds (RFC 9494 §3). */
  readonly longLivedStaleSeconds: number;
  /** The R bit: this process has started and not yet had a session with this neighbor (RFC 4724 §3). */
  readonly restarting: boolean;
  /**
   * Families that this side keeps while it restarts. Absent: every family. Empty for a side that only helps the peer
   * (RFC 4724 §3).
   */
  readonly families?: readonly Family[];
}

/** A family in the graceful restart capability (RFC 4724 §3). */
export interface RestartFamily {
  readonly family: Family;
  /** The F bit: the routes received before the restart are still in use. */
  readonly forwardingPreserved: boolean;
}

/** The session parameters that result from both OPENs. */
export interface Agreement {
  /** The smaller of both sides' values (RFC 4271 §4.2); 0 means neither keepalives nor a hold timer. */
  readonly holdTimeSeconds: number;
  /** A third of the hold time (RFC 4271 §4.4); 0 when that is 0. */
  readonly keepaliveSeconds: number;
  /** Offered by both sides, in our order; never empty. */
  readonly families: readonly Family[];
  /** Offered here but not by the peer. */
  readonly familiesRefused: readonly Family[];
  readonly fourOctetAs: boolean;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  /** The peer advertised them, so this side may send them. The peer may send them in any case (RFC 8654 §4). */
  readonly extendedMessages: boolean;
  /** Both sides sent the capability: the peer keeps our routes while we restart. */
  readonly gracefulRestart: boolean;
  /** Both sides set the N bit: a NOTIFICATION other than a Hard Reset keeps routes too (RFC 8538 §2). */
  readonly notificationRestart: boolean;
  /** The peer's Restart Time in seconds; 0 without its capability. */
  readonly peerRestartSeconds: number;
  /** The families that the peer's capability lists, each once; none without it. */
  readonly peerRestartFamilies: readonly RestartFamily[];
  readonly peerAsn: number;
  /** Four octets as a number. */
  readonly peerIdentifier: number;
  /** The same in dotted decimal. */
  readonly peerRouterId: string;
  /** Both sides are in one AS. */
  readonly internal: boolean;
}

/**
 * State that survives from one attempt to the next. RFC 4271 §8.1.1 leaves damping (DampPeerOscillations) to the
 * implementation: here each failure doubles the wait before the next attempt (see leave-state.ts).
 */
export interface Damping {
  /** ConnectRetryCounter (RFC 4271 §8): attempts that failed since the last start. */
  readonly connectRetryCounter: number;
  /** The next wait, in seconds. */
  readonly nextWaitSeconds: number;
}

export type FsmState =
  /** `held`: restarts when IdleHoldTimer expires. Otherwise it waits for an operator's start. */
  | { readonly name: 'idle'; readonly held: boolean; readonly damping: Damping }
  | { readonly name: 'connect' | 'active' | 'opensent'; readonly damping: Damping }
  | { readonly name: 'openconfirm'; readonly damping: Damping; readonly agreement: Agreement }
  | { readonly name: 'established'; readonly damping: Damping; readonly agreement: Agreement };

/** The six states of RFC 4271 §8.2.2. */
export type StateName = FsmState['name'];

/**
 * ConnectRetryTimer, HoldTimer, KeepaliveTimer and IdleHoldTimer of RFC 4271 §8 and §10, SendHoldTimer of RFC 9687 §4,
 * and `settle`, which expires when a session has lasted long enough to reset damping. DelayOpenTimer is missing:
 * DelayOpen is an optional attribute (§8.1.1) that this speaker leaves off.
 */
export type TimerName = 'connect-retry' | 'hold' | 'keepalive' | 'idle-hold' | 'send-hold' | 'settle';

/** The Cease NOTIFICATION for a session that is ended on purpose (RFC 4486 §3, RFC 9003 §2). */
export interface Cease {
  readonly subcode: number;
  /** For Administrative Shutdown and Administrative Reset; at most 255 octets of UTF-8. */
  readonly communication?: string;
}

/** Numbers are the events of RFC 4271 §8.1. Events 6, 7, 12 and 20 belong to optional attributes that are off. */
export type FsmEvent =
  /** 1 (ManualStart), or 4 if the neighbor is passive. */
  | { readonly type: 'manual-start' }
  /** 2. `cease` undefined: close without a NOTIFICATION, so that a graceful-restart helper keeps the routes (RFC 4724 §4.1). */
  | { readonly type: 'manual-stop'; readonly cease: Cease | undefined }
  /** 3, or 5 if the neighbor is passive. */
  | { readonly type: 'automatic-start' }
  /** 8: the speaker itself ends the session and will try again. */
  | { readonly type: 'automatic-stop'; readonly cease: Cease; readonly why: string }
  /** 9 (connect-retry), 10 (hold), 11 (keepalive), 13 (idle-hold), RFC 9687 (send-hold). */
  | { readonly type: 'timer-expires'; readonly timer: TimerName }
  /** 16: the dial succeeded. */
  | { readonly type: 'tcp-connected' }
  /** 17: the neighbor's connection was accepted. */
  | { readonly type: 'tcp-accepted' }
  /** 18, for a failed dial or a connection that ended. */
  | { readonly type: 'tcp-fails'; readonly why: string }
  /** 19 */
  | { readonly type: 'open'; readonly open: OpenMessage }
  /** 21, 22, 28: a malformed message arrived; the error carries its NOTIFICATION. */
  | { readonly type: 'message-error'; readonly error: NotificationError }
  /** 23 */
  | { readonly type: 'collision-dump' }
  /** 24 (OPEN Message Error, Unsupported Version Number) and 25. */
  | { readonly type: 'notification'; readonly notification: NotificationMessage }
  /** 26 */
  | { readonly type: 'keepalive' }
  /** 27 */
  | { readonly type: 'update'; readonly update: UpdateMessage }
  /** RFC 2918: expected in Established only, like an UPDATE. */
  | { readonly type: 'route-refresh'; readonly refresh: RouteRefreshMessage };

/** An action of the shell; actions are done in order. */
export type FsmAction =
  /** Dial. Ends in tcp-connected or tcp-fails. */
  | { readonly type: 'connect' }
  | { readonly type: 'send'; readonly message: BgpMessage }
  /** Close the connection or give up the dial; messages sent before are still delivered. */
  | { readonly type: 'drop-connection' }
  /** (Re)starts it. The shell adds jitter to connect-retry, keepalive and idle-hold (RFC 4271 §10). */
  | { readonly type: 'start-timer'; readonly timer: TimerName; readonly seconds: number }
  | { readonly type: 'stop-timer'; readonly timer: TimerName }
  | { readonly type: 'stop-all-timers' }
  /** The session is up: routes may flow. */
  | { readonly type: 'session-up'; readonly agreement: Agreement }
  /** The session left Established: everything it had written is void. */
  | { readonly type: 'session-down'; readonly why: string }
  | { readonly type: 'deliver-update'; readonly update: UpdateMessage }
  | { readonly type: 'deliver-refresh'; readonly refresh: RouteRefreshMessage }
  /**
   * An attempt or a session ended, with the reason for an operator. `fault` is false if the end was requested. `hint`
   * is the likely cause if the peer does not give one.
   */
  | { readonly type: 'report'; readonly why: string; readonly fault: boolean; readonly hint?: string };

// Messages as events of the state machine (RFC 4271 §8.1.5).

/** Converts a received message to an event. */
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

/** The error for a peer that keeps sending messages; RFC 4271 §8.2.2: after its OPEN a peer waits for the answer. */
export function unanswered(): NotificationError {
  return new NotificationError(
    ErrorCode.FiniteStateMachine,
    FsmSubcode.UnexpectedInOpenSent,
    'peer keeps sending messages without waiting for the answer to its OPEN',
  );
}
