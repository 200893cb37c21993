/** How the machine leaves a state for Idle or Active: what every such transition has in common (RFC 4271 §8.2.2). */
import { concatBytes } from '../../net/bytes.ts';
import { encodeShutdownCommunication } from '../wire/notification-text.ts';
import {
  CeaseSubcode,
  ErrorCode,
  FsmSubcode,
  type NotificationError,
  notificationFor,
} from '../wire/notification.ts';
import type { NotificationMessage } from '../wire/types.ts';
import type { Cease, Damping, FsmAction, FsmConfig, FsmState, StateName } from './types.ts';

/** A transition: the state afterwards and what to do, in order. */
export type FsmStep = readonly [FsmState, readonly FsmAction[]];

/** The first wait after a failure, and the longest, in seconds. Each failure in a row doubles it. */
export const FIRST_WAIT_SECONDS = 1;
export const LONGEST_WAIT_SECONDS = 30;

/**
 * The longest wait for a peer that has only gone away, in seconds. It may be back at any time, and a dial that is refused
 * costs next to nothing.
 */
export const LONGEST_ABSENCE_SECONDS = 4;

/** Nothing has failed yet. */
export const UNDAMPED: Damping = { connectRetryCounter: 0, nextWaitSeconds: FIRST_WAIT_SECONDS };

/**
 * What an ending says about the next attempt:
 * - `refusal`: one side broke a rule or refuses the other. The next attempt will probably end alike, and later ones wait
 *   longer and longer.
 * - `absence`: the peer is not there (any more), as while it restarts. Waits stay short.
 * - `collision`: another connection was chosen, or should have been. It says nothing about the peer.
 */
export type Meaning = 'refusal' | 'absence' | 'collision';

/** How long to wait after this ending, in seconds, and the damping afterwards. */
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
 * The damping after a dial to which nobody answered as a BGP speaker. The peer is away, so that what it refused
 * before is history: a session that ended long ago does not damp the next.
 */
export function dampenByAbsence(damping: Damping): Damping {
  return {
    connectRetryCounter: damping.connectRetryCounter + 1,
    nextWaitSeconds: Math.min(damping.nextWaitSeconds * 2, LONGEST_ABSENCE_SECONDS),
  };
}

/** Why an attempt or session ends, and what the peer is told before. */
export interface SessionEnding {
  readonly why: string;
  /** False when someone asked for it. */
  readonly fault: boolean;
  /** What it suggests, where the peer does not say. */
  readonly hint?: string;
  readonly notification?: NotificationMessage;
  /** `refusal` when absent. */
  readonly meaning?: Meaning;
}

/**
 * To Idle, to come back by itself. RFC 4271 §8.2.2 says in each state: sends the NOTIFICATION if there is one, sets the
 * ConnectRetryTimer to zero, releases all BGP resources, drops the TCP connection, increments the ConnectRetryCounter by
 * 1, performs peer oscillation damping, changes its state to Idle.
 */
export function failToIdle(state: FsmState, ending: SessionEnding): FsmStep {
  const { waitSeconds, damping } = dampen(state.damping, ending.meaning ?? 'refusal');
  return [
    { name: 'idle', held: true, damping },
    [...release(state, ending), { type: 'start-timer', timer: 'idle-hold', seconds: waitSeconds }],
  ];
}

/** To Idle, to stay there until an operator's start (Event 2: "sets the ConnectRetryCounter to zero"). */
export function stopToIdle(state: FsmState, ending: SessionEnding): FsmStep {
  return [{ name: 'idle', held: false, damping: UNDAMPED }, release(state, ending)];
}

/** To Active: this attempt failed, the next dial comes when the ConnectRetryTimer expires; connections are welcome meanwhile. */
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

/** The ending of a session that broke a rule: the error carries the NOTIFICATION it deserves. */
export function endingFor(error: NotificationError): SessionEnding {
  return { why: error.message, fault: true, notification: notificationFor(error) };
}

