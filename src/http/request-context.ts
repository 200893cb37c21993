/** Reads the caller, the client's address and the request id from a request. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Access } from '../access/role.ts';
import type { CallerScope, ScopeContext, ScopeRule } from '../access/caller-scope.ts';
import type { EngineView } from '../control/types.ts';
import type { Actor } from '../core/types.ts';
import { clientNetwork } from './known-networks.ts';
import type { Caller } from './caller.ts';
import type { Reservation } from './body-room.ts';
import type { SenderCheck } from './webhook-auth.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The access that the route requires; a route without it cannot be registered. */
    access?: Access;
    /** How the route treats callers with a scope. Default: `place`, so it is refused to those who are limited. */
    scoped?: ScopeRule;
    /** True: the route is answered even under overload, when others with the same access are refused. */
    essential?: boolean;
    /** Authenticates the request instead of `http.auth`; undefined, or a result of undefined: `http.auth` does. */
    sender?: (request: FastifyRequest) => SenderCheck | undefined;
  }
  interface FastifyInstance {
    /** Returns true if the credentials of an admitted request would still be accepted, with the same scope. */
    isStillAllowed(request: FastifyRequest): boolean;
  }
  interface FastifyRequest {
    /** Undefined on public routes. */
    caller: Caller | undefined;
    /** Memory reserved for the request's body; undefined until a body is read. */
    bodyRoom: Reservation | undefined;
  }
}

/** A Fastify instance whose types come from the routes' zod schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** Returns the caller of a route that is not public. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === undefined) throw new TypeError(`no caller is known at ${request.routeOptions.url}`);
  return request.caller;
}

/** Returns the caller's scope; undefined if it is not limited. */
export function scopeOf(request: FastifyRequest): CallerScope | undefined {
  return callerOf(request).scope;
}

/** Returns what scopes are compared with now. */
export function scopeContext({ policy, state }: Pick<EngineView, 'policy' | 'state'>): ScopeContext {
  return { pop: policy.pop, inventory: policy.inventory, mitigations: state.mitigations };
}

/** Returns the remote address; IPv4 in dotted notation on dual-stack sockets too. */
export function addressOf(request: FastifyRequest): string {
  return request.ip.replace(/^::ffff:(?=\d+\.)/, '');
}

/** Returns the network that counts as one client (see `clientNetwork`). */
export function networkOf(request: FastifyRequest): string {
  return clientNetwork(request.ip).name;
}

/** Returns the caller as the detector that reports an attack. */
export function detectorOf(request: FastifyRequest): Actor {
  const { name, person } = callerOf(request);
  return {
    kind: 'detector',
    name,
    ...person,
    address: addressOf(request),
    requestId: request.id,
  };
}

/**
 * Returns the caller as an operator, under the body's operator name; `via` is the token's name if it differs. A person who
 * has signed in acts under the own name only, with issuer and subject.
 */
export function operatorOf(request: FastifyRequest, operatorId?: string): Actor {
  const { name: caller, person } = callerOf(request);
  if (person !== undefined) {
    return { kind: 'operator', name: caller, ...person, address: addressOf(request), requestId: request.id };
  }
  const name = operatorId ?? caller;
  const via = name === caller ? {} : { via: caller };
  return { kind: 'operator', name, ...via, address: addressOf(request), requestId: request.id };
}
