/** Serves the endpoints for detectors: one event, a batch, or a detector's own JSON. */
import type { FastifyRequest, FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';
import { type CallerScope, type ScopeContext, seesEvent } from '../../access/caller-scope.ts';
import { discreet } from '../../access/scoped-facts.ts';
import { discreetText } from '../../access/discreet-text.ts';
import type { Answer } from '../../core/commands.ts';
import type { Detection } from '../../core/types.ts';
import { unreadAlerts } from '../../intake/alertmanager.ts';
import { genericEventSchema } from '../../intake/generic.ts';
import { keptDetection } from '../../intake/kept.ts';
import type { Signal } from '../../intake/signal.ts';
import {
  type BatchAnswer,
  batchAnswer,
  type BatchResult,
  invalidResult,
  MAX_BATCH,
  MAX_DESCRIBED,
  refuseLongBatch,
} from '../batch.ts';
import { MAX_SIGNAL_BYTES } from '../body.ts';
import { type App, callerOf, detectorOf, scopeContext, scopeOf } from '../request-context.ts';
import { page } from '../paging.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { readAlertmanager, readBatched, readEvent, recordedProblems, reportOf } from '../detectors.ts';
import { ownReport } from '../own-source.ts';
import { registerFastNetMon, type Submission } from './fastnetmon.ts';
import { ignoredAnswer } from '../answers.ts';
import { registerWebhooks } from './webhooks.ts';
import { requireVictim } from './mitigations.ts';
import { HttpProblem, invalidFields, toProblem } from '../http-problem.ts';
import { clientOf, LIMITED, LIMITED_WITH_503, type TokenBuckets } from '../rate-limit.ts';
import { AlertmanagerBody, EventQuery } from '../request-schemas.ts';
import {
  BatchAnswerSchema,
  commonProblems,
  type EventAnswerSchema,
  SignalAnswerSchema,
} from '../answer-schemas.ts';
import type { ReadRoom } from '../read-room.ts';
import { refuseForeignReport } from '../scoped-answers.ts';
import { inSlices, mapInSlices } from '../slices.ts';
import { EVENTS } from '../turns.ts';
import { eventView } from '../../view/fact.ts';
import { EventSchema } from '../../view/schemas.ts';

type EventAnswer = z.output<typeof EventAnswerSchema>;
type SignalAnswer = z.output<typeof SignalAnswerSchema>;
type UnreadableItem = Extract<Signal, { kind: 'invalid' }>;

/** Passes the body through unvalidated: src/intake validates it by the same schema and explains errors better. */
const readByIntake: FastifySchemaCompiler<unknown> = () => (value: unknown) => ({ value });

export async function registerEvents(
  app: App,
  deps: HttpDependencies,
  buckets: TokenBuckets,
  room: ReadRoom,
): Promise<void> {
  const { engine } = deps;
  const limited = { access: 'report', scoped: 'filtered', rateLimit: LIMITED } as const;

  const submit = async (detection: Detection, request: FastifyRequest): Promise<EventAnswer> => {
    const caller = callerOf(request);
    const { scope } = caller;
    refuseForeignReport(scope, detection, scopeContext(engine));
    const { detection: own, hold } = ownReport(caller, keptDetection(detection), engine.policy);
    const answer = await engine.submit({
      type: 'event',
      detection: own,
      actor: detectorOf(request),
      ...(hold === undefined ? {} : { hold }),
    });
    return eventAnswer(answer, detection, scope, scopeContext(engine));
  };

  const submitSignal = async (signal: Signal, request: FastifyRequest): Promise<SignalAnswer> => {
    const report = reportOf(signal);
    return 'detection' in report ? submit(report.detection, request) : ignoredAnswer(report.ignored);
  };

  app.post(
    '/v1/events',
    {
      config: limited,
      validatorCompiler: readByIntake,
      schema: {
        tags: ['events'],
        summary: 'Report an attack or its end',
        description: 'Answers when the decision is durable. A refusal is a 422 with its `reason`.',
        body: genericEventSchema,
        response: { 202: SignalAnswerSchema, ...commonProblems },
      },
    },
    async (request, reply) => {
      const answer = await submitSignal(readEvent(request.body, deps.vectorMaps?.()), request);
      reply.code(202);
      return answer;
    },
  );

  /**
   * Records an invalid report of a batch as an event. It is listed, counted and logged, because the sender may not read
   * the answer.
   */
  const refuse = async (
    { problems, remains }: UnreadableItem,
    request: FastifyRequest,
  ): Promise<BatchResult> => {
    const error = invalidFields(problems.map(({ path, message }) => ({ field: path, message }))).message;
    const result = invalidResult(error);
    if (remains === undefined) return result;
    // What cannot be read belongs to no customer, so a limited caller must not add it to the events.
    if (scopeOf(request) !== undefined) return result;
    const answer = await engine.submit({
      type: 'event',
      detection: keptDetection(remains),
      actor: detectorOf(request),
      invalid: recordedProblems(problems),
    });
    if (answer.type !== 'event') throw new TypeError(`the engine answered "${answer.type}" to an event`);
    return { ...result, event_id: answer.eventId, external_event_id: null, mitigation_id: null };
  };

  /**
   * Submits items in order, in slices. An item's failure becomes its result. Invalid ones beyond MAX_DESCRIBED are only
   * counted.
   */
  const submitAll = async <Item>(
    items: readonly Item[],
    read: (item: Item) => Signal,
    request: FastifyRequest,
  ): Promise<BatchAnswer> => {
    buckets.charge(clientOf(request), Math.max(0, items.length - 1));
    let invalid = 0;
    const one = async (item: Item): Promise<BatchResult> => {
      try {
        const signal = read(item);
        if (signal.kind === 'invalid') {
          if (++invalid > MAX_DESCRIBED) return { code: 400, status: 'invalid' };
          return await refuse(signal, request);
        }
        return { code: 202, ...(await submitSignal(signal, request)) };
      } catch (error) {
        return failedResult(error);
      }
    };
    const results: Promise<BatchResult>[] = [];
    for (const item of items) {
      if (EVENTS.spent) await EVENTS.next();
      results.push(one(item));
    }
    const settled = await Promise.all(results);
    if (settled.length > 0 && settled.every(({ code }) => code === 503)) {
      throw new HttpProblem(503, settled[0]?.error ?? '', { headers: { 'retry-after': '5' } });
    }
    const failed = settled.find(({ code }) => code >= 500);
    if (failed !== undefined) {
      deps.logger.error({ request_id: request.id, error: failed.error }, 'some events of a batch failed');
    }
    const undescribed = Math.max(0, invalid - MAX_DESCRIBED);
    if (undescribed > 0) {
      deps.logger.warn(
        { request_id: request.id, invalid },
        'a batch has many invalid events; not all are recorded',
      );
    }
    return batchAnswer(settled, undescribed);
  };

  app.post(
    '/v1/events/batch',
    {
      config: limited,
      // Must run before the schema checks each event.
      preValidation: async ({ body }) => {
        if (Array.isArray(body)) refuseLongBatch(body.length);
      },
      schema: {
        tags: ['events'],
        summary: 'Report several events: a JSON array, or one event per line (application/x-ndjson)',
        description:
          'At most 10,000 events; more are answered 413, and none is processed. Each counts against the rate limit. The results are in the order of the events. An invalid event is recorded as refused, with the reason `invalid_report`; beyond 1,000 of these, results have only `code` and `status`, and `notes` counts them. `error` and `why` of all results together have at most 1 MiB of text; `notes` counts the results without them.',
        body: z.array(z.unknown()).min(1, 'must contain at least one event').max(MAX_BATCH),
        response: { 207: BatchAnswerSchema, ...commonProblems },
      },
    },
    async (request, reply) => {
      const maps = deps.vectorMaps?.();
      const answer = await submitAll(request.body, (item) => readBatched(item, maps), request);
      return inSlices(reply.code(207), answer, EVENTS);
    },
  );

  app.post(
    '/v1/signals/alertmanager',
    {
      config: { ...limited, rateLimit: LIMITED_WITH_503 },
      bodyLimit: MAX_SIGNAL_BYTES,
      validatorCompiler: readByIntake,
      schema: {
        tags: ['events'],
        summary: 'Receive a webhook of Alertmanager (version 4) or Grafana; one result per alert',
        description:
          'A valid message is answered 2xx, because Alertmanager does not retry after a 4xx. 200: nothing in it asks for a decision, such as a test message. An invalid alert is recorded as a refused event with the reason `invalid_report`. Only the first 1,000 alerts are read; `notes` says if there are more. Beyond the rate limit the answer is 503, because Alertmanager retries after a 503 but not after a 429.',
        body: AlertmanagerBody,
        response: { 200: BatchAnswerSchema, 207: BatchAnswerSchema, ...commonProblems },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const signals = await readAlertmanager(body, deps.alertmanagerLabels?.(), deps.vectorMaps?.());
      const [first] = signals;
      // Without remains, the message as a whole is invalid, not one alert: answer 400.
      if (first?.kind === 'invalid' && first.remains === undefined) reportOf(first);
      const unread = unreadAlerts(body);
      const [answer, missing] = await Promise.all([
        submitAll(signals, (signal) => signal, request),
        unread?.kind === 'invalid' ? refuse(unread, request) : undefined,
      ]);
      const ignored = signals.filter((signal) => signal.kind === 'ignored');
      if (ignored[0] !== undefined) {
        const fields = { request_id: request.id, ignored: ignored.length, why: ignored[0].why };
        deps.logger.info(fields, 'alerts ignored');
      }
      reply.code(ignored.length === signals.length && missing === undefined ? 200 : 207);
      if (missing === undefined) return inSlices(reply, answer, EVENTS);
      const notes = [...(answer.notes ?? []), missing.error ?? ''];
      return inSlices(reply, { ...answer, notes }, EVENTS);
    },
  );

  const submission: Submission = {
    one: submitSignal,
    all: (signals, request) => submitAll(signals, (signal) => signal, request),
  };
  await registerFastNetMon(app, submission, () => deps.vectorMaps?.());
  await registerWebhooks(app, submission, deps);

  app.get(
    '/v1/events',
    {
      config: { access: 'read', scoped: 'filtered' },
      schema: {
        tags: ['events'],
        summary: 'List the newest 10,000 events, newest first',
        querystring: EventQuery,
        response: {
          200: z.object({ events: z.array(EventSchema), next_cursor: z.string().nullable() }),
          ...commonProblems,
        },
      },
    },
    async (request, reply) => {
      const { source, vector, victim_ip, limit, cursor } = request.query;
      const victim = victim_ip === undefined ? undefined : requireVictim('victim_ip', victim_ip);
      const scope = scopeOf(request);
      const context = scopeContext(engine);
      return room.enter(limit, async () => {
        const { items, nextCursor } = await page(
          engine.state.events,
          {
            id: (event) => event.id,
            at: (event) => event.receivedAt,
            wanted: (event) =>
              (source === undefined || event.detection.source === source) &&
              (vector === undefined || event.detection.vector === vector) &&
              (victim === undefined || event.detection.victim === victim) &&
              (scope === undefined || seesEvent(scope, event, context)),
          },
          limit,
          cursor,
        );
        return inSlices(reply, {
          events: await mapInSlices(items, (event) =>
            scope === undefined ? eventView(event) : discreet(eventView(event), scope, context),
          ),
          next_cursor: nextCursor ?? null,
        });
      });
    },
  );
}

/** Returns the 202 body, or throws the problem: rejected 422, duplicate 409. */
function eventAnswer(
  answer: Answer,
  detection: Detection,
  scope: CallerScope | undefined,
  context: ScopeContext,
): EventAnswer {
  if (answer.type !== 'event') throw new TypeError(`the engine answered "${answer.type}" to an event`);
  const { eventId, status, mitigation, refusal } = answer;
  const why = scope === undefined ? answer.why : answer.why.map((line) => discreetText(line, scope, context));
  const body = {
    event_id: eventId,
    external_event_id: detection.externalId,
    mitigation_id: mitigation?.id ?? null,
    status,
    why: [...why],
  };
  const { status: eventStatus, ...extensions } = body;
  if (eventStatus === 'rejected') {
    throw new HttpProblem(422, why.at(-1) ?? 'Refused by a guardrail', {
      reason: refusal ?? 'rejected',
      extensions,
    });
  }
  if (eventStatus === 'duplicate') {
    throw new HttpProblem(409, why.at(-1) ?? 'This event was already reported', { extensions });
  }
  return body;
}

const FAILED_STATUS: Readonly<Record<number, BatchResult['status']>> = {
  400: 'invalid',
  403: 'rejected',
  409: 'duplicate',
  422: 'rejected',
};

function failedResult(error: unknown): BatchResult {
  const { problem } = toProblem(error);
  return {
    code: problem.status,
    status: FAILED_STATUS[problem.status] ?? 'unavailable',
    error: problem.message,
    ...(problem.extras.reason === undefined ? {} : { reason: problem.extras.reason }),
    ...problem.extras.extensions,
  };
}
