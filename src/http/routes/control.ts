/** Serves the emergency commands: pause, resume, withdraw all. */
import { z } from 'zod';
import { effectView, expectAnswer } from '../answers.ts';
import { type App, operatorOf } from '../request-context.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { ControlBody } from '../request-schemas.ts';
import { commonProblems, effectShape } from '../answer-schemas.ts';

const OPERATIONS = [
  ['pause', 'pause', 'Announce nothing new; TTLs continue'],
  ['resume', 'resume', 'End a pause'],
  ['withdraw-all', 'withdraw-all', 'Withdraw all mitigations'],
] as const;

export function registerControl(app: App, { engine }: HttpDependencies): void {
  for (const [path, type, summary] of OPERATIONS) {
    app.post(
      `/v1/control/${path}`,
      {
        config: { access: 'operate', scoped: 'place' },
        schema: {
          tags: ['control'],
          summary,
          body: ControlBody,
          response: {
            200: z.object({
              paused: z.boolean(),
              affected: z.array(z.uuid()).describe('Mitigations that this withdrew'),
              ...effectShape,
            }),
            ...commonProblems,
          },
        },
      },
      async (request) => {
        const actor = operatorOf(request, request.body.operator_id);
        const answer = await engine.submit({ type, actor, reason: request.body.reason });
        const done = expectAnswer(answer, 'done');
        return {
          paused: engine.state.paused !== undefined,
          affected: [...done.affected],
          ...effectView(done),
        };
      },
    );
  }
}
