/** What the decision core's answers become over HTTP. */
import type { Answer } from '../core/commands.ts';
import { HttpProblem } from './problem.ts';

/** The answer as wanted, or the problem that it is: refused 422, not found 404, conflict 409. */
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
    case 'conflict':
      throw new HttpProblem(409, answer.detail);
    default:
      throw new TypeError(`the engine answered "${answer.type}" where "${type}" was expected`);
  }
}

function isAnswer<Type extends Answer['type']>(
  answer: Answer,
  type: Type,
): answer is Extract<Answer, { type: Type }> {
  return answer.type === type;
}
