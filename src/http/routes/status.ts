/** Serves the daemon's health, statistics, configuration, audit log and metrics. */
import { z } from 'zod';
import { type CallerScope, hasWholePop, seesEvent, seesMitigation } from '../../access/caller-scope.ts';
import { discreet, seesAuditEntry } from '../../access/scoped-facts.ts';
import type { Mitigation } from '../../core/types.ts';
import { timeText } from '../../net/time.ts';
import { unconfirmed } from '../answers.ts';
import { type App, operatorOf, scopeContext, scopeOf } from '../request-context.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { HttpProblem } from '../http-problem.ts';
import { LimitQuery, ReloadBody } from '../request-schemas.ts';
import { commonProblems, HealthDetailSchema, HealthSchema, StatsSchema } from '../answer-schemas.ts';
import type { ReadRoom } from '../read-room.ts';
import { shownHealth, shownInventory } from '../scoped-answers.ts';
import { inSlices } from '../slices.ts';
import { READS } from '../turns.ts';
import { type Assessment, reasonView } from '../../view/health.ts';
import { timeOrNull } from '../../view/values.ts';

const READ = { access: 'read', scoped: 'filtered' } as const;

/** Entries of the audit log that are searched for those of a limited caller. */
const SEARCHED_ENTRIES = 1000;
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
    (request) => {
      const { state, policy } = engine;
      const assessment = deps.assess();
      const { reasons } = assessment;
      const peers = announcer.peers();
      const { runs, drift, lastRunAt, lastRunMs, egressRefusals } = reconciler.stats;
      const view = {
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
      return shownHealth(scopeOf(request), view, scopeContext(engine), state.live);
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
    (request) => statistics(engine, scopeOf(request)),
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
      const scope = scopeOf(request);
      const isLimited = scope !== undefined && !hasWholePop(scope, engine.policy.pop);
      const searched = isLimited ? SEARCHED_ENTRIES : limit;
      return room.enter(searched, async () => {
        const entries = await deps.audit(searched).catch((error: unknown) => {
          deps.logger.error({ request_id: request.id, err: error }, 'the audit log cannot be read');
          throw new HttpProblem(503, "The audit log cannot be read; prefixd's log says why");
        });
        if (!isLimited) return inSlices(reply, { entries: [...entries] });
        const context = scopeContext(engine);
        const seen = entries.filter((entry) => seesAuditEntry(scope, entry, context)).slice(0, limit);
        // The number of a fact counts the facts of everybody.
        const shown = seen.map((entry) => ({ ...Object(discreet(entry, scope, context)), seq: null }));
        return inSlices(reply, { entries: shown });
      });
    },
  );

  for (const [path, what, read, scoped] of [
    ['settings', 'Get the active settings', deps.settings, 'place'],
    ['inventory', 'Get the customers, services and assets', deps.inventory, 'filtered'],
    ['playbooks', 'Get the active playbooks', deps.playbooks, 'place'],
  ] as const) {
    app.get(
      `/v1/config/${path}`,
      {
        config: { access: 'read', scoped },
        schema: { tags: ['configuration'], summary: what, response: { 200: Anything, ...commonProblems } },
      },
      (request, reply) => {
        const shown = scoped === 'filtered' ? shownInventory(scopeOf(request), read()) : read();
        // An inventory may have tens of thousands of customers.
        if (typeof shown !== 'object' || shown === null) return shown;
        return room.enter(Number.POSITIVE_INFINITY, () => inSlices(reply, shown));
      },
    );
  }

  app.post(
    '/v1/config/reload',
    {
      config: { access: 'admin', scoped: 'unlimited' },
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
      config: { access: 'any', scoped: 'place' },
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

/** Counts active mitigations by customer, POP and action, and all remembered ones by status; those of the scope only. */
async function statistics(
  engine: HttpDependencies['engine'],
  scope: CallerScope | undefined,
): Promise<z.output<typeof StatsSchema>> {
  const { state } = engine;
  const byStatus = new Map<string, number>();
  const [byCustomer, byPop, byAction] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ];
  let active = 0;
  const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  const countLive = (mitigation: Mitigation) => {
    count(byCustomer, mitigation.customerId ?? '(none)');
    count(byPop, mitigation.pop);
    count(byAction, mitigation.action.type);
  };
  for (const mitigation of [...state.mitigations.values()]) {
    if (READS.spent) await READS.next();
    if (scope !== undefined && !seesMitigation(scope, mitigation)) continue;
    count(byStatus, mitigation.status);
    if (!state.live.has(mitigation.id)) continue;
    active++;
    countLive(mitigation);
  }
  let events = state.events.size;
  if (scope !== undefined) {
    events = 0;
    const context = scopeContext(engine);
    for (const event of [...state.events.values()]) {
      if (READS.spent) await READS.next();
      if (seesEvent(scope, event, context)) events++;
    }
  }
  return {
    total_active: scope === undefined ? state.live.size : active,
    total_expired: byStatus.get('expired') ?? 0,
    total_withdrawn: byStatus.get('withdrawn') ?? 0,
    total_rejected: byStatus.get('rejected') ?? 0,
    by_status: Object.fromEntries(byStatus),
    by_customer: Object.fromEntries(byCustomer),
    by_pop: Object.fromEntries(byPop),
    by_action: Object.fromEntries(byAction),
    events_remembered: events,
  };
}
