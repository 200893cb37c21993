/**
 * The finite state machine of RFC 4271 §8.2.2 as one pure function. Each transition quotes its rule. Deviations:
 * - DelayOpen (Events 12 and 20) is off, as §8.1.1 allows.
 * - A failed dial leads from Connect to Active instead of Idle, which §8.2.2 has only while DelayOpenTimer runs: Idle
 *   refuses connections, and a neighbor's connection should not be refused because our own dial failed.
 * - A NOTIFICATION received in OpenSent ends the attempt silently. §8.2.2 counts Event 25 among "any other event",
 *   which would answer a NOTIFICATION with a NOTIFICATION.
 * - A malformed message in Established is answered with its own error code (§6.1, §6.3), which §8.2.2 leaves out.
 * - SendHoldTimer (RFC 9687) runs even if the hold time is 0: a peer that accepts nothing gets no withdrawals either,
 *   and only the end of the session removes our rules from it.
 */
import { MessageType } from '../wire/iana.ts';
import { CeaseSubcode, NotificationError } from '../wire/notification.ts';
import {
  dampenByAbsence,
  type SessionEnding,
  endingByCease,
  endingFor,
  endingForMalformed,
  failToActive,
  failToIdle,
  fsmError,
  holdTimeEnding,
  sendHoldEnding,
  type FsmStep,
  stopText,
  stopToIdle,
  UNDAMPED,
} from './leave-state.ts';
import {
  ANOTHER_STAYS,
  isCollision,
  isInOrder,
  MESSAGE_NAMES,
  meaningOf,
  messageTypeOf,
} from './message-meaning.ts';
import { LARGE_HOLD_SECONDS, localOpen, negotiate, sendHoldSeconds } from './negotiate.ts';
import { closedHint, explainNotification, noKeepalive, noOpen, unansweredDial } from './peer-advice.ts';
import type { Agreement, FsmAction, FsmConfig, FsmEvent, FsmState } from './types.ts';

/** After a session has been up for this long, its past failures no longer count. */
export const SETTLED_SECONDS = 30;

/** A machine before its first start. */
export const INITIAL_STATE: FsmState = { name: 'idle', held: false, damping: UNDAMPED };

/** Handles `event` in `state`: returns the next state and the actions, to be done in order. */
export function step(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (state.name) {
    case 'idle':
      return inIdle(state, event, config);
    case 'connect':
      return inConnect(state, event, config);
    case 'active':
      return inActive(state, event, config);
    case 'opensent':
      return inOpenSent(state, event, config);
    case 'openconfirm':
      return inOpenConfirm(state, event, config);
    case 'established':
      return inEstablished(state, event, config);
  }
}

function inIdle(state: Extract<FsmState, { name: 'idle' }>, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (event.type) {
    // Events 1, 4: "initializes all BGP resources for the peer connection, sets ConnectRetryCounter to zero, starts the
    // ConnectRetryTimer with the initial value, initiates a TCP connection to the other BGP peer, [...] changes its state
    // to Connect"; passive: "changes its state to Active".
    case 'manual-start':
      return begin({ ...state, damping: UNDAMPED }, config);
    // Event 13 (IdleHoldTimer_Expires) is the automatic start (Events 3, 5) that damping had put off.
    case 'automatic-start':
      return state.held ? begin(state, config) : stay(state);
    case 'timer-expires':
      return state.held && event.timer === 'idle-hold' ? begin(state, config) : stay(state);
    // "The ManualStop event (Event 2) and AutomaticStop (Event 8) event are ignored in the Idle state." Only our own
    // wait for the next attempt ends.
    case 'manual-stop':
      return state.held
        ? [{ name: 'idle', held: false, damping: UNDAMPED }, [{ type: 'stop-all-timers' }]]
        : stay(state);
    // "In this state, BGP FSM refuses all incoming BGP connections for this peer."
    case 'tcp-accepted':
    case 'tcp-connected':
      return [state, [{ type: 'drop-connection' }]];
    // "Any other event (Events 9-12, 15-28) received in the Idle state does not cause change in the state".
    default:
      return stay(state);
  }
}

function begin(state: FsmState, config: FsmConfig): FsmStep {
  if (config.passive) return [{ name: 'active', damping: state.damping }, [{ type: 'stop-all-timers' }]];
  return [{ name: 'connect', damping: state.damping }, [{ type: 'stop-all-timers' }, ...dial(config)]];
}

function dial(config: FsmConfig): readonly FsmAction[] {
  return [
    { type: 'start-timer', timer: 'connect-retry', seconds: config.connectRetrySeconds },
    { type: 'connect' },
  ];
}

