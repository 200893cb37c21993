import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UNDAMPED } from '../../../src/bgp/fsm/leave-state.ts';
import { INITIAL_STATE, step } from '../../../src/bgp/fsm/step.ts';
import type { Damping, FsmEvent, FsmState, StateName } from '../../../src/bgp/fsm/types.ts';
import { FAMILIES } from '../../../src/bgp/wire/iana.ts';
import { NotificationError } from '../../../src/bgp/wire/notification.ts';
import { makeUpdate } from '../../../src/bgp/wire/update.ts';
import { agreementWith, CONFIG, peerOpen, words } from './support.ts';

const DAMPED: Damping = { connectRetryCounter: 2, nextWaitSeconds: 4 };

const STATES: Readonly<Record<StateName, FsmState>> = {
  idle: { name: 'idle', held: true, damping: DAMPED },
  connect: { name: 'connect', damping: DAMPED },
  active: { name: 'active', damping: DAMPED },
  opensent: { name: 'opensent', damping: DAMPED },
  openconfirm: { name: 'openconfirm', damping: DAMPED, agreement: agreementWith() },
  established: { name: 'established', damping: DAMPED, agreement: agreementWith() },
};

/** Every event, under the number that RFC 4271 §8.1 gives it. */
const EVENTS = {
  '1 ManualStart': { type: 'manual-start' },
  '2 ManualStop': { type: 'manual-stop', cease: { subcode: 2 } },
  '3 AutomaticStart': { type: 'automatic-start' },
  '8 AutomaticStop': { type: 'automatic-stop', cease: { subcode: 4 }, why: 'reset' },
  '9 ConnectRetryTimer_Expires': { type: 'timer-expires', timer: 'connect-retry' },
  '10 HoldTimer_Expires': { type: 'timer-expires', timer: 'hold' },
  '11 KeepaliveTimer_Expires': { type: 'timer-expires', timer: 'keepalive' },
  '13 IdleHoldTimer_Expires': { type: 'timer-expires', timer: 'idle-hold' },
  '16 Tcp_CR_Acked': { type: 'tcp-connected' },
  '17 TcpConnectionConfirmed': { type: 'tcp-accepted' },
  '18 TcpConnectionFails': { type: 'tcp-fails', why: 'reset' },
  '19 BGPOpen': { type: 'open', open: peerOpen() },
  '21 BGPHeaderErr': { type: 'message-error', error: new NotificationError(1, 1, 'marker') },
  '22 BGPOpenMsgErr': { type: 'message-error', error: new NotificationError(2, 6, 'hold time') },
  '23 OpenCollisionDump': { type: 'collision-dump' },
  '24 NotifMsgVerErr': {
    type: 'notification',
    notification: { type: 'notification', code: 2, subcode: 1, data: Uint8Array.of(0, 4) },
  },
  '25 NotifMsg': {
    type: 'notification',
    notification: { type: 'notification', code: 6, subcode: 4, data: new Uint8Array(0) },
  },
  '26 KeepAliveMsg': { type: 'keepalive' },
  '27 UpdateMsg': { type: 'update', update: makeUpdate({}) },
  '28 UpdateMsgErr': { type: 'message-error', error: new NotificationError(3, 1, 'attributes') },
  'RFC 2918 ROUTE-REFRESH': {
    type: 'route-refresh',
    refresh: { type: 'route_refresh', family: FAMILIES['ipv4-flowspec'], subtype: 0 },
  },
  'RFC 9687 SendHoldTimer_Expires': { type: 'timer-expires', timer: 'send-hold' },
  'settled (damping)': { type: 'timer-expires', timer: 'settle' },
} as const satisfies Readonly<Record<string, FsmEvent>>;

type EventName = keyof typeof EVENTS;
type Row = readonly [next: StateName, actions: string];

const IGNORED = (state: StateName): Row => [state, ''];

