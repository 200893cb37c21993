/** What the decision core's answers become over HTTP. */
import type { Answer, Effect } from '../core/commands.ts';
import { HttpProblem } from './http-problem.ts';

/** The answer as wanted, or the problem that it is: refused 422, not found 404, conflict and unconfirmed 409. */
export function expectAnswer<Type extends Answer['type']>(
  answer: Answer,
  type: Type,
): Extract<Answer, { type: Type }> {
  if (isAnswer(answer, type)) return answer;
  switch (answer.type) {
    case 'refused':
      throw new HttpProblem(422, answer.detail, { reason: answer.reason, extensions: { why: answer.why } });
    case 'not-found':
      throw new HttpProblem(404, answer.detail);
    case 'needs-confirmation':
      throw unconfirmed(answer.detail, answer.ends, answer.active);
    case 'conflict':
      throw new HttpProblem(409, answer.detail);
    default:
      throw new TypeError(`the engine answered "${answer.type}" where "${type}" was expected`);
  }
}

/** What an answer says of a command that is in effect and not in the journal; nothing of others. */
export function effectView({ recorded }: Effect): { recorded?: false; warning?: string } {
  if (recorded !== false) return {};
  const warning =
    'in effect, but not recorded yet, because the journal cannot be written; it is recorded when the disk works again, ' +
    'and forgotten if prefixd ends before that: then repeat it';
  return { recorded, warning };
}

/** 409 for what would end many mitigations at once. `effect` says what would happen, for whoever asks somebody. */
export function unconfirmed(effect: string, wouldWithdraw: number, active: number): HttpProblem {
  return new HttpProblem(409, `Nothing was changed: ${effect}; repeat it with "confirm": true to go ahead`, {
    reason: 'needs_confirmation',
    extensions: { effect, would_withdraw: wouldWithdraw, active },
  });
}

function isAnswer<Type extends Answer['type']>(
  answer: Answer,
  type: Type,
): answer is Extract<Answer, { type: Type }> {
  return answer.type === type;
}
