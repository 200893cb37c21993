/** Handles every request before and after its handler: credentials, roles, overload, observation. */
import type { Socket } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { type Access, allows } from '../access/role.ts';
import { refusedByScope } from '../access/caller-scope.ts';
import { asError } from '../net/text.ts';
import type { SessionStore } from '../people/sessions.ts';
import {
  type Authenticator,
  createAuthenticator,
  Guesses,
  refuseForeignPages,
  refuseTwoHosts,
  UnknownToken,
} from './auth.ts';
import type { Caller } from './caller.ts';
import { announcedBytes, BodyRoom } from './body-room.ts';
import type { ClientConnections } from './client-connections.ts';
import { type App, networkOf } from './request-context.ts';
import type { CommonDependencies } from './dependencies.ts';
import type { Overload } from './overload.ts';
import { HttpProblem } from './http-problem.ts';
import { clientOf } from './rate-limit.ts';
import type { SenderCheck } from './webhook-auth.ts';

/** Returns the headers of every answer; a route may add others. */
export function commonHeaders(requestId: string): Readonly<Record<string, string>> {
  return { 'x-request-id': requestId, 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };
}

const NO_OCTETS: Uint8Array = new Uint8Array();

function bySender({ authenticate }: SenderCheck, body = NO_OCTETS): Authenticator {
  return (request) => authenticate(request, body);
}

/** Resolves after the given time (ms). */
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds).unref());

/**
 * Adds the hooks. Call it before any route is registered: from then on, a route without `access` is an error. `pop`
 * returns this POP's name, for callers with a scope; without `sessions` nobody is signed in.
 */
