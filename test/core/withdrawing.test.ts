import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Command, confirmed, isWithdrawing, withdrawingFacts } from '../../src/core/commands.ts';
import { decide } from '../../src/core/decide/decide.ts';
import { initialState } from '../../src/core/state/state.ts';
import { ended, version } from './intents.ts';
import { mitigation, OPERATOR, POLICY } from '../control/support.ts';

const by = { actor: OPERATOR, reason: 'because' } as const;

describe('what may take effect before it is recorded', () => {
  it('removes rules; commands that add, resume or renew may not', () => {
    const take: readonly Command[] = [
      { type: 'withdraw', id: 'x', ...by },
      { type: 'withdraw-all', ...by },
      { type: 'safelist-add', prefix: '192.0.2.0/24', ...by },
      { type: 'pause', ...by },
      { type: 'peer-disable', peer: 'edge1', ...by },
      ended(1),
    ];
    const other: readonly Command[] = [
      { type: 'resume', ...by },
      { type: 'peer-enable', peer: 'edge1', ...by },
      { type: 'safelist-remove', prefix: '192.0.2.0/24', actor: OPERATOR },
      { type: 'expire' },
      { type: 'confirm-ended', ids: [] },
      version(1),
      { type: 'policy-loaded', actor: OPERATOR, summary: '' },
    ];
    assert.deepEqual(
      take.filter((one) => !isWithdrawing(one)),
      [],
    );
    assert.deepEqual(other.filter(isWithdrawing), []);
  });

  it('is of a decision what ends, safelists or stops, and never what creates', () => {
    const state = initialState();
    state.apply({ seq: 1, at: 0, fact: { type: 'mitigation.created', mitigation: mitigation() } });
    const command: Command = { type: 'safelist-add', prefix: '203.0.113.10/32', ...by };
    const { facts } = decide(state, command, { now: 1, policy: POLICY, newId: () => 'new' });
    assert.deepEqual(withdrawingFacts(facts), facts);
    const created = { type: 'mitigation.created', mitigation: mitigation({ id: 'another' }) } as const;
    assert.deepEqual(withdrawingFacts([created, ...facts]), facts);
  });

  it('is not asked about once more when it is recorded', () => {
    assert.deepEqual(confirmed({ type: 'safelist-add', prefix: '0.0.0.0/0', ask: true, ...by }), {
      type: 'safelist-add',
      prefix: '0.0.0.0/0',
      ask: false,
      ...by,
    });
  });
});
