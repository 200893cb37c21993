/** Reads an action from the fields in which an answer of the API shows it. */
import type { MitigationAction, RedirectTarget } from '../core/action.ts';
import { actionWords } from '../core/rule-text.ts';
import { type Fields, number, text } from './answer.ts';

/** Reads an action; undefined for one that this version does not know. */
export function readAction(shown: Fields): MitigationAction | undefined {
  const rate = typeof shown.rate_bps === 'number' ? shown.rate_bps : null;
  switch (shown.action_type) {
    case 'police': {
      const shared = shown.rate_shared === true ? { shared: true as const } : {};
      return { type: 'police', rateBps: number(shown.rate_bps), ...shared };
    }
    case 'redirect': {
      const copy = shown.redirect_copy === true ? { copy: true as const } : {};
      return { type: 'redirect', rateBps: rate, target: readTarget(shown), ...copy };
    }
    case 'divert':
      return { type: 'divert', rateBps: null, scrubber: text(shown.scrubber) };
    case 'discard':
    case 'blackhole':
      return { type: shown.action_type, rateBps: null };
    default:
      return undefined;
  }
}

function readTarget(shown: Fields): RedirectTarget {
  if (typeof shown.redirect_vrf === 'string') return { vrf: shown.redirect_vrf };
  if (typeof shown.redirect_ip === 'string') return { ip: shown.redirect_ip };
  return { scrubber: text(shown.scrubber) };
}

/** Returns the action in words: `police at 5 Mbit/s`, `redirect to fra`. */
export function actionText(shown: Fields): string {
  const action = readAction(shown);
  return action === undefined ? text(shown.action_type) : actionWords(action);
}
