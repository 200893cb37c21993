/** Serves the webhooks of `detectors.webhooks`, which map other systems' JSON to events. */
import type { FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Signal } from '../../intake/signal.ts';
import { type Adapter, adapterOf } from '../../intake/webhook/compile-adapter.ts';
import {
  type AdapterReading,
  nothingSelected,
  readPart,
  selectParts,
} from '../../intake/webhook/read-document.ts';
import { ignoredAnswer } from '../answers.ts';
import { BatchAnswerSchema, commonProblems, SignalAnswerSchema } from '../answer-schemas.ts';
import { type BatchAnswer, type BatchResult, MAX_BATCH, refuseLongBatch } from '../batch.ts';
import { parseJsonBody, parseNdjsonBody } from '../body.ts';
import { bodyText } from '../body-room.ts';
import type { HttpDependencies, Webhook, WebhookOutcome } from '../dependencies.ts';
import { HttpProblem } from '../http-problem.ts';
import { type App, callerOf } from '../request-context.ts';
import { inSlices, mapInSlices } from '../slices.ts';
import { EVENTS } from '../turns.ts';
import { senderCheck } from '../webhook-auth.ts';
import type { Submission } from './fastnetmon.ts';

const DESCRIPTION = [
  'The body is any JSON document; `detectors.webhooks.NAME` maps it to events. The sender is authenticated as configured there:',
  'by a signature of the raw body, by user and password, or by a bearer token. A document with one event is answered like',
  '`POST /v1/events`, one with several like `POST /v1/events/batch`. An event that cannot be read is recorded as refused, with the',
  'reason `invalid_report`. A document without an event is answered 202, and `why` says so. JSON lines are read as a list.',
].join(' ');

const NDJSON = /^application\/(?:x-ndjson|ndjson|jsonl)\s*(?:;|$)/i;

type WebhookAnswer = z.output<typeof SignalAnswerSchema>;

/** Registers the route with a parser of its own: the signature is that of the raw octets, whatever their type. */
export async function registerWebhooks(
  parent: App,
  submission: Pick<Submission, 'all'>,
  deps: HttpDependencies,
): Promise<void> {
  await parent.register(async (instance) => {
    const app: App = instance.withTypeProvider<ZodTypeProvider>();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
    const named = ({ params }: FastifyRequest): Webhook | undefined => {
      const { name } = Object(params) as { readonly name?: unknown };
      return typeof name === 'string' ? deps.webhooks?.().get(name) : undefined;
    };
    app.post(
      '/v1/signals/webhook/:name',
      {
        config: {
          access: 'report',
          scoped: 'filtered',
          // The caller is known only then.
          rateLimit: { hook: 'preValidation' },
          sender: (request) => {
            const webhook = named(request);
            return webhook === undefined ? undefined : senderCheck(webhook);
          },
        },
        validatorCompiler: () => (value: unknown) => ({ value }),
        schema: {
          tags: ['events'],
          summary: "Receive another system's JSON; a configured mapping makes events of it",
          description: DESCRIPTION,
          params: z.object({ name: z.string().describe('Name in `detectors.webhooks`') }),
          body: z.unknown().describe('Any JSON document'),
          response: { 202: SignalAnswerSchema, 207: BatchAnswerSchema, ...commonProblems },
        },
      },
      async (request, reply) => {
        const webhook = named(request);
        if (webhook === undefined)
          throw new HttpProblem(404, 'detectors.webhooks has no webhook of this name');
        requireToken(webhook, request);
        const count = (outcome: WebhookOutcome): void => deps.onWebhook?.(webhook.name, outcome);
        const adapter = adapterOf(webhook.name, webhook.mapping);
        let readings: readonly ReportedPart[];
        try {
          readings = await readParts(adapter, request, deps);
        } catch (error) {
          if (error instanceof HttpProblem && error.status < 500) count('unreadable');
          throw error;
        }
        reply.code(202);
        if (readings.length === 0) {
          const why = nothingSelected(adapter);
          deps.logger.info(
            { request_id: request.id, webhook: webhook.name, why },
            'webhook document has no event',
          );
          count('nothing');
          return ignoredAnswer(why);
        }
        const answer = withSenderIds(
          await submission.all(
            readings.map(({ signal }) => signal),
            request,
          ),
          readings,
        );
        count(outcomeOf(answer));
        const [only] = answer.results;
        if (readings.length === 1 && only !== undefined) return single(only, readings[0]?.signal);
        return inSlices(reply.code(207), answer, EVENTS);
      },
    );
  });
}

