/** Serves the daemon's health, statistics, configuration, audit log and metrics. */
import { z } from 'zod';
import type { Mitigation } from '../../core/types.ts';
import { timeText } from '../../net/time.ts';
import { unconfirmed } from '../answers.ts';
import { type App, operatorOf } from '../request-context.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { HttpProblem } from '../http-problem.ts';
import { LimitQuery, ReloadBody } from '../request-schemas.ts';
import { commonProblems, HealthDetailSchema, HealthSchema, StatsSchema } from '../answer-schemas.ts';
import type { ReadRoom } from '../read-room.ts';
import { inSlices } from '../slices.ts';
import { READS } from '../turns.ts';
import { type Assessment, reasonView } from '../../view/health.ts';
import { timeOrNull } from '../../view/values.ts';

const READ = { access: 'read' } as const;
const Anything = z
  .unknown()
  .describe('As in the configuration files, with defaults filled in and secrets redacted');

export function registerStatus(
  app: App,
  deps: HttpDependencies,
  feedReaders: () => number,
  room: ReadRoom,
): void {
  const { engine, reconciler, announcer, clock } = deps;

  const health = ({ status }: Pick<Assessment, 'status'>): z.output<typeof HealthSchema> => ({
    status,
    ready: true,
    version: deps.version,
    uptime_seconds: Math.max(0, Math.floor((clock() - deps.startedAt) / 1000)),
  });

  app.get(
    '/v1/health',
    {
      config: { access: 'public' },
      schema: {
        tags: ['status'],
        summary: 'Get the health status, without credentials',
        response: { 200: HealthSchema, ...commonProblems },
      },
    },
    () => health(deps.assess()),
  );

  app.get(
    '/v1/health/detail',
    {
      // It costs little, and operators need it to find out what is wrong.
      config: { ...READ, essential: true },
      schema: {
        tags: ['status'],
        summary: 'Get the health status with its reasons',
        response: { 200: HealthDetailSchema, ...commonProblems },
      },
    },
    () => {
      const { state, policy } = engine;
      const assessment = deps.assess();
      const { reasons } = assessment;
      const peers = announcer.peers();
      const { runs, drift, lastRunAt, lastRunMs, egressRefusals } = reconciler.stats;
      return {
        ...health(assessment),
        pop: policy.pop,
        mode: policy.mode,
        started_at: timeText(deps.startedAt),
        problems: reasons.map(({ text }) => text),
        reasons: reasons.map(reasonView),
        paused:
          state.paused === undefined
            ? null
            : {
                at: timeText(state.paused.at),
                by: state.paused.actor.name,
                reason: state.paused.reason,
              },
        journal: { seq: state.seq },
        peers: {
          configured: peers.length,
          established: peers.filter((peer) => peer.state === 'established').length,
        },
        mitigations: { live: state.live.size },
        reconciler: {
          runs,
          drift,
          last_run_at: timeOrNull(lastRunAt ?? null),
          last_run_ms: lastRunMs,
          egress_refusals: egressRefusals,
        },
        feed_readers: feedReaders(),
      };
    },
  );

  app.get(
    '/v1/stats',
    {
      config: READ,
      schema: {
        tags: ['status'],
        summary: 'Count the remembered mitigations',
        response: { 200: StatsSchema, ...commonProblems },
      },
    },
    () => statistics(engine.state),
  );

  app.get(
    '/v1/audit',
    {
      config: READ,
      schema: {
        tags: ['status'],
        summary: 'List the newest entries of the audit log, newest first',
        querystring: LimitQuery,
        response: { 200: z.object({ entries: z.array(z.unknown()) }), ...commonProblems },
      },
    },
    async (request, reply) => {
      const { limit } = request.query;
      return room.enter(limit, async () => {
        const entries = await deps.audit(limit).catch((error: unknown) => {
          deps.logger.error({ request_id: request.id, err: error }, 'the audit log cannot be read');
          throw new HttpProblem(503, "The audit log cannot be read; prefixd's log says why");
        });
        return inSlices(reply, { entries: [...entries] });
      });
    },
  );

  for (const [path, what, read] of [
    ['settings', 'Get the active settings', deps.settings],
    ['inventory', 'Get the customers, services and assets', deps.inventory],
    ['playbooks', 'Get the active playbooks', deps.playbooks],
  ] as const) {
    app.get(
      `/v1/config/${path}`,
      {
        config: READ,
        schema: { tags: ['configuration'], summary: what, response: { 200: Anything, ...commonProblems } },
      },
      (_request, reply) => {
        const shown = read();
        // An inventory may have tens of thousands of customers.
        if (typeof shown !== 'object' || shown === null) return shown;
        return room.enter(Number.POSITIVE_INFINITY, () => inSlices(reply, shown));
      },
    );
  }

  app.post(
    '/v1/config/reload',
    {
      config: { access: 'admin' },
      schema: {
        tags: ['configuration'],
        summary: 'Reload the configuration (all or nothing)',
        body: ReloadBody,
        response: {
          200: z.object({ summary: z.string(), warnings: z.array(z.string()) }),
          ...commonProblems,
        },
      },
    },
    async (request) => {
      const actor = operatorOf(request, request.body?.operator_id);
      const outcome = await deps.reload(actor, request.body?.confirm === true);
      if (outcome.ok) return { summary: outcome.summary, warnings: [...(outcome.warnings ?? [])] };
      if ('effect' in outcome) throw unconfirmed(outcome.effect, outcome.wouldWithdraw, outcome.active);
      const [first = 'the configuration is invalid'] = outcome.problems;
      const more = outcome.problems.length > 1 ? ` (and ${outcome.problems.length - 1} more)` : '';
      deps.onOperatorAction({ type: 'config.reload_failed', at: clock(), actor, target: '', reason: first });
      throw new HttpProblem(422, `Nothing was changed: ${first}${more}`, {
        reason: 'invalid_configuration',
        extensions: { problems: outcome.problems },
      });
    },
  );

  app.get(
    '/metrics',
    {
      config: { access: 'any' },
      schema: {
        tags: ['status'],
        summary: 'Get metrics in the Prometheus text format',
        response: {
          200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
          ...commonProblems,
        },
      },
    },
    async (_request, reply) => {
      const { contentType, body } = await deps.metrics();
      return reply.type(contentType).send(body);
    },
  );
}

/** Counts active mitigations by customer, POP and action, and all remembered ones by status. */
async function statistics(state: HttpDependencies['engine']['state']): Promise<z.output<typeof StatsSchema>> {
  const byStatus = new Map<string, number>();
  const [byCustomer, byPop, byAction] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ];
  const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  const countLive = (mitigation: Mitigation) => {
    count(byCustomer, mitigation.customerId ?? '(none)');
    count(byPop, mitigation.pop);
    count(byAction, mitigation.action.type);
  };
  for (const mitigation of [...state.mitigations.values()]) {
    if (READS.spent) await READS.next();
    count(byStatus, mitigation.status);
    if (state.live.has(mitigation.id)) countLive(mitigation);
  }
  return {
    total_active: state.live.size,
    total_expired: byStatus.get('expired') ?? 0,
    total_withdrawn: byStatus.get('withdrawn') ?? 0,
    total_rejected: byStatus.get('rejected') ?? 0,
    by_status: Object.fromEntries(byStatus),
    by_customer: Object.fromEntries(byCustomer),
    by_pop: Object.fromEntries(byPop),
    by_action: Object.fromEntries(byAction),
    events_remembered: state.events.size,
  };
}
