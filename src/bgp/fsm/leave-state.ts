/** Transitions to Idle or Active: the common steps of RFC 4271 §8.2.2. */
import { concatBytes } from '../../net/bytes.ts';
import { encodeShutdownCommunication, notificationText } from '../wire/notification-text.ts';
import {
  CeaseSubcode,
  ErrorCode,
  FsmSubcode,
  type NotificationError,
  notificationFor,
} from '../wire/notification.ts';
import type { NotificationMessage } from '../wire/types.ts';
import type { Cease, Damping, FsmAction, FsmConfig, FsmState, StateName } from './types.ts';

/** A transition: the next state and the actions, in order. */
export type FsmStep = readonly [FsmState, readonly FsmAction[]];

/** The first wait after a failure, and the longest, in seconds. Each failure in a row doubles it. */
export const FIRST_WAIT_SECONDS = 1;
export const LONGEST_WAIT_SECONDS = 30;

/**
 * The longest wait for an absent peer, in seconds. It may be back at any time, and a refused dial costs next to
 * nothing.
 */
export const LONGEST_ABSENCE_SECONDS = 4;

/** Damping before any failure. */
export const UNDAMPED: Damping = { connectRetryCounter: 0, nextWaitSeconds: FIRST_WAIT_SECONDS };

/**
 * The meaning of an ending for the next attempt:
 * - `refusal`: one side broke a rule or refuses the other. The next attempt will probably fail too, so waits double.
 * - `absence`: the peer is not reachable, for example while it restarts. Waits stay short.
 * - `collision`: another connection was chosen, or should have been. This says nothing about the peer.
 */
export type Meaning = 'refusal' | 'absence' | 'collision';

/** Returns the wait after this ending, in seconds, and the damping afterwards. */
export function dampen(
  damping: Damping,
  meaning: Meaning,
): { readonly waitSeconds: number; readonly damping: Damping } {
  const connectRetryCounter = damping.connectRetryCounter + 1;
  const { nextWaitSeconds } = damping;
  const waitSeconds =
    meaning === 'refusal' ? nextWaitSeconds : Math.min(nextWaitSeconds, LONGEST_ABSENCE_SECONDS);
  if (meaning === 'collision') return { waitSeconds, damping: { connectRetryCounter, nextWaitSeconds } };
  const doubled = Math.min(nextWaitSeconds * 2, LONGEST_WAIT_SECONDS);
  return { waitSeconds, damping: { connectRetryCounter, nextWaitSeconds: doubled } };
}

/**
 * Returns the damping after a dial that no BGP speaker answered. The peer is absent, so its earlier refusals no longer
 * count.
 */
export function dampenByAbsence(damping: Damping): Damping {
  return {
    connectRetryCounter: damping.connectRetryCounter + 1,
    nextWaitSeconds: Math.min(damping.nextWaitSeconds * 2, LONGEST_ABSENCE_SECONDS),
  };
}

/** The reason why an attempt or session ends, and the NOTIFICATION that the peer gets first. */
export interface SessionEnding {
  readonly why: string;
  /** False if the ending was requested. */
  readonly fault: boolean;
  /** The likely cause if the peer does not give one. */
  readonly hint?: string;
  readonly notification?: NotificationMessage;
  /** Default: `refusal`. */
  readonly meaning?: Meaning;
}

/**
 * Goes to Idle until the next automatic start. RFC 4271 §8.2.2 says in each state: sends the NOTIFICATION if there is
 * one, sets the ConnectRetryTimer to zero, releases all BGP resources, drops the TCP connection, increments the
 * ConnectRetryCounter by 1, performs peer oscillation damping, changes its state to Idle.
 */
export function failToIdle(state: FsmState, ending: SessionEnding): FsmStep {
  const { waitSeconds, damping } = dampen(state.damping, ending.meaning ?? 'refusal');
  return [
    { name: 'idle', held: true, damping },
    [...release(state, ending), { type: 'start-timer', timer: 'idle-hold', seconds: waitSeconds }],
  ];
}

/** Goes to Idle until an operator's start (Event 2: "sets the ConnectRetryCounter to zero"). */
export function stopToIdle(state: FsmState, ending: SessionEnding): FsmStep {
  return [{ name: 'idle', held: false, damping: UNDAMPED }, release(state, ending)];
}

/**
 * Goes to Active after a failed attempt: the next dial follows when the ConnectRetryTimer expires; connections are
 * accepted meanwhile.
 */
export function failToActive(state: FsmState, config: FsmConfig, ending: SessionEnding): FsmStep {
  const { waitSeconds } = dampen(state.damping, 'absence');
  const retry: readonly FsmAction[] = config.passive
    ? []
    : [{ type: 'start-timer', timer: 'connect-retry', seconds: waitSeconds }];
  return [{ name: 'active', damping: dampenByAbsence(state.damping) }, [...release(state, ending), ...retry]];
}

function release(state: FsmState, ending: SessionEnding): readonly FsmAction[] {
  const actions: FsmAction[] = [{ type: 'stop-all-timers' }];
  if (ending.notification !== undefined) actions.push({ type: 'send', message: ending.notification });
  actions.push({ type: 'drop-connection' });
  if (state.name === 'established') actions.push({ type: 'session-down', why: ending.why });
  const { why, fault, hint } = ending;
  actions.push({ type: 'report', why, fault, ...(hint === undefined ? {} : { hint }) });
  return actions;
}