function inConnect(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (event.type) {
    // "The start events (Events 1, 3-7) are ignored in the Connect state."
    case 'manual-start':
    case 'automatic-start':
      return stay(state);
    // Event 2: "drops the TCP connection, releases all BGP resources, sets ConnectRetryCounter to zero, stops the
    // ConnectRetryTimer and sets ConnectRetryTimer to zero, and changes its state to Idle."
    case 'manual-stop':
      return stopToIdle(state, { why: stopText(event.cease), fault: false });
    case 'timer-expires':
      // Event 9: "drops the TCP connection, restarts the ConnectRetryTimer, [...] initiates a TCP connection to the other
      // BGP peer, continues to listen for a connection that may be initiated by the remote BGP peer, and stays in the
      // Connect state."
      if (event.timer === 'connect-retry') {
        const why = unansweredDial(config);
        return [
          { ...state, damping: dampenByAbsence(state.damping) },
          [{ type: 'drop-connection' }, { type: 'report', why, fault: true }, ...dial(config)],
        ];
      }
      return failToIdle(state, { why: `${event.timer} timer expired in state connect`, fault: true });
    // Events 16, 17: "stops the ConnectRetryTimer (if running) and sets the ConnectRetryTimer to zero, completes BGP
    // initialization, sends an OPEN message to its peer, sets the HoldTimer to a large value, and changes its state to
    // OpenSent."
    case 'tcp-connected':
    case 'tcp-accepted':
      return sendOpen(state, config);
    // Event 18: see the head of this file.
    case 'tcp-fails':
      return failToActive(state, config, { why: event.why, fault: true });
    default:
      return unexpectedBeforeOpen(state, event, config);
  }
}

function inActive(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (event.type) {
    // "The start events (Events 1, 3-7) are ignored in the Active state."
    case 'manual-start':
    case 'automatic-start':
      return stay(state);
    // Event 2: as in Connect.
    case 'manual-stop':
      return stopToIdle(state, { why: stopText(event.cease), fault: false });
    case 'timer-expires':
      // Event 9: "restarts the ConnectRetryTimer (with initial value), initiates a TCP connection to the other BGP peer,
      // continues to listen for a TCP connection that may be initiated by a remote BGP peer, and changes its state to
      // Connect."
      if (event.timer === 'connect-retry') return [{ name: 'connect', damping: state.damping }, dial(config)];
      return failToIdle(state, { why: `${event.timer} timer expired in state active`, fault: true });
    // Events 16, 17: as in Connect.
    case 'tcp-connected':
    case 'tcp-accepted':
      return sendOpen(state, config);
    // Event 18: "restarts the ConnectRetryTimer (with the initial value), [...] releases all BGP resource, increments the
    // ConnectRetryCounter by 1, optionally performs peer oscillation damping, and changes its state to Idle."
    case 'tcp-fails':
      return failToIdle(state, { why: event.why, fault: true });
    default:
      return unexpectedBeforeOpen(state, event, config);
  }
}

/** Handles all other events in Connect and Active, where no message of the peer is expected yet. */
function unexpectedBeforeOpen(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (event.type) {
    // Event 23, another connection of this neighbor was chosen: not a fault.
    case 'collision-dump':
      return failToIdle(state, { why: ANOTHER_STAYS, fault: false, meaning: 'collision' });
    case 'notification':
      return failToIdle(state, { why: explainNotification(event.notification, config), fault: true });
    case 'message-error':
      return failToIdle(state, { why: event.error.message, fault: true });
    case 'automatic-stop':
      return failToIdle(state, { why: event.why, fault: false });
    // "In response to any other events (Events 8, 10-11, 13, 19, 23, 25-28), the local system: [...] changes its state to
    // Idle."
    default:
      return failToIdle(state, { why: `unexpected ${event.type} in state ${state.name}`, fault: true });
  }
}

function sendOpen(state: FsmState, config: FsmConfig): FsmStep {
  return [
    { name: 'opensent', damping: state.damping },
    [
      { type: 'stop-timer', timer: 'connect-retry' },
      { type: 'send', message: localOpen(config) },
      { type: 'start-timer', timer: 'hold', seconds: LARGE_HOLD_SECONDS },
    ],
  ];
}

