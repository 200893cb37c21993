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
import type { Actor } from '../core/types.ts';
import { clientNetwork } from './known-networks.ts';
import type { Access, Caller } from './auth.ts';
import type { Reservation } from './body-room.ts';
import type { SenderCheck } from './webhook-auth.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The access that the route requires; a route without it cannot be registered. */
    access?: Access;
    /** True: the route is answered even under overload, when others with the same access are refused. */
    essential?: boolean;
    /** Authenticates the request instead of `http.auth`; undefined, or a result of undefined: `http.auth` does. */
    sender?: (request: FastifyRequest) => SenderCheck | undefined;
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
  return {
    kind: 'detector',
    name: callerOf(request).name,
    address: addressOf(request),
    requestId: request.id,
  };
}

/** Returns the caller as an operator, under the body's operator name; `via` is the token's name if it differs. */
export function operatorOf(request: FastifyRequest, operatorId?: string): Actor {
  const caller = callerOf(request).name;
  const name = operatorId ?? caller;
  const via = name === caller ? {} : { via: caller };
  return { kind: 'operator', name, ...via, address: addressOf(request), requestId: request.id };
}