// What every way to Idle has in common, at the third attempt: the wait is 4 s.
const FAILED: Row = ['idle', 'stop-all-timers, drop-connection, report fault, start idle-hold 4'];
const FAILED_QUIETLY: Row = ['idle', 'stop-all-timers, drop-connection, report, start idle-hold 4'];
const NOTIFIED = (code: string, down = ''): Row => [
  'idle',
  `stop-all-timers, notify ${code}, drop-connection, ${down}report fault, start idle-hold 4`,
];
const CEASED = (code: string, down = ''): Row => [
  'idle',
  `stop-all-timers, notify ${code}, drop-connection, ${down}report, start idle-hold 4`,
];
const DIAL = 'start connect-retry 30, connect';
const OPENED: Row = ['opensent', 'stop connect-retry, send open, start hold 240'];
const DOWN = 'session-down, ';

/** RFC 4271 §8.2.2, one paragraph of it a state. What differs from its letter is said at the head of step.ts. */
const TABLE: Readonly<Record<StateName, Readonly<Record<EventName, Row>>>> = {
  // "Idle state: Initially, the BGP peer FSM is in the Idle state."
  idle: {
    '1 ManualStart': ['connect', `stop-all-timers, ${DIAL}`],
    '2 ManualStop': ['idle', 'stop-all-timers'],
    '3 AutomaticStart': ['connect', `stop-all-timers, ${DIAL}`],
    '8 AutomaticStop': IGNORED('idle'),
    '9 ConnectRetryTimer_Expires': IGNORED('idle'),
    '10 HoldTimer_Expires': IGNORED('idle'),
    '11 KeepaliveTimer_Expires': IGNORED('idle'),
    '13 IdleHoldTimer_Expires': ['connect', `stop-all-timers, ${DIAL}`],
    '16 Tcp_CR_Acked': ['idle', 'drop-connection'],
    '17 TcpConnectionConfirmed': ['idle', 'drop-connection'],
    '18 TcpConnectionFails': IGNORED('idle'),
    '19 BGPOpen': IGNORED('idle'),
    '21 BGPHeaderErr': IGNORED('idle'),
    '22 BGPOpenMsgErr': IGNORED('idle'),
    '23 OpenCollisionDump': IGNORED('idle'),
    '24 NotifMsgVerErr': IGNORED('idle'),
    '25 NotifMsg': IGNORED('idle'),
    '26 KeepAliveMsg': IGNORED('idle'),
    '27 UpdateMsg': IGNORED('idle'),
    '28 UpdateMsgErr': IGNORED('idle'),
    'RFC 2918 ROUTE-REFRESH': IGNORED('idle'),
    'RFC 9687 SendHoldTimer_Expires': IGNORED('idle'),
    'settled (damping)': IGNORED('idle'),
  },
  // "Connect State: In this state, BGP FSM is waiting for the TCP connection to be completed."
  connect: {
    '1 ManualStart': IGNORED('connect'),
    '2 ManualStop': ['idle', 'stop-all-timers, drop-connection, report'],
    '3 AutomaticStart': IGNORED('connect'),
    '8 AutomaticStop': FAILED_QUIETLY,
    '9 ConnectRetryTimer_Expires': ['connect', `drop-connection, report fault, ${DIAL}`],
    '10 HoldTimer_Expires': FAILED,
    '11 KeepaliveTimer_Expires': FAILED,
    '13 IdleHoldTimer_Expires': FAILED,
    '16 Tcp_CR_Acked': OPENED,
    '17 TcpConnectionConfirmed': OPENED,
    '18 TcpConnectionFails': [
      'active',
      'stop-all-timers, drop-connection, report fault, start connect-retry 4',
    ],
    '19 BGPOpen': FAILED,
    '21 BGPHeaderErr': FAILED,
    '22 BGPOpenMsgErr': FAILED,
    '23 OpenCollisionDump': FAILED_QUIETLY,
    '24 NotifMsgVerErr': FAILED,
    '25 NotifMsg': FAILED,
    '26 KeepAliveMsg': FAILED,
    '27 UpdateMsg': FAILED,
    '28 UpdateMsgErr': FAILED,
    'RFC 2918 ROUTE-REFRESH': FAILED,
    'RFC 9687 SendHoldTimer_Expires': FAILED,
    'settled (damping)': FAILED,
  },
  // "Active State: In this state, BGP FSM is trying to acquire a peer by listening for, and accepting, a TCP connection."
  active: {
    '1 ManualStart': IGNORED('active'),
    '2 ManualStop': ['idle', 'stop-all-timers, drop-connection, report'],
    '3 AutomaticStart': IGNORED('active'),
    '8 AutomaticStop': FAILED_QUIETLY,
    '9 ConnectRetryTimer_Expires': ['connect', DIAL],
    '10 HoldTimer_Expires': FAILED,
    '11 KeepaliveTimer_Expires': FAILED,
    '13 IdleHoldTimer_Expires': FAILED,
    '16 Tcp_CR_Acked': OPENED,
    '17 TcpConnectionConfirmed': OPENED,
    '18 TcpConnectionFails': FAILED,
    '19 BGPOpen': FAILED,
    '21 BGPHeaderErr': FAILED,
    '22 BGPOpenMsgErr': FAILED,
    '23 OpenCollisionDump': FAILED_QUIETLY,
    '24 NotifMsgVerErr': FAILED,
    '25 NotifMsg': FAILED,
    '26 KeepAliveMsg': FAILED,
    '27 UpdateMsg': FAILED,
    '28 UpdateMsgErr': FAILED,
    'RFC 2918 ROUTE-REFRESH': FAILED,
    'RFC 9687 SendHoldTimer_Expires': FAILED,
    'settled (damping)': FAILED,
  },
  // "OpenSent: In this state, BGP FSM waits for an OPEN message from its peer."
  opensent: {
    '1 ManualStart': IGNORED('opensent'),
    '2 ManualStop': ['idle', 'stop-all-timers, notify 6/2, drop-connection, report'],
    '3 AutomaticStart': IGNORED('opensent'),
    '8 AutomaticStop': CEASED('6/4'),
    '9 ConnectRetryTimer_Expires': NOTIFIED('5/0'),
    '10 HoldTimer_Expires': NOTIFIED('4/0'),
    '11 KeepaliveTimer_Expires': NOTIFIED('5/0'),
    '13 IdleHoldTimer_Expires': NOTIFIED('5/0'),
    '16 Tcp_CR_Acked': IGNORED('opensent'),
    '17 TcpConnectionConfirmed': IGNORED('opensent'),
    '18 TcpConnectionFails': [
      'active',
      'stop-all-timers, drop-connection, report fault, start connect-retry 4',
    ],
    '19 BGPOpen': ['openconfirm', 'stop connect-retry, send keepalive, start keepalive 30, start hold 90'],
    '21 BGPHeaderErr': NOTIFIED('1/1'),
    '22 BGPOpenMsgErr': NOTIFIED('2/6'),
    '23 OpenCollisionDump': CEASED('6/7'),
    '24 NotifMsgVerErr': FAILED,
    '25 NotifMsg': FAILED,
    // RFC 6608 §3: subcode 1, Receive Unexpected Message in OpenSent State.
    '26 KeepAliveMsg': NOTIFIED('5/1'),
    '27 UpdateMsg': NOTIFIED('5/1'),
    '28 UpdateMsgErr': NOTIFIED('5/1'),
    'RFC 2918 ROUTE-REFRESH': NOTIFIED('5/1'),
    'RFC 9687 SendHoldTimer_Expires': NOTIFIED('5/0'),
    'settled (damping)': NOTIFIED('5/0'),
  },
  // "OpenConfirm State: In this state, BGP waits for a KEEPALIVE or NOTIFICATION message."
  openconfirm: {
    '1 ManualStart': IGNORED('openconfirm'),
    '2 ManualStop': ['idle', 'stop-all-timers, notify 6/2, drop-connection, report'],
    '3 AutomaticStart': IGNORED('openconfirm'),
    '8 AutomaticStop': CEASED('6/4'),
    '9 ConnectRetryTimer_Expires': NOTIFIED('5/0'),
    '10 HoldTimer_Expires': NOTIFIED('4/0'),
    '11 KeepaliveTimer_Expires': ['openconfirm', 'send keepalive, start keepalive 30'],
    '13 IdleHoldTimer_Expires': NOTIFIED('5/0'),
    '16 Tcp_CR_Acked': IGNORED('openconfirm'),
    '17 TcpConnectionConfirmed': IGNORED('openconfirm'),
    '18 TcpConnectionFails': FAILED,
    // RFC 6608 §3: subcode 2, Receive Unexpected Message in OpenConfirm State.
    '19 BGPOpen': NOTIFIED('5/2'),
    '21 BGPHeaderErr': NOTIFIED('1/1'),
    '22 BGPOpenMsgErr': NOTIFIED('2/6'),
    '23 OpenCollisionDump': CEASED('6/7'),
    '24 NotifMsgVerErr': FAILED,
    '25 NotifMsg': FAILED,
    '26 KeepAliveMsg': ['established', 'start hold 90, start send-hold 480, start settle 30, session-up'],
    '27 UpdateMsg': NOTIFIED('5/2'),
    '28 UpdateMsgErr': NOTIFIED('5/2'),
    'RFC 2918 ROUTE-REFRESH': NOTIFIED('5/2'),
    'RFC 9687 SendHoldTimer_Expires': NOTIFIED('5/0'),
    'settled (damping)': NOTIFIED('5/0'),
  },
  // "Established State: In the Established state, the BGP FSM can exchange UPDATE, NOTIFICATION, and KEEPALIVE messages
  // with its peer."
  established: {
    '1 ManualStart': IGNORED('established'),
    '2 ManualStop': ['idle', 'stop-all-timers, notify 6/2, drop-connection, session-down, report'],
    '3 AutomaticStart': IGNORED('established'),
    '8 AutomaticStop': CEASED('6/4', DOWN),
    '9 ConnectRetryTimer_Expires': NOTIFIED('5/0', DOWN),
    '10 HoldTimer_Expires': NOTIFIED('4/0', DOWN),
    '11 KeepaliveTimer_Expires': ['established', 'send keepalive, start keepalive 30'],
    '13 IdleHoldTimer_Expires': NOTIFIED('5/0', DOWN),
    '16 Tcp_CR_Acked': IGNORED('established'),
    '17 TcpConnectionConfirmed': IGNORED('established'),
    '18 TcpConnectionFails': [
      'idle',
      'stop-all-timers, drop-connection, session-down, report fault, start idle-hold 4',
    ],
    // RFC 6608 §3: subcode 3, Receive Unexpected Message in Established State.
    '19 BGPOpen': NOTIFIED('5/3', DOWN),
    '21 BGPHeaderErr': NOTIFIED('1/1', DOWN),
    '22 BGPOpenMsgErr': NOTIFIED('5/3', DOWN),
    '23 OpenCollisionDump': CEASED('6/7', DOWN),
    '24 NotifMsgVerErr': [
      'idle',
      'stop-all-timers, drop-connection, session-down, report fault, start idle-hold 4',
    ],
    '25 NotifMsg': [
      'idle',
      'stop-all-timers, drop-connection, session-down, report fault, start idle-hold 4',
    ],
    '26 KeepAliveMsg': ['established', 'start hold 90'],
    '27 UpdateMsg': ['established', 'deliver-update, start hold 90'],
    '28 UpdateMsgErr': NOTIFIED('3/1', DOWN),
    'RFC 2918 ROUTE-REFRESH': ['established', 'deliver-refresh'],
    'RFC 9687 SendHoldTimer_Expires': NOTIFIED('8/0', DOWN),
    'settled (damping)': IGNORED('established'),
  },
};