export function addHooks(
  app: App,
  deps: CommonDependencies,
  overload: Overload,
  connections: Pick<ClientConnections, 'letIn' | 'trust'>,
  pop: () => string = () => '',
  sessions?: SessionStore,
): void {
  const authenticate = createAuthenticator(deps.auth, sessions);
  const identify = identification(deps, connections);
  app.decorateRequest('caller', undefined);
  app.decorate('isStillAllowed', (request) => isStillAllowed(authenticate, request));

  app.addHook('onRoute', ({ config, url }) => {
    if (config?.access === undefined) throw new TypeError(`${url} has no access setting`);
  });

  const admit = (request: FastifyRequest, access: Access, caller: Caller): void => {
    if (!allows(caller.role, access)) {
      throw new HttpProblem(403, `The role ${caller.role} is not allowed to do this`);
    }
    // A route that does not say how it treats a scope is refused to callers who have one.
    const { scoped = 'unlimited', essential } = request.routeOptions.config;
    const beyond = refusedByScope(caller.scope, scoped, access, pop());
    if (beyond !== undefined) throw new HttpProblem(403, beyond, { reason: 'out_of_scope' });
    request.caller = caller;
    if (essential !== true) refuseOverload(access, deps, overload);
    connections.letIn(request.raw.socket);
  };

  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(commonHeaders(request.id));
    const { access } = request.routeOptions.config;
    const fail = (error: unknown): void => done(asError(error));
    try {
      refuseTwoHosts(request.raw);
      if (access === undefined || access === 'public') {
        done();
        return;
      }
      refuseForeignPages(request.raw, deps.auth().mode);
      const sender = request.routeOptions.config.sender?.(request);
      if (sender?.needsBody === true) {
        refuseOverload(access, deps, overload);
        done();
        return;
      }
      const caller = identify(request, sender === undefined ? authenticate : bySender(sender));
      if (caller instanceof Promise) {
        caller
          .then((known) => {
            admit(request, access, known);
            done();
          })
          .catch(fail);
        return;
      }
      admit(request, access, caller);
    } catch (error) {
      fail(error);
      return;
    }
    done();
  });

  // Senders that are authenticated by their body.
  app.addHook('preValidation', async (request) => {
    const { access = 'admin', sender } = request.routeOptions.config;
    if (sender === undefined || request.caller !== undefined) return;
    const check = sender(request);
    const body = Buffer.isBuffer(request.body) ? request.body : NO_OCTETS;
    admit(
      request,
      access,
      await identify(request, check === undefined ? authenticate : bySender(check, body)),
    );
  });

  const room = new BodyRoom();
  app.decorateRequest('bodyRoom', undefined);
  app.addHook('preParsing', (request, reply, payload, done) => {
    const reservation = room.open(request.caller === undefined ? networkOf(request) : clientOf(request));
    request.bodyRoom = reservation;
    // Also if the client disconnects before an answer is sent.
    reply.raw.once('close', () => reservation.release());
    try {
      reservation.grow(announcedBytes(request.headers, request.routeOptions.bodyLimit));
    } catch (error) {
      done(asError(error));
      return;
    }
    done(null, payload);
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

/** Asks again for an admitted request: its token may have been rotated, or its session may have ended. */
function isStillAllowed(authenticate: Authenticator, request: FastifyRequest): boolean {
  const { caller, raw, routeOptions } = request;
  try {
    const now = authenticate(raw, true);
    const isSame = now.name === caller?.name && JSON.stringify(now.scope) === JSON.stringify(caller.scope);
    return isSame && allows(now.role, routeOptions.config.access ?? 'public');
  } catch (error) {
    if (error instanceof HttpProblem) return false;
    throw error;
  }
}

/** Identifies the caller; delays the answer to a network that guesses tokens (see `Guesses` in auth.ts). */
function identification(
  deps: CommonDependencies,
  connections: Pick<ClientConnections, 'trust'>,
): (request: FastifyRequest, authenticate: Authenticator) => Caller | Promise<Caller> {
  const guesses = new Guesses(() => performance.now());
  /** Connections with a delayed request: a second request on the same one would be a guess without delay. */
  const waiting = new WeakSet<Socket>();
  const { pause: wait = pause, logger } = deps;

  const outcome = (request: FastifyRequest, authenticate: Authenticator): Caller | Error => {
    try {
      return authenticate(request.raw);
    } catch (error) {
      if (error instanceof Error) return error;
      throw error;
    }
  };
  return (request, authenticate) => {
    const found = outcome(request, authenticate);
    if (found instanceof Error && !(found instanceof UnknownToken)) throw found;
    const network = networkOf(request);
    const { socket } = request.raw;
    const delay = guesses.delayOf(network, found instanceof Error ? undefined : found.name);
    if (waiting.has(socket)) {
      throw new HttpProblem(429, 'Wait for the answer to the previous request', {
        headers: { 'retry-after': '5', connection: 'close' },
      });
    }
    const conclude = (): Caller => {
      if (!(found instanceof Error)) {
        guesses.right(network, found.name);
        if (deps.auth().mode !== 'none' || found.name !== 'anonymous') connections.trust(socket, network);
        return found;
      }
      if (guesses.wrong(network)) {
        const fields = { from: network, request_id: request.id };
        logger.warn(fields, 'this network sends many invalid bearer tokens; answers to it are delayed');
      }
      throw found;
    };
    if (delay === 0) return conclude();
    waiting.add(socket);
    return wait(delay).then(() => {
      waiting.delete(socket);
      return conclude();
    });
  };
}

/** Refuses reads before events under overload. Operators' commands are never refused: they can end the overload. */
function refuseOverload(access: Access, deps: CommonDependencies, overload: Overload): void {
  if (access === 'read' && overload.shedsReads()) {
    deps.onShed?.('read');
    throw new HttpProblem(503, 'Overloaded: reads are refused so that events are still accepted; try again', {
      headers: { 'retry-after': '2' },
    });
  }
  if (access === 'report' && overload.shedsEvents()) {
    deps.onShed?.('event');
    throw new HttpProblem(503, 'Overloaded: events are refused so that BGP sessions stay up; try again', {
      headers: { 'retry-after': '5' },
    });
  }
}