function inOpenSent(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (event.type) {
    // Event 18: "closes the BGP connection, restarts the ConnectRetryTimer, continues to listen for a connection that may
    // be initiated by the remote BGP peer, and changes its state to Active."
    case 'tcp-fails':
      return failToActive(state, config, closedEnding(state, event.why, config));
    // Event 19: "resets the DelayOpenTimer to zero, sets the BGP ConnectRetryTimer to zero, sends a KEEPALIVE message, and
    // sets a KeepaliveTimer (via the text below), sets the HoldTimer according to the negotiated value (see Section 4.2),
    // changes its state to OpenConfirm."  Event 22: "sends a NOTIFICATION message with the appropriate error code [...],
    // and changes its state to Idle."
    case 'open': {
      const outcome = negotiate(event.open, config);
      if (outcome instanceof NotificationError) return failToIdle(state, endingFor(outcome));
      return [
        { name: 'openconfirm', damping: state.damping, agreement: outcome },
        [
          { type: 'stop-timer', timer: 'connect-retry' },
          { type: 'send', message: { type: 'keepalive' } },
          // "If the negotiated hold time value is zero, then the HoldTimer and KeepaliveTimer are not started."
          ...restartKeepalive(outcome),
          ...(outcome.holdTimeSeconds > 0
            ? restartHold(outcome)
            : [{ type: 'stop-timer', timer: 'hold' } as const]),
        ],
      ];
    }
    // Event 10: "sends a NOTIFICATION message with the error code Hold Timer Expired, [...] and changes its state to Idle."
    case 'timer-expires':
      if (event.timer === 'hold') {
        return failToIdle(state, {
          ...holdTimeEnding(LARGE_HOLD_SECONDS),
          why: noOpen(config, LARGE_HOLD_SECONDS),
        });
      }
      return fsmError(state, `${event.timer} timer expired`);
    default:
      return inAnySession(state, event, config);
  }
}

function inOpenConfirm(
  state: Extract<FsmState, { name: 'openconfirm' }>,
  event: FsmEvent,
  config: FsmConfig,
): FsmStep {
  const { agreement } = state;
  switch (event.type) {
    // Event 26: "restarts the HoldTimer and changes its state to Established." RFC 9687 §4: the SendHoldTimer starts here.
    case 'keepalive':
      return [
        { name: 'established', damping: state.damping, agreement },
        [
          ...restartHold(agreement),
          { type: 'start-timer', timer: 'send-hold', seconds: sendHoldSeconds(agreement) },
          { type: 'start-timer', timer: 'settle', seconds: SETTLED_SECONDS },
          { type: 'session-up', agreement },
        ],
      ];
    case 'timer-expires':
      // Event 10: "sends the NOTIFICATION message with the Error Code Hold Timer Expired, [...] changes its state to Idle."
      if (event.timer === 'hold') {
        const seconds = agreement.holdTimeSeconds;
        return failToIdle(state, { ...holdTimeEnding(seconds), why: noKeepalive(seconds) });
      }
      // Event 11: "sends a KEEPALIVE message, restarts the KeepaliveTimer, and remains in the OpenConfirmed state."
      if (event.timer === 'keepalive') return sendKeepalive(state, agreement);
      return fsmError(state, `${event.timer} timer expired`);
    default:
      return inAnySession(state, event, config);
  }
}

function inEstablished(
  state: Extract<FsmState, { name: 'established' }>,
  event: FsmEvent,
  config: FsmConfig,
): FsmStep {
  const { agreement } = state;
  switch (event.type) {
    // Event 26: "restarts its HoldTimer, if the negotiated HoldTime value is non-zero, and remains in the Established
    // state."
    case 'keepalive':
      return [state, restartHold(agreement)];
    // Event 27: "processes the message, restarts its HoldTimer, if the negotiated HoldTime value is non-zero, and remains
    // in the Established state."
    case 'update':
      return [state, [{ type: 'deliver-update', update: event.update }, ...restartHold(agreement)]];
    // RFC 2918 §4. It is neither KEEPALIVE nor UPDATE, so it does not restart the HoldTimer (RFC 4271 §6.5).
    case 'route-refresh':
      return [state, [{ type: 'deliver-refresh', refresh: event.refresh }]];
    case 'timer-expires':
      // Event 10: "sends a NOTIFICATION message with the Error Code Hold Timer Expired, [...] changes its state to Idle."
      if (event.timer === 'hold') return failToIdle(state, holdTimeEnding(agreement.holdTimeSeconds));
      // Event 11: "sends a KEEPALIVE message, and restarts its KeepaliveTimer, unless the negotiated HoldTime value is zero."
      if (event.timer === 'keepalive') return sendKeepalive(state, agreement);
      // RFC 9687 §4: "(optionally) sends a NOTIFICATION message with the BGP Error Code 'Send Hold Timer Expired' [...],
      // logs an error message, releases all BGP resources, [...] drops the TCP connection, [...] changes its state to Idle."
      if (event.timer === 'send-hold') return failToIdle(state, sendHoldEnding(sendHoldSeconds(agreement)));
      // Our own damping (RFC 4271 §8.1.1): a session that lasted resets it.
      if (event.timer === 'settle') return [{ ...state, damping: UNDAMPED }, []];
      return fsmError(state, `${event.timer} timer expired`);
    default:
      return inAnySession(state, event, config);
  }
}

