/** Serves the destinations of alerts, and sends them test messages. */
import { z } from 'zod';
import {
  AlertSendingSchema,
  alertSendingView,
  AlertTrialSchema,
  alertTrialView,
} from '../../view/alert-sending.ts';
import { commonProblems } from '../answer-schemas.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { HttpProblem } from '../http-problem.ts';
import { type App, operatorOf } from '../request-context.ts';
import { AlertTestBody } from '../request-schemas.ts';

export function registerAlerts(app: App, { alerts, clock, onOperatorAction }: HttpDependencies): void {
  app.get(
    '/v1/alerts',
    {
      config: { access: 'read', scoped: 'unlimited' },
      schema: {
        tags: ['alerts'],
        summary: 'List the destinations of alerts, which alerts each gets, and how its deliveries went',
        response: { 200: z.object({ destinations: z.array(AlertSendingSchema) }), ...commonProblems },
      },
    },
    () => ({ destinations: (alerts?.destinations() ?? []).map(alertSendingView) }),
  );

  app.post(
    '/v1/alerts/:name/test',
    {
      config: { access: 'operate', scoped: 'unlimited' },
      schema: {
        tags: ['alerts'],
        summary: 'Send a test message to a destination of alerts, and return what it answered',
        description:
          'The message is sent at once and once, whatever the events, customers and severity of the destination. An incident is opened and closed. `delivered` says whether the destination accepted it.',
        params: z.object({ name: z.string().max(64) }),
        body: AlertTestBody,
        response: { 200: AlertTrialSchema, ...commonProblems },
      },
    },
    async (request) => {
      const { name } = request.params;
      const actor = operatorOf(request, request.body?.operator_id);
      const trial = await alerts?.test(name, actor);
      if (trial === undefined) {
        const names = (alerts?.destinations() ?? []).map((one) => one.name);
        const known = names.length === 0 ? 'none is configured' : `configured: ${names.join(', ')}`;
        throw new HttpProblem(404, `There is no destination of alerts with this name; ${known}`);
      }
      const view = alertTrialView(trial);
      const reason = view.delivered ? 'delivered' : 'not delivered';
      onOperatorAction({ type: 'alert.tested', at: clock(), actor, target: name, reason });
      return view;
    },
  );
}