/** Throws HttpProblem 403 for the token of another caller. */
function requireToken({ name, auth }: Webhook, request: FastifyRequest): void {
  if (auth.kind !== 'bearer' || auth.token === undefined) return;
  // A person may have the name of a token.
  const { name: caller, person } = callerOf(request);
  if (caller === auth.token && person === undefined) return;
  throw new HttpProblem(403, `The webhook ${name} accepts only the token "${auth.token}"`);
}

/** An event of a document with its sender's id. */
interface ReportedPart {
  readonly id: string | undefined;
  readonly signal: Signal;
}

function reported({ event: { event_id: id }, signal }: AdapterReading): ReportedPart {
  return { id: typeof id === 'string' ? id : undefined, signal };
}

async function readParts(
  adapter: Adapter,
  request: FastifyRequest,
  deps: HttpDependencies,
): Promise<readonly ReportedPart[]> {
  const { body } = request;
  const text = Buffer.isBuffer(body) ? await bodyText(request, body) : '';
  const document = NDJSON.test(request.headers['content-type'] ?? '')
    ? parseNdjsonBody(text).map((line) => line.value())
    : parseJsonBody(text);
  if (document === undefined) throw new HttpProblem(400, 'a JSON body is required');
  const parts = selectParts(adapter, document, MAX_BATCH + 1);
  if (!parts.ok) throw new HttpProblem(parts.error.isTooLarge ? 413 : 400, parts.error.message);
  refuseLongBatch(parts.value.length);
  const maps = deps.vectorMaps?.();
  let total = 0;
  const readings = await mapInSlices(
    parts.value,
    (part) => {
      const read = readPart(adapter, part, maps, MAX_BATCH + 1);
      total += read.length;
      refuseLongBatch(total);
      return read.map(reported);
    },
    EVENTS,
  );
  return readings.flat();
}

/** Returns the answer with the sender's ids. */
function withSenderIds(answer: BatchAnswer, readings: readonly ReportedPart[]): BatchAnswer {
  const results = answer.results.map((result, i): BatchResult => {
    const { id, signal } = readings[i] ?? {};
    return id === undefined || signal?.kind !== 'detection' ? result : { ...result, external_event_id: id };
  });
  return { ...answer, results };
}

function outcomeOf({ results }: BatchAnswer): WebhookOutcome {
  const accepted = results.filter(({ code }) => code === 202);
  if (accepted.length === 0) return 'refused';
  return accepted.some(({ event_id: id }) => typeof id === 'string') ? 'events' : 'nothing';
}

/** Returns the answer to a document with one event, or throws its problem. */
function single(
  { code, status, error, reason, why, ...ids }: BatchResult,
  signal: Signal | undefined,
): WebhookAnswer {
  if (code === 202 && status !== 'invalid' && status !== 'unavailable') {
    const { event_id = null, external_event_id = null, mitigation_id = null } = ids;
    return { event_id, external_event_id, mitigation_id, status, why: why ?? [] };
  }
  const fields = signal?.kind === 'invalid' ? signal.problems : [];
  throw new HttpProblem(code, error ?? 'The event was refused', {
    ...(reason === undefined ? {} : { reason }),
    ...(fields.length === 0 ? {} : { errors: fields.map(({ path, message }) => ({ field: path, message })) }),
    extensions: { ...ids, ...(why === undefined ? {} : { why }) },
  });
}