const names = Object.keys(EVENTS) as readonly EventName[];

for (const state of Object.keys(TABLE) as readonly StateName[]) {
  describe(`RFC 4271 §8.2.2, ${state}`, () => {
    for (const name of names) {
      it(`Event ${name}`, () => {
        const [next, actions] = TABLE[state][name];
        const [after, done] = step(STATES[state], EVENTS[name], CONFIG);
        assert.equal(after.name, next);
        assert.equal(words(done), actions);
      });
    }
  });
}

describe('damping (RFC 4271 §8.1.1, DampPeerOscillations)', () => {
  it('doubles the wait from 1 s to 30 s with every failure', () => {
    const waits: number[] = [];
    let state: FsmState = { name: 'opensent', damping: UNDAMPED };
    for (let i = 0; i < 8; i++) {
      const [idle, actions] = step(state, EVENTS['21 BGPHeaderErr'], CONFIG);
      for (const action of actions) if (action.type === 'start-timer') waits.push(action.seconds);
      state = { name: 'opensent', damping: idle.damping };
    }
    assert.deepEqual(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
  });

  it('counts failures in ConnectRetryCounter', () => {
    const [after] = step(STATES.opensent, EVENTS['10 HoldTimer_Expires'], CONFIG);
    assert.equal(after.damping.connectRetryCounter, 3);
  });

  it('forgets the past when a session has lasted', () => {
    const [after] = step(STATES.established, EVENTS['settled (damping)'], CONFIG);
    assert.deepEqual(after.damping, UNDAMPED);
  });

  it('forgets the past when an operator stops or starts it', () => {
    assert.deepEqual(step(STATES.idle, EVENTS['1 ManualStart'], CONFIG)[0].damping, UNDAMPED);
    assert.deepEqual(step(STATES.established, EVENTS['2 ManualStop'], CONFIG)[0].damping, UNDAMPED);
  });

  it('keeps the wait of one that did not last', () => {
    const [after] = step(STATES.established, EVENTS['18 TcpConnectionFails'], CONFIG);
    assert.equal(after.damping.nextWaitSeconds, 8);
  });
});

describe('a machine that was stopped', () => {
  it('comes back by an operator alone', () => {
    const [stopped] = step(STATES.established, EVENTS['2 ManualStop'], CONFIG);
    for (const name of names) {
      const [after] = step(stopped, EVENTS[name], CONFIG);
      assert.equal(after.name, name === '1 ManualStart' ? 'connect' : 'idle', name);
    }
    assert.deepEqual(stopped, INITIAL_STATE);
  });

  it('goes without a NOTIFICATION when the peer shall keep the routes (RFC 4724 §4.1)', () => {
    const [, actions] = step(STATES.established, { type: 'manual-stop', cease: undefined }, CONFIG);
    assert.equal(words(actions), 'stop-all-timers, drop-connection, session-down, report');
  });
});

describe('a passive neighbor (PassiveTcpEstablishment, RFC 4271 §8.1.1)', () => {
  const passive = { ...CONFIG, passive: true };

  it('Events 4, 5: waits in Active and starts no timer that would dial', () => {
    for (const event of ['1 ManualStart', '3 AutomaticStart', '13 IdleHoldTimer_Expires'] as const) {
      const [after, actions] = step(STATES.idle, EVENTS[event], passive);
      assert.equal(after.name, 'active');
      assert.equal(words(actions), 'stop-all-timers');
    }
  });

  it('Event 18 in OpenSent: waits again, without dialling', () => {
    const [after, actions] = step(STATES.opensent, EVENTS['18 TcpConnectionFails'], passive);
    assert.equal(after.name, 'active');
    assert.equal(words(actions), 'stop-all-timers, drop-connection, report fault');
  });
});

describe('the OPEN of the peer', () => {
  it('Event 19: with hold time 0 neither HoldTimer nor KeepaliveTimer runs', () => {
    const [confirm, actions] = step(
      STATES.opensent,
      { type: 'open', open: peerOpen({ holdTime: 0 }) },
      CONFIG,
    );
    assert.equal(words(actions), 'stop connect-retry, send keepalive, stop hold');
    const [established, more] = step(confirm, EVENTS['26 KeepAliveMsg'], CONFIG);
    assert.equal(words(more), 'start send-hold 480, start settle 30, session-up');
    assert.equal(words(step(established, EVENTS['26 KeepAliveMsg'], CONFIG)[1]), '');
    assert.equal(words(step(established, EVENTS['27 UpdateMsg'], CONFIG)[1]), 'deliver-update');
  });

  it('Event 22: is refused with the NOTIFICATION it deserves', () => {
    const [after, actions] = step(
      STATES.opensent,
      { type: 'open', open: peerOpen({}, { localAsn: 65002 }) },
      CONFIG,
    );
    assert.equal(after.name, 'idle');
    assert.match(words(actions), /notify 2\/2/);
    const report = actions.find((action) => action.type === 'report');
    assert.equal(
      report?.why,
      'peer is AS 65002 but peer_asn says 65001: correct peer_asn here or the local AS there',
    );
  });

  it('RFC 9687 §5: the send hold time is 8 minutes, or twice a hold time that is longer', () => {
    const long = agreementWith(peerOpen({ holdTime: 600 }), { ...CONFIG, holdTimeSeconds: 600 });
    const confirm: FsmState = { name: 'openconfirm', damping: DAMPED, agreement: long };
    assert.match(words(step(confirm, EVENTS['26 KeepAliveMsg'], CONFIG)[1]), /start send-hold 1200/);
  });
});

describe('NOTIFICATIONs', () => {
  const dataOf = (state: FsmState, event: FsmEvent): readonly number[] => {
    const [, actions] = step(state, event, CONFIG);
    for (const action of actions) {
      if (action.type === 'send' && action.message.type === 'notification') return [...action.message.data];
    }
    return assert.fail('no NOTIFICATION');
  };

  it('RFC 6608 §4: the data of an FSM error is the type of the message that surprised', () => {
    assert.deepEqual(dataOf(STATES.opensent, EVENTS['26 KeepAliveMsg']), [4]);
    assert.deepEqual(dataOf(STATES.openconfirm, EVENTS['27 UpdateMsg']), [2]);
    assert.deepEqual(dataOf(STATES.established, EVENTS['19 BGPOpen']), [1]);
    assert.deepEqual(dataOf(STATES.established, EVENTS['22 BGPOpenMsgErr']), [1]);
    assert.deepEqual(dataOf(STATES.openconfirm, EVENTS['28 UpdateMsgErr']), [2]);
    assert.deepEqual(dataOf(STATES.opensent, EVENTS['RFC 2918 ROUTE-REFRESH']), [5]);
  });

  it('RFC 9003 §2: Administrative Shutdown carries the communication', () => {
    const stop: FsmEvent = { type: 'manual-stop', cease: { subcode: 2, communication: 'bye' } };
    assert.deepEqual(dataOf(STATES.established, stop), [3, 0x62, 0x79, 0x65]);
  });

  const restartable: FsmState = {
    name: 'established',
    damping: DAMPED,
    agreement: { ...agreementWith(), gracefulRestart: true, notificationRestart: true },
  };

  it('RFC 8538 §3.1: a shutdown is a Hard Reset where the peer would otherwise keep the routes', () => {
    const [, actions] = step(
      restartable,
      { type: 'manual-stop', cease: { subcode: 2, communication: 'bye' } },
      CONFIG,
    );
    assert.match(words(actions), /notify 6\/9/);
    assert.deepEqual(
      dataOf(restartable, { type: 'manual-stop', cease: { subcode: 2, communication: 'bye' } }),
      [6, 2, 3, 0x62, 0x79, 0x65],
    );
  });

  it('RFC 8538 §5.2: a reset is not, for the session comes back', () => {
    assert.match(words(step(restartable, EVENTS['8 AutomaticStop'], CONFIG)[1]), /notify 6\/4/);
  });

  it('losing a collision at the peer is nobody’s fault', () => {
    const [, actions] = step(
      STATES.opensent,
      {
        type: 'notification',
        notification: { type: 'notification', code: 6, subcode: 7, data: new Uint8Array(0) },
      },
      CONFIG,
    );
    assert.match(words(actions), /report,/);
  });
});