/** Returns the ending for a protocol error, which carries its NOTIFICATION. */
export function endingFor(error: NotificationError): SessionEnding {
  return { why: error.message, fault: true, notification: notificationFor(error) };
}

/** Description of an unreadable message, by error code. */
const MALFORMED: ReadonlyMap<number, string> = new Map([
  [ErrorCode.MessageHeader, 'peer sent an invalid BGP message'],
  [ErrorCode.OpenMessage, 'peer sent an unacceptable OPEN, correct it there'],
  [ErrorCode.UpdateMessage, 'peer sent a malformed UPDATE'],
  [ErrorCode.RouteRefreshMessage, 'peer sent a malformed ROUTE-REFRESH'],
]);

/**
 * Returns the ending for an unreadable message. The error describes octets, so the text adds that the peer sent them.
 */
export function endingForMalformed(error: NotificationError): SessionEnding {
  const what = MALFORMED.get(error.code);
  return { ...endingFor(error), why: what === undefined ? error.message : `${what}: ${error.message}` };
}

/**
 * Returns the ending with a Cease, wrapped into a Hard Reset if the peer would otherwise keep the routes (RFC 8538 §4).
 */
export function endingByCease(state: FsmState, cease: Cease, why: string, fault: boolean): SessionEnding {
  const agreement =
    state.name === 'established' || state.name === 'openconfirm' ? state.agreement : undefined;
  const hard = agreement?.notificationRestart === true && endsForGood(cease);
  return { why, fault, notification: ceaseNotification(cease, hard) };
}

/** Subcode for an unexpected message, by state (RFC 6608 §3). */
const UNEXPECTED_IN: Readonly<Partial<Record<StateName, number>>> = {
  opensent: FsmSubcode.UnexpectedInOpenSent,
  openconfirm: FsmSubcode.UnexpectedInOpenConfirm,
  established: FsmSubcode.UnexpectedInEstablished,
};

/**
 * RFC 4271 §6.6: "Any error detected by the BGP Finite State Machine (e.g., receipt of an unexpected event) is
 * indicated by sending the NOTIFICATION message with the Error Code Finite State Machine Error." RFC 6608 §4 adds the
 * subcode and, as data, the type of the unexpected message; `messageType` is absent if the event was not a message.
 */
export function fsmError(state: FsmState, what: string, messageType?: number): FsmStep {
  return failToIdle(state, {
    why: `${what} in state ${state.name}`,
    fault: true,
    notification: {
      type: 'notification',
      code: ErrorCode.FiniteStateMachine,
      subcode:
        messageType === undefined
          ? FsmSubcode.Unspecified
          : (UNEXPECTED_IN[state.name] ?? FsmSubcode.Unspecified),
      data: messageType === undefined ? new Uint8Array(0) : Uint8Array.of(messageType),
    },
  });
}

/** RFC 4271 §6.5, Hold Timer Expired Error. */
export function holdTimeEnding(seconds: number): SessionEnding {
  return {
    why: `nothing received from the peer for ${seconds} s (hold time): check the path to it and whether it is overloaded`,
    fault: true,
    meaning: 'absence',
    notification: bareNotification(ErrorCode.HoldTimerExpired),
  };
}

/** RFC 9687 §4: the peer does not accept data, its TCP acknowledges nothing. */
export function sendHoldEnding(seconds: number): SessionEnding {
  return {
    why: `peer has acknowledged nothing for ${seconds} s (send hold time): it is stuck or overloaded`,
    fault: true,
    notification: bareNotification(ErrorCode.SendHoldTimerExpired),
  };
}

function bareNotification(code: number): NotificationMessage {
  return { type: 'notification', code, subcode: 0, data: new Uint8Array(0) };
}

// Cease NOTIFICATIONs: sessions that are ended on request (RFC 4486, RFC 9003, RFC 8538).

/**
 * Builds the NOTIFICATION for `cease`. `hard` makes the peer drop the routes even if both sides set the N bit: the same
 * Cease is wrapped into a Hard Reset (RFC 8538 §3.1), whose Data field holds the code, the subcode and the data within.
 */
export function ceaseNotification(cease: Cease, hard: boolean): NotificationMessage {
  const data = communicationData(cease);
  if (!hard) return { type: 'notification', code: ErrorCode.Cease, subcode: cease.subcode, data };
  return {
    type: 'notification',
    code: ErrorCode.Cease,
    subcode: CeaseSubcode.HardReset,
    data: concatBytes([Uint8Array.of(ErrorCode.Cease, cease.subcode), data]),
  };
}

/** Says that this side closed the session, with the Cease that it sent; undefined: with no NOTIFICATION. */
export function stopText(cease: Cease | undefined): string {
  if (cease === undefined) return 'session closed without a NOTIFICATION: the peer keeps the routes';
  const { code, subcode, data } = ceaseNotification(cease, false);
  return `session closed: ${notificationText(code, subcode, data)}`;
}

/**
 * True for a Cease after which the peer must not keep our routes even under RFC 8538 (§5.2): the session is not
 * expected to return soon.
 */
export function endsForGood(cease: Cease): boolean {
  return (
    cease.subcode === CeaseSubcode.AdministrativeShutdown || cease.subcode === CeaseSubcode.PeerDeConfigured
  );
}

/** Encodes the shutdown communication. RFC 9003 §2: only for Administrative Shutdown and Administrative Reset. */
function communicationData({ subcode, communication }: Cease): Uint8Array {
  const carries =
    subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset;
  return carries && communication !== undefined
    ? encodeShutdownCommunication(communication)
    : new Uint8Array(0);
}
