/** Limits each client's events with a token bucket behind @fastify/rate-limit, which writes the headers. */
import { forgetOldest } from '../net/queue.ts';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { addressOf, callerOf } from './request-context.ts';
import type { HttpDependencies, RateLimitSettings } from './dependencies.ts';
import { HttpProblem } from './http-problem.ts';

/** Maximum number of clients; beyond it, the least recently active one is forgotten together with its bucket. */
const MAX_CLIENTS = 10_000;
/** Precision of the order of activity (ms). */
const ORDER_MS = 1_000;

interface Bucket {
  /** May be negative: a batch is admitted as a whole and charged afterwards. */
  tokens: number;
  /** Time of `tokens` (ms). */
  at: number;
  /** Time when it was last moved to the end of the map, where the busy clients are (ms). */
  movedAt: number;
}

/** Token buckets by client: `burst` tokens deep, refilled with `eventsPerSecond`. */
export class TokenBuckets {
  readonly #clock: () => number;
  readonly #settings: () => RateLimitSettings;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: () => number, settings: () => RateLimitSettings) {
    this.#clock = clock;
    this.#settings = settings;
  }

  /** Takes one token if there is one. `waitMs`: time until the next token if refused, else until the bucket is full. */
  take(client: string): { readonly taken: boolean; readonly left: number; readonly waitMs: number } {
    const { eventsPerSecond, burst } = this.#settings();
    const bucket = this.#bucket(client);
    const taken = bucket.tokens >= 1;
    if (taken) bucket.tokens -= 1;
    const missing = taken ? burst - bucket.tokens : 1 - bucket.tokens;
    return {
      taken,
      left: Math.max(0, Math.floor(bucket.tokens)),
      waitMs: (missing / eventsPerSecond) * 1000,
    };
  }

  /** Charges tokens for events that were already admitted. A negative balance delays the client's next events. */
  charge(client: string, tokens: number): void {
    this.#bucket(client).tokens -= tokens;
  }

  #bucket(client: string): Bucket {
    const { eventsPerSecond, burst } = this.#settings();
    const now = this.#clock();
    const known = this.#buckets.get(client);
    const bucket = known ?? { tokens: burst, at: now, movedAt: Number.NEGATIVE_INFINITY };
    const gained = (Math.max(0, now - bucket.at) / 1000) * eventsPerSecond;
    bucket.tokens = Math.min(burst, bucket.tokens + gained);
    bucket.at = now;
    if (Math.abs(now - bucket.movedAt) < ORDER_MS) return bucket;
    bucket.movedAt = now;
    this.#buckets.delete(client);
    this.#buckets.set(client, bucket);
    forgetOldest(this.#buckets, MAX_CLIENTS);
    return bucket;
  }
}

/** Returns the client's key: by name for a caller with credentials, else by address. */
export function clientOf(request: FastifyRequest): string {
  const { name, person } = callerOf(request);
  if (person !== undefined) return `person ${person.issuer} ${person.subject}`;
  return name === 'anonymous' ? `address ${addressOf(request)}` : `name ${name}`;
}

/** Marks a route as limited: `config: { rateLimit: LIMITED }`. */
export const LIMITED = {} as const;

/** Like LIMITED, but answers 503: Alertmanager's webhook integration retries after a 503 and not after a 429. */
export const LIMITED_WITH_503 = {
  errorResponseBuilder: (_request: unknown, { ttl }: { readonly ttl: number }) => refusal(503, ttl),
};

function refusal(status: 429 | 503, waitMs: number): HttpProblem {
  const seconds = Math.ceil(waitMs / 1000);
  return new HttpProblem(status, `Too many events from this client; try again in ${seconds} s`);
}

/** Registers the limit for the marked routes. */
export async function registerRateLimit(
  app: FastifyInstance,
  deps: HttpDependencies,
  buckets: TokenBuckets,
): Promise<void> {
  class Store {
    incr(
      client: string,
      callback: (error: Error | null, result?: { current: number; ttl: number }) => void,
      _timeWindow?: number,
      max = 0,
    ): void {
      const { taken, left, waitMs } = buckets.take(client);
      callback(null, { current: taken ? max - left : max + 1, ttl: Math.ceil(waitMs) });
    }

    child(): Store {
      return this;
    }
  }
  await app.register(rateLimit, {
    global: false,
    store: Store,
    max: () => deps.rateLimit().burst,
    keyGenerator: clientOf,
    errorResponseBuilder: (_request, { ttl }) => refusal(429, ttl),
  });
}
