/** What happens to every request before and after its handler: credentials, roles, overload, observation. */
import type { FastifyRequest } from 'fastify';
import { allows, createAuthenticator, refuseForeignPages } from './auth.ts';
import type { App } from './context.ts';
import type { HttpDependencies } from './dependencies.ts';
import type { Overload } from './overload.ts';
import { HttpProblem } from './problem.ts';

/** Headers of every answer; a route may set others. */
export function commonHeaders(requestId: string): Readonly<Record<string, string>> {
  return { 'x-request-id': requestId, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
}

/** To be added before any route: a route that does not say whom it serves cannot be registered from then on. */
export function addHooks(app: App, deps: HttpDependencies, overload: Overload): void {
  const authenticate = createAuthenticator(deps.auth);
  app.decorateRequest('caller', null);

  app.addHook('onRoute', ({ config, url }) => {
    if (config?.access === undefined) throw new TypeError(`${url} does not say whom it serves`);
  });

  const admit = (request: FastifyRequest): void => {
    const { access } = request.routeOptions.config;
    if (access === undefined || access === 'public') return;
    refuseForeignPages(request.raw, deps.auth().mode);
    const caller = authenticate(request.raw);
    if (!allows(caller.role, access)) {
      throw new HttpProblem(403, `The role ${caller.role} may not do this`);
    }
    request.caller = caller;
    if (access === 'read' && overload.shedsReads()) {
      throw new HttpProblem(503, 'Overloaded: reads are refused so that events get through', {
        headers: { 'retry-after': '2' },
      });
    }
  };

  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(commonHeaders(request.id));
    try {
      admit(request);
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    done();
  });

  app.addHook('onResponse', (request, reply, done) => {
    deps.onRequest({
      method: request.method,
      route: request.routeOptions.url ?? '(none)',
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
    done();
  });
}
