/** Serves the emergency commands: pause, resume, withdraw all. */
import { z } from 'zod';
import { effectView, expectAnswer } from '../answers.ts';
import { type App, operatorOf } from '../request-context.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { ControlBody } from '../request-schemas.ts';
import { choosePops, confirmationsShape, doneHere } from '../other-pops.ts';
import { countWords } from '../../net/text.ts';
import { commonProblems, effectShape } from '../answer-schemas.ts';

const OPERATIONS = [
  ['pause', 'pause', 'Announce nothing new; TTLs continue'],
  ['resume', 'resume', 'End a pause'],
  ['withdraw-all', 'withdraw-all', 'Withdraw all mitigations'],
] as const;

export function registerControl(app: App, deps: HttpDependencies): void {
  const { engine } = deps;
  for (const [path, type, summary] of OPERATIONS) {
    app.post(
      `/v1/control/${path}`,
      {
        config: { access: 'operate', scoped: 'unlimited' },
        schema: {
          tags: ['control'],
          summary,
          body: ControlBody,
          response: {
            200: z.object({
              paused: z.boolean(),
              affected: z.array(z.uuid()).describe('Mitigations that this withdrew'),
              ...effectShape,
              ...confirmationsShape,
            }),
            ...commonProblems,
          },
        },
      },
      async (request) => {
        const { operator_id, reason, pops } = request.body;
        const chosen = choosePops(deps, pops);
        const actor = operatorOf(request, operator_id);
        const done = chosen.isHere
          ? expectAnswer(await engine.submit({ type, actor, reason }), 'done')
          : undefined;
        const count = done?.affected.length ?? 0;
        const detail = count === 0 ? '' : `${countWords(count, 'mitigation')} withdrawn`;
        return {
          paused: engine.state.paused !== undefined,
          affected: [...(done?.affected ?? [])],
          ...(done === undefined ? {} : effectView(done)),
          ...(await chosen.ask({ type, operator: actor.name, reason }, done && doneHere(engine, detail))),
        };
      },
    );
  }
}
