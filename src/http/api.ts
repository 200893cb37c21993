/** Puts the routes together with what they share: credentials, limits, errors, the OpenAPI document. */
import swagger, { type FastifyDynamicSwaggerOptions as SwaggerOptions } from '@fastify/swagger';
import Fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import { jsonSchemaTransform, validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MAX_BODY_BYTES, parseJsonBody, parseNdjsonBody } from './body.ts';
import { bodyText } from './body-room.ts';
import { ClientConnections } from './client-connections.ts';
import type { SessionStore } from '../people/sessions.ts';
import { openDesk } from './people-desk.ts';
import { addressOf, type App, networkOf } from './request-context.ts';
import { registerAlerts } from './routes/alerts.ts';
import { registerControl } from './routes/control.ts';
import { registerDashboard } from './routes/dashboard.ts';
import type { CommonDependencies, HttpDependencies } from './dependencies.ts';
import { registerEvents } from './routes/events.ts';
import { Feed, registerFeed } from './routes/feed.ts';
import { addHooks, commonHeaders } from './hooks.ts';
import { createListener, LIMITS, type ListenerLimits, type TlsMaterial } from './http-listener.ts';
import { registerInventory } from './routes/inventory.ts';
import { registerMitigations } from './routes/mitigations.ts';
import type { Overload } from './overload.ts';
import { fittingLimits, openFilesLimit } from './http-listener.ts';
import { registerPeers } from './routes/peers.ts';
import { registerPops } from './routes/pops.ts';
import { HttpProblem, PROBLEM_TYPE, problemBody, toProblem } from './http-problem.ts';
import { QuietLog } from './quiet-log.ts';
import { registerRateLimit, TokenBuckets } from './rate-limit.ts';
import { ReadRoom } from './read-room.ts';
import { registerSafelist } from './routes/safelist.ts';
import { registerScrubbers } from './routes/scrubbers.ts';
import { registerSignIn } from './routes/sign-in.ts';
import { registerOidcSignIn } from './routes/sign-in-oidc.ts';
import { registerStatus } from './routes/status.ts';

/** A request id that a client may choose; any other value is replaced by a new id. */
const REQUEST_ID = /^[\w.:-]{1,64}$/;

export interface Api {
  readonly app: App;
  readonly feed: Feed;
  readonly connections: ClientConnections;
}

/** The tools that `sendProblem` needs. */
interface Problems {
  readonly logger: HttpDependencies['logger'];
  readonly quiet: QuietLog;
}

interface BareApp {
  readonly app: App;
  readonly connections: ClientConnections;
  readonly problems: Problems;
}

/** JSON and formats based on it (RFC 6839 §3.1), with any parameters. */
const JSON_TYPES = /^application\/(?:json|[^\s;/+]+\+json)\s*(?:;|$)/i;

/** Creates an app without routes, with connection handling, limits, credentials and errors. */
export function createApp(
  deps: CommonDependencies,
  tls: TlsMaterial | undefined,
  overload: Overload,
  limits: ListenerLimits = fittingLimits(LIMITS, openFilesLimit()),
  pop?: () => string,
  sessions?: SessionStore,
): BareApp {
  const problems: Problems = { logger: deps.logger, quiet: new QuietLog(() => performance.now()) };
  const server: { connections?: ClientConnections } = {};
  const app: App = Fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    genReqId: (request) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && REQUEST_ID.test(given) ? given : deps.newId();
    },
    requestIdHeader: false,
    routerOptions: { maxParamLength: 256 },
    serverFactory: (handler) => {
      const listener = createListener(handler, tls, limits);
      server.connections = new ClientConnections(listener, {
        limits,
        logger: deps.logger,
        listener: 'http.listen',
      });
      return listener;
    },
    clientErrorHandler: (error, socket) => server.connections?.unreadable(error, socket),
    frameworkErrors: (error, request, reply) => sendProblem(problems, error, request, reply),
  });
  const { connections } = server;
  if (connections === undefined) throw new TypeError('the framework made no server');
  app.setValidatorCompiler(validatorCompiler);
  // Answers are typed by their schemas; checking each again would only cost time.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setErrorHandler((error, request, reply) => sendProblem(problems, error, request, reply));
  addParsers(app);
  addHooks(app, deps, overload, connections, pop, sessions);
  return { app, connections, problems };
}