function closedEnding(state: FsmState, why: string, config: FsmConfig): SessionEnding {
  const hint = closedHint(state.name, config);
  return { why, fault: true, ...(hint === undefined ? {} : { hint }) };
}

/** Handles the events common to OpenSent, OpenConfirm and Established. */
function inAnySession(state: FsmState, event: FsmEvent, config: FsmConfig): FsmStep {
  switch (event.type) {
    // "Any start event (Events 1, 3-7) is ignored in the [...] state."
    case 'manual-start':
    case 'automatic-start':
    // Events 16, 17: "the second connection SHALL be tracked until it sends an OPEN message": by a second machine.
    case 'tcp-connected':
    case 'tcp-accepted':
      return stay(state);
    // Event 2: "sends the NOTIFICATION with a Cease, sets the ConnectRetryTimer to zero, releases all BGP resources,
    // drops the TCP connection, sets the ConnectRetryCounter to zero, and changes its state to Idle." RFC 4724 §4.1: a
    // side that is about to restart sends no NOTIFICATION, so that its routes are kept.
    case 'manual-stop': {
      const why = stopText(event.cease);
      return stopToIdle(
        state,
        event.cease === undefined ? { why, fault: false } : endingByCease(state, event.cease, why, false),
      );
    }
    // Event 8: "sends the NOTIFICATION with a Cease, [...] increments the ConnectRetryCounter by 1, (optionally) performs
    // peer oscillation damping [...], and changes its state to Idle."
    case 'automatic-stop':
      return failToIdle(state, endingByCease(state, event.cease, event.why, false));
    // Event 18 (OpenConfirm, Established): "sets the ConnectRetryTimer to zero, releases all BGP resources, drops the TCP
    // connection, increments the ConnectRetryCounter by 1, [...] and changes its state to Idle."
    case 'tcp-fails':
      return failToIdle(state, { ...closedEnding(state, event.why, config), meaning: 'absence' });
    // Events 21, 22, 28: "sends a NOTIFICATION message with the appropriate error code, [...] changes its state to
    // Idle." §8.2.2 names these for the states in which the message is expected, malformed or not. Otherwise it is "any
    // other event": OpenSent lists Event 28, OpenConfirm 28, Established 22.
    case 'message-error': {
      const type = messageTypeOf(event.error);
      return type === undefined || isInOrder(state.name, type)
        ? failToIdle(state, endingForMalformed(event.error))
        : fsmError(state, `unexpected and malformed ${MESSAGE_NAMES[type]}`, type);
    }
    // Event 23: "sends a NOTIFICATION with a Cease, [...] changes its state to Idle." RFC 4486 §4: subcode 7.
    case 'collision-dump':
      return failToIdle(state, {
        ...endingByCease(
          state,
          { subcode: CeaseSubcode.ConnectionCollisionResolution },
          ANOTHER_STAYS,
          false,
        ),
        meaning: 'collision',
      });
    // Events 24, 25: "sets the ConnectRetryTimer to zero, releases all BGP resources, drops the TCP connection, [...] and
    // changes its state to Idle": a NOTIFICATION is never answered.
    case 'notification':
      return failToIdle(state, {
        why: explainNotification(event.notification, config),
        fault: !isCollision(event),
        meaning: meaningOf(state, event),
      });
    // "In response to any other event [...], the local system: sends the NOTIFICATION with the Error Code Finite State
    // Machine Error". This includes an OPEN in OpenConfirm and Established: a second one on the same connection is not
    // a collision.
    case 'open':
      return fsmError(state, 'unexpected OPEN', MessageType.Open);
    case 'update':
      return fsmError(state, 'unexpected UPDATE', MessageType.Update);
    case 'keepalive':
      return fsmError(state, 'unexpected KEEPALIVE', MessageType.Keepalive);
    case 'route-refresh':
      return fsmError(state, 'unexpected ROUTE-REFRESH', MessageType.RouteRefresh);
    case 'timer-expires':
      return fsmError(state, `${event.timer} timer expired`);
  }
}

function sendKeepalive(state: FsmState, agreement: Agreement): FsmStep {
  return [state, [{ type: 'send', message: { type: 'keepalive' } }, ...restartKeepalive(agreement)]];
}

function restartKeepalive(agreement: Agreement): readonly FsmAction[] {
  if (agreement.keepaliveSeconds === 0) return [];
  return [{ type: 'start-timer', timer: 'keepalive', seconds: agreement.keepaliveSeconds }];
}

function restartHold(agreement: Agreement): readonly FsmAction[] {
  if (agreement.holdTimeSeconds === 0) return [];
  return [{ type: 'start-timer', timer: 'hold', seconds: agreement.holdTimeSeconds }];
}

function stay(state: FsmState): FsmStep {
  return [state, []];
}