/** What the peer had sent when a message could not be read, by error code. */
const MALFORMED: ReadonlyMap<number, string> = new Map([
  [ErrorCode.MessageHeader, 'peer sent no BGP message'],
  [ErrorCode.OpenMessage, 'peer sent an OPEN that is refused, correct it there'],
  [ErrorCode.UpdateMessage, 'peer sent a malformed UPDATE'],
  [ErrorCode.RouteRefreshMessage, 'peer sent a malformed ROUTE-REFRESH'],
]);

/** The same for a message that could not be read, where the error names octets and the operator asks whose they were. */
export function endingForMalformed(error: NotificationError): SessionEnding {
  const what = MALFORMED.get(error.code);
  return { ...endingFor(error), why: what === undefined ? error.message : `${what}: ${error.message}` };
}

/** The ending with a Cease, wrapped into a Hard Reset where the peer would otherwise keep the routes (RFC 8538 §4). */
export function endingByCease(state: FsmState, cease: Cease, why: string, fault: boolean): SessionEnding {
  const agreement =
    state.name === 'established' || state.name === 'openconfirm' ? state.agreement : undefined;
  const hard = agreement?.notificationRestart === true && endsForGood(cease);
  return { why, fault, notification: ceaseNotification(cease, hard) };
}

/** RFC 6608 §3: which state was surprised. */
const UNEXPECTED_IN: Readonly<Partial<Record<StateName, number>>> = {
  opensent: FsmSubcode.UnexpectedInOpenSent,
  openconfirm: FsmSubcode.UnexpectedInOpenConfirm,
  established: FsmSubcode.UnexpectedInEstablished,
};

/**
 * RFC 4271 §6.6: "Any error detected by the BGP Finite State Machine (e.g., receipt of an unexpected event) is indicated
 * by sending the NOTIFICATION message with the Error Code Finite State Machine Error." RFC 6608 §4 adds the subcode and,
 * as data, the type of the message that surprised; `messageType` is absent when it was no message.
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
    why: `nothing heard from the peer for ${seconds} s (hold time): check the path to it and whether it is overloaded`,
    fault: true,
    meaning: 'absence',
    notification: bareNotification(ErrorCode.HoldTimerExpired),
  };
}

/** RFC 9687 §4: the peer has not taken what we send: its TCP acknowledges nothing. */
export function sendHoldEnding(seconds: number): SessionEnding {
  return {
    why: `peer has acknowledged nothing of what we sent for ${seconds} s (send hold time): it is stuck or overloaded`,
    fault: true,
    notification: bareNotification(ErrorCode.SendHoldTimerExpired),
  };
}

function bareNotification(code: number): NotificationMessage {
  return { type: 'notification', code, subcode: 0, data: new Uint8Array(0) };
}

// Cease NOTIFICATIONs: the ends of sessions that someone wanted (RFC 4486, RFC 9003, RFC 8538).

/**
 * The NOTIFICATION for `cease`. With `hard`, routes must go although both sides set the N bit: the same Cease is then
 * wrapped into a Hard Reset (RFC 8538 §3.1), whose Data field holds the code, the subcode and the data within.
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

/**
 * True for a Cease after which the peer shall not keep our routes even with RFC 8538 in force (§5.2): the session is
 * not meant to come back soon.
 */
export function endsForGood(cease: Cease): boolean {
  return (
    cease.subcode === CeaseSubcode.AdministrativeShutdown || cease.subcode === CeaseSubcode.PeerDeConfigured
  );
}

/** RFC 9003 §2: with Administrative Shutdown and Administrative Reset only. */
function communicationData({ subcode, communication }: Cease): Uint8Array {
  const carries =
    subcode === CeaseSubcode.AdministrativeShutdown || subcode === CeaseSubcode.AdministrativeReset;
  return carries && communication !== undefined
    ? encodeShutdownCommunication(communication)
    : new Uint8Array(0);
}
