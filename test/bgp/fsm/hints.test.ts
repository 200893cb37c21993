import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { closedHint, PATIENCE_SECONDS, waitingHint } from '../../../src/bgp/fsm/peer-advice.ts';
import { step } from '../../../src/bgp/fsm/step.ts';
import { UNDAMPED } from '../../../src/bgp/fsm/leave-state.ts';
import type { FsmConfig, FsmEvent, FsmState, StateName } from '../../../src/bgp/fsm/types.ts';
import { agreementWith, CONFIG } from './support.ts';

const OPENSENT: FsmState = { name: 'opensent', damping: UNDAMPED };
const OPENCONFIRM: FsmState = { name: 'openconfirm', damping: UNDAMPED, agreement: agreementWith() };
const ESTABLISHED: FsmState = { ...OPENCONFIRM, name: 'established' };

/** What the machine reports of an event: why, and the hint. */
function reported(state: FsmState, event: FsmEvent, config = CONFIG) {
  const [, actions] = step(state, event, config);
  const report = actions.find((action) => action.type === 'report');
  return { why: report?.why, hint: report?.hint };
}

const reset: FsmEvent = { type: 'tcp-fails', why: 'peer reset the connection' };

describe('a connection that the peer ends without a NOTIFICATION', () => {
  it('before its OPEN: this side may not be configured there', () => {
    assert.deepEqual(reported(OPENSENT, reset), {
      why: 'peer reset the connection',
      hint: "it had sent no OPEN: is this side's address configured as a neighbor there, with AS 65010, and enabled?",
    });
  });

  it('after its OPEN: it did not accept ours', () => {
    assert.match(reported(OPENCONFIRM, reset).hint ?? '', /^it had sent its OPEN but did not accept ours/);
  });

  it('of a session that was up, or of a dial: the ending speaks for itself', () => {
    assert.equal(reported(ESTABLISHED, reset).hint, undefined);
    assert.equal(reported({ name: 'connect', damping: UNDAMPED }, reset).hint, undefined);
    assert.equal(closedHint('active', CONFIG), undefined);
  });
});

describe('a peer that is silent until a timer ends', () => {
  it('after its OPEN is told apart from one that fell silent on a session', () => {
    const expiry: FsmEvent = { type: 'timer-expires', timer: 'hold' };
    assert.match(
      reported(OPENCONFIRM, expiry).why ?? '',
      /^peer sent its OPEN but no KEEPALIVE for 90 s, so it has not accepted ours: look in its log .* MTU,/,
    );
    assert.match(reported(ESTABLISHED, expiry).why ?? '', /^nothing received from the peer for 90 s/);
  });

  it('after the connection came up gets a hint with our AS, and what must be alike', () => {
    const config = { ...CONFIG, sharedSettings: 'the MD5 password on both sides' };
    assert.match(
      reported(OPENSENT, { type: 'timer-expires', timer: 'hold' }, config).why ?? '',
      /no OPEN received for 240 s: .*with AS 65010\? Check the MD5 password on both sides as well\.$/,
    );
  });
});

describe('a session that stays in one state', () => {
  const hint = (state: StateName, more: Partial<FsmConfig> = {}, seconds = PATIENCE_SECONDS) =>
    waitingHint({ state, seconds, config: { ...CONFIG, ...more } });

  it('gets no hint before it has had the time that a sound one takes', () => {
    for (const state of ['connect', 'opensent', 'openconfirm'] as const) {
      assert.equal(hint(state, {}, PATIENCE_SECONDS - 1), undefined);
      assert.notEqual(hint(state), undefined);
    }
  });

  it('gets one that stays the same, so that it is one reason and not many', () => {
    assert.equal(hint('openconfirm', {}, 11), hint('openconfirm', {}, 1_100));
  });

  it('is told what each state waits for', () => {
    assert.match(hint('connect') ?? '', /^no answer to the connection attempt yet: .*MD5 password or GTSM$/);
    assert.match(hint('opensent') ?? '', /^connected, but no OPEN received yet: .*with AS 65010\?$/);
    assert.match(hint('openconfirm') ?? '', /^peer sent its OPEN but no KEEPALIVE yet/);
    assert.match(hint('active', { passive: true }) ?? '', /does it dial the address and port of bgp\.listen/);
  });

  it('needs none where it is up, idle, or about to dial again', () => {
    for (const state of ['established', 'idle', 'active'] as const) assert.equal(hint(state), undefined);
  });
});
