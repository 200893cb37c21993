/** Translates the decision core's answers into HTTP answers and problems. */
import type { z } from 'zod';
import type { CallerScope, ScopeContext } from '../access/caller-scope.ts';
import { discreet } from '../access/scoped-facts.ts';
import type { Answer, Effect } from '../core/commands.ts';
import type { SignalAnswerSchema } from './answer-schemas.ts';
import { HttpProblem } from './http-problem.ts';

/**
 * Returns the expected answer, or throws its problem: refused 422, not found 404, conflict and unconfirmed 409. A limited
 * caller does not learn what concerns others.
 */
export function expectAnswer<Type extends Answer['type']>(
  answer: Answer,
  type: Type,
  { scope, context }: { readonly scope?: CallerScope | undefined; readonly context?: ScopeContext } = {},
): Extract<Answer, { type: Type }> {
  if (isAnswer(answer, type)) return answer;
  switch (answer.type) {
    case 'refused': {
      const { detail, why } =
        scope === undefined || context === undefined ? answer : discreet(answer, scope, context);
      throw new HttpProblem(422, detail, { reason: answer.reason, extensions: { why } });
    }
    case 'not-found':
      throw new HttpProblem(404, answer.detail);
    case 'needs-confirmation':
      throw unconfirmed(answer.detail, answer.ends, answer.active);
    case 'conflict':
      // A pause's reason may be about another customer.
      throw new HttpProblem(409, scope === undefined ? answer.detail : 'Nothing new is announced now');
    default:
      throw new TypeError(`the engine answered "${answer.type}" where "${type}" was expected`);
  }
}

/** Returns a warning for a command that is in effect but not in the journal; nothing for others. */
export function effectView({ recorded }: Effect): { recorded?: false; warning?: string } {
  if (recorded !== false) return {};
  const warning =
    'in effect, but not recorded yet, because the journal cannot be written; prefixd records it when the disk works again; ' +
    'if prefixd stops before that, it is lost: repeat it then';
  return { recorded, warning };
}

/**
 * Returns a 409 for a command that would withdraw many mitigations. `effect` describes the result, for a confirmation
 * prompt.
 */
export function unconfirmed(effect: string, wouldWithdraw: number, active: number): HttpProblem {
  return new HttpProblem(
    409,
    `Nothing was changed: ${effect}; repeat the request with "confirm": true to continue`,
    {
      reason: 'needs_confirmation',
      extensions: { effect, would_withdraw: wouldWithdraw, active },
    },
  );
}

function isAnswer<Type extends Answer['type']>(
  answer: Answer,
  type: Type,
): answer is Extract<Answer, { type: Type }> {
  return answer.type === type;
}

/** Makes the answer to a valid message that asks for nothing; it is not recorded as an event. */
export function ignoredAnswer(why: string): z.output<typeof SignalAnswerSchema> {
  return {
    event_id: null,
    external_event_id: null,
    mitigation_id: null,
    status: 'accepted_no_mitigation',
    why: [why],
  };
}
