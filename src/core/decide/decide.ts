/** Makes every decision: takes a command, returns facts and an answer. Pure. */
import { decideHealth } from './leave-scrubber.ts';
import { decideClean } from './unicast-rule.ts';
import type { Command, DecideContext, Decision } from '../commands.ts';
import { decideBan } from './ban.ts';
import {
  confirmEnded,
  decidePolicyLoaded,
  decideSafelistAdd,
  decideSafelistRemove,
  decideWithdraw,
  decideWithdrawAll,
  setPaused,
  setPeerEnabled,
} from './operator.ts';
import { expire } from './expire.ts';
import { decideImport } from './import.ts';
import { decideMitigate } from './mitigate.ts';
import { decideUnban } from './unban.ts';
import { asOfArrival, unreadable } from './event-answer.ts';
import type { DecisionView } from '../state/state-view.ts';

/**
 * Decides one command against the current state. Changes nothing itself: the facts do, once they are durable and
 * folded. `context.now` must not run backwards by more than the clock itself does; `expire` handles a clock that was
 * set back.
 */
export function decide(state: DecisionView, command: Command, context: DecideContext): Decision {
  switch (command.type) {
    case 'event': {
      if (command.invalid !== undefined) return unreadable(command, command.invalid, context);
      const event = asOfArrival(command, context);
      return event.detection.action === 'ban'
        ? decideBan(state, event, context)
        : decideUnban(state, event, context);
    }
    case 'withdraw':
      return decideWithdraw(state, command, context);
    case 'withdraw-all':
      return decideWithdrawAll(state, command, context);
    case 'mitigate':
      return decideMitigate(state, command, context);
    case 'safelist-add':
      return decideSafelistAdd(state, command, context);
    case 'safelist-remove':
      return decideSafelistRemove(state, command, context);
    case 'pause':
    case 'resume':
      return setPaused(state, command);
    case 'peer-disable':
    case 'peer-enable':
      return setPeerEnabled(command);
    case 'scrubber-clean':
      return decideClean(state, command, context);
    case 'scrubber-health':
      return decideHealth(state, command, context);
    case 'import':
      return decideImport(state, command, context);
    case 'expire':
      return expire(state, context);
    case 'confirm-ended':
      return confirmEnded(state, command);
    case 'policy-loaded':
      return decidePolicyLoaded(state, command, context);
  }
}
