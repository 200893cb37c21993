/** What every request carries: who calls, from where, under which id. */
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

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Every route says whom it serves; one that does not cannot be registered. */
    access?: Access;
    /** Answered under overload, too, when other routes with the same access are not. */
    essential?: boolean;
  }
  interface FastifyRequest {
    /** Null on public routes. */
    caller: Caller | null;
    /** The room of its body; null until one is read. */
    bodyRoom: Reservation | null;
  }
}

/** Fastify with types taken from the zod schemas of the routes. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** The caller of a route that is not public. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new TypeError(`no caller is known at ${request.routeOptions.url}`);
  return request.caller;
}

/** The remote address; IPv4 in its own notation on dual-stack sockets too. */
export function addressOf(request: FastifyRequest): string {
  return request.ip.replace(/^::ffff:(?=\d+\.)/, '');
}

/** The network that counts as one client (see `clientNetwork`). */
export function networkOf(request: FastifyRequest): string {
  return clientNetwork(request.ip).name;
}

/** The caller as the one who reports an attack. */
export function detectorOf(request: FastifyRequest): Actor {
  return {
    kind: 'detector',
    name: callerOf(request).name,
    address: addressOf(request),
    requestId: request.id,
  };
}

/** The caller as an operator: under the name that the body gives, with that of the token beside it. */
export function operatorOf(request: FastifyRequest, operatorId?: string): Actor {
  const caller = callerOf(request).name;
  const name = operatorId ?? caller;
  const via = name === caller ? {} : { via: caller };
  return { kind: 'operator', name, ...via, address: addressOf(request), requestId: request.id };
}
