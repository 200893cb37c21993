/**
 * Serves FastNetMon's endpoint. Its script has no JSON encoder, so it may send arguments as a query and text as the
 * body.
 */
import type { FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { Signal } from '../../intake/signal.ts';
import type { VectorMaps } from '../../intake/vector-names.ts';
import { MAX_SIGNAL_BYTES } from '../body.ts';
import { bodyText } from '../body-room.ts';
import type { App } from '../request-context.ts';
import { readFastNetMon, readFastNetMonText } from '../detectors.ts';
import { HttpProblem } from '../http-problem.ts';
import { LIMITED } from '../rate-limit.ts';
import { FastNetMonBody, FastNetMonQuery } from '../request-schemas.ts';
import { commonProblems, type SignalAnswerSchema, SignalsAnswerSchema } from '../answer-schemas.ts';
import type { BatchAnswer, BatchResult } from '../batch.ts';

/** Submits signals: one with its own answer, or several with a result each. */
export interface Submission {
  readonly one: (signal: Signal, request: FastifyRequest) => Promise<z.output<typeof SignalAnswerSchema>>;
  readonly all: (signals: readonly Signal[], request: FastifyRequest) => Promise<BatchAnswer>;
}

const DESCRIPTION = [
  "As JSON: a document of FastNetMon Advanced, or a call of Community's notify script as `{ip, direction, pps, action,",
  'details}` or `{args, stdin}`. As `text/plain`: the arguments as query parameters, standard input as the body.',
  'A message about several networks or rules is answered with the most important result; `results` has all of them.',
].join(' ');

const FORM = 'application/x-www-form-urlencoded';

/** Statuses from the most to the least important; any other result is an error. */
const BY_IMPORTANCE: readonly string[] = [
  'accepted',
  'escalated',
  'widened',
  'extended',
  'dry_run',
  'withdrawn',
  'released',
  'accepted_no_playbook',
  'accepted_no_mitigation',
  'no_active_mitigation',
  'not_found',
];

/** Registers the route with its own body parsers: no other route accepts plain text. */
export async function registerFastNetMon(
  parent: App,
  submission: Submission,
  vectorMaps: () => VectorMaps | undefined,
): Promise<void> {
  await parent.register(async (instance) => {
    const app: App = instance.withTypeProvider<ZodTypeProvider>();
    app.addContentTypeParser(
      ['text/plain', FORM],
      { parseAs: 'buffer' },
      (request: FastifyRequest, body: Buffer) => bodyText(request, body),
    );
    app.post(
      '/v1/signals/fastnetmon',
      {
        config: { access: 'report', scoped: 'filtered', rateLimit: LIMITED },
        bodyLimit: MAX_SIGNAL_BYTES,
        // src/intake validates the body, because it knows FastNetMon's formats.
        validatorCompiler: () => (value: unknown) => ({ value }),
        schema: {
          tags: ['events'],
          summary: 'Receive a notification of FastNetMon, Community or Advanced edition',
          description: DESCRIPTION,
          consumes: ['application/json', 'text/plain', FORM],
          querystring: FastNetMonQuery,
          body: FastNetMonBody,
          response: { 202: SignalsAnswerSchema, ...commonProblems },
        },
      },
      async (request, reply) => {
        const signals = signalsOf(request, vectorMaps());
        const [first] = signals;
        if (first === undefined) throw new TypeError('a message of FastNetMon made no signal');
        const answer =
          signals.length === 1 && !isRecorded(first)
            ? await submission.one(first, request)
            : summary(await submission.all(signals, request));
        reply.code(202);
        return answer;
      },
    );
  });
}

/** Returns true for an invalid signal that is recorded as a refused event. */
function isRecorded(signal: Signal): boolean {
  return signal.kind === 'invalid' && signal.remains !== undefined;
}

function signalsOf(request: FastifyRequest, maps: VectorMaps | undefined): readonly Signal[] {
  const { body, query } = request;
  if (typeof body !== 'string' && body !== undefined && body !== null) return readFastNetMon(body, maps);
  const text = typeof body === 'string' ? body : '';
  const isForm = request.headers['content-type']?.startsWith(FORM) === true;
  return readFastNetMonText(query, text, isForm, maps);
}

/**
 * Returns the most important result, or throws a problem: 503 if any part is worth retrying, else if nothing was
 * accepted.
 */
function summary({ results }: BatchAnswer): z.output<typeof SignalsAnswerSchema> {
  const unavailable = results.find(({ code }) => code >= 500);
  if (unavailable !== undefined) {
    throw new HttpProblem(503, unavailable.error ?? 'Some parts could not be decided; try again', {
      headers: { 'retry-after': '5' },
      extensions: { results },
    });
  }
  const [best] = results
    .filter(({ code }) => code === 202)
    .sort((a, b) => BY_IMPORTANCE.indexOf(a.status) - BY_IMPORTANCE.indexOf(b.status));
  if (best === undefined) throw refusal(results);
  const { code: _code, status, ...rest } = best;
  if (status === 'invalid' || status === 'unavailable') throw refusal(results);
  return {
    event_id: rest.event_id ?? null,
    external_event_id: rest.external_event_id ?? null,
    mitigation_id: rest.mitigation_id ?? null,
    status,
    why: rest.why ?? [],
    results,
  };
}

/** Makes the problem of the most important failure: a refusal, else a duplicate, else an invalid part. */
function refusal(results: readonly BatchResult[]): HttpProblem {
  const worst = [422, 403, 409, 400]
    .flatMap((code) => results.filter((result) => result.code === code))
    .at(0);
  const { code = 400, error = 'The message contains no usable report', reason } = worst ?? {};
  return new HttpProblem(code, error, {
    ...(reason === undefined ? {} : { reason }),
    extensions: { results },
  });
}