/** Creates the app with all routes. It does not listen yet. */
export async function buildApi(
  deps: HttpDependencies,
  tls: TlsMaterial | undefined,
  overload: Overload,
  limits?: ListenerLimits,
): Promise<Api> {
  const pop = (): string => deps.engine.policy.pop;
  const desk = openDesk(deps);
  const { app, connections, problems } = createApp(deps, tls, overload, limits, pop, desk.sessions);
  answerUnknownPaths(app, problems);
  const feed = new Feed(deps.engine);
  const buckets = new TokenBuckets(deps.clock, deps.rateLimit);
  await app.register(swagger, { openapi: openapiInfo(deps.version), transform: jsonSchemaTransform });
  await registerRateLimit(app, deps, buckets);
  const room = new ReadRoom({ onShed: () => deps.onShed?.('read') });
  await registerEvents(app, deps, buckets, room);
  registerMitigations(app, deps, room);
  registerControl(app, deps);
  registerSafelist(app, deps);
  registerPeers(app, deps);
  registerScrubbers(app, deps);
  registerAlerts(app, deps);
  registerPops(app, deps);
  await registerInventory(app, deps);
  registerStatus(app, deps, () => feed.readers, room);
  registerFeed(app, deps.engine, feed);
  registerSignIn(app, deps, desk);
  registerOidcSignIn(app, deps, desk);
  registerDocument(app);
  await registerDashboard(app);
  await app.ready();
  // Builds and caches the document now: on a request it would block the event loop for a tenth of a second.
  app.swagger();
  return { app, feed, connections };
}

function addParsers(app: App): void {
  app.removeAllContentTypeParsers();
  const parser =
    (parse: (text: string) => unknown) =>
    async (request: FastifyRequest, body: Buffer): Promise<unknown> =>
      parse(await bodyText(request, body));
  app.addContentTypeParser(JSON_TYPES, { parseAs: 'buffer' }, parser(parseJsonBody));
  app.addContentTypeParser(
    ['application/x-ndjson', 'application/ndjson', 'application/jsonl'],
    { parseAs: 'buffer' },
    parser(parseNdjsonBody),
  );
}

/** Answers an error as a problem and logs it: our own failures as errors, refused callers as warnings. */
function sendProblem(
  { logger, quiet }: Problems,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { problem, unexpected } = toProblem(error, request.routeOptions.bodyLimit);
  const fields = {
    request_id: request.id,
    method: request.method,
    path: request.url.slice(0, 256),
    address: addressOf(request),
    status: problem.status,
  };
  if (unexpected) logger.error({ ...fields, err: error }, 'request failed');
  else if (problem.status === 401 || problem.status === 403) {
    const caller = request.caller?.name;
    const count = quiet.due(`${problem.status} ${caller ?? networkOf(request)}`);
    const line = { ...fields, caller, why: problem.message };
    if (count === undefined) logger.debug(line, 'request refused');
    else logger.warn(count === 1 ? line : { ...line, count }, 'request refused');
  } else logger.debug({ ...fields, why: problem.message }, 'request answered with an error');
  const extensions = { ...problem.extras.extensions, request_id: request.id };
  const body = problemBody(problem.status, problem.message, { ...problem.extras, extensions });
  return reply
    .code(problem.status)
    .headers({ ...commonHeaders(request.id), ...problem.extras.headers })
    .type(PROBLEM_TYPE)
    .serializer((value: unknown) => JSON.stringify(value))
    .send(body);
}

/** Answers 405 where the path exists under other methods, else 404. */
function answerUnknownPaths(app: App, problems: Problems): void {
  const methods = new Map<string, { readonly pattern: RegExp; readonly allowed: Set<string> }>();
  app.addHook('onRoute', ({ url, method }) => {
    const pattern = new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/]+')}$`);
    const known = methods.get(url) ?? { pattern, allowed: new Set<string>() };
    for (const one of [method].flat()) known.allowed.add(one);
    methods.set(url, known);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    for (const { pattern, allowed } of methods.values()) {
      if (!pattern.test(path)) continue;
      const allow = [...allowed].join(', ');
      const problem = new HttpProblem(405, `This path supports only ${allow}`, { headers: { allow } });
      return sendProblem(problems, problem, request, reply);
    }
    return sendProblem(problems, new HttpProblem(404, 'There is no such path'), request, reply);
  });
}

function openapiInfo(version: string): NonNullable<SwaggerOptions['openapi']> {
  return {
    openapi: '3.1.0',
    info: {
      title: 'prefixd',
      version,
      description:
        'Turns attack reports into BGP FlowSpec rules. Errors are application/problem+json (RFC 9457).',
    },
    components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
    security: [{ bearer: [] }],
  };
}

function registerDocument(app: App): void {
  app.get(
    '/v1/openapi.json',
    {
      config: { access: 'any', scoped: 'same' },
      schema: {
        tags: ['status'],
        summary: 'Get this OpenAPI document',
        response: { 200: z.unknown().describe('OpenAPI 3.1') },
      },
    },
    () => app.swagger(),
  );
}
