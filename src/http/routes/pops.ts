/** Serves the POPs: their state, how far this one is behind, and what has not been confirmed. */
import { z } from 'zod';
import type { ExchangeView, ForeignIntent, KnownPop, OpenRequest, PopRequest } from '../../exchange/types.ts';
import { timeText } from '../../net/time.ts';
import { actionView, ActionSchema } from '../../view/action-view.ts';
import { MatchSchema, matchView, time } from '../../view/schemas.ts';
import { commonProblems } from '../answer-schemas.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { confirmationsShape } from '../other-pops.ts';
import type { App } from '../request-context.ts';

/** A POP that was not heard of for this long does not count as up (ms). */
const UP_WITHIN_MS = 5_000;

const PopSchema = z.object({
  name: z.string(),
  self: z.boolean(),
  accepted: z.boolean().describe('Its mitigations and requests count here (`exchange.accept`)'),
  state: z
    .enum(['up', 'silent', 'unknown'])
    .describe('`silent`: not heard of for more than 5 s; `unknown`: never, since this daemon started'),
  lag_seconds: z
    .number()
    .nullable()
    .describe('Time since its last heartbeat up to which everything was imported here; 0 to 2 s is usual'),
  version: z.string().nullable(),
  same_policy: z.boolean().nullable().describe('It has the same policy as this POP, apart from its name'),
  sessions_up: z.int().nullable(),
  sessions_total: z.int().nullable(),
  active: z.int().nullable().describe('Active mitigations that it decided'),
  imported: z.int().describe('Those of them that are active here'),
  unreadable: z.int().describe('Messages of it that this version cannot read'),
});

const PopsSchema = z.object({
  pop: z.string(),
  exchange: z
    .object({
      state: z
        .enum(['connecting', 'connected', 'rival'])
        .describe('`rival`: another daemon has this POP’s name, and this one takes no part'),
      since: time,
      problem: z.string().nullable(),
    })
    .nullable()
    .describe('null: `exchange` is not configured'),
  pops: z.array(PopSchema),
  requests: z
    .array(
      z.object({
        request: z.string(),
        operator: z.string(),
        age_seconds: z.number(),
        confirmations: confirmationsShape.confirmations.unwrap(),
      }),
    )
    .describe('Requests of this POP that not every POP has confirmed, newest first'),
});

/** An active mitigation of another POP that is not kept here. */
export const ElsewhereSchema = z.object({
  mitigation_id: z.uuid(),
  pop: z.string(),
  customer_id: z.string().nullable().describe("By that POP's inventory"),
  victim_ip: z.string(),
  vector: z.string(),
  ...ActionSchema.shape,
  dst_prefix: z.string(),
  match: MatchSchema,
  playbook: z.string().nullable(),
  step: z.int(),
  pops: z.array(z.string()).describe('The POPs whose routers get its rule; `*`: all of them'),
  for_here: z.boolean().describe('It is for this POP, too, which has refused or ended it'),
  expires_at: time,
  reason: z.string(),
  why: z.array(z.string()),
});

export function registerPops(app: App, { engine, exchange }: HttpDependencies): void {
  app.get(
    '/v1/pops',
    {
      config: { access: 'read', scoped: 'unlimited', essential: true },
      schema: {
        tags: ['pops'],
        summary: 'List the POPs with their state, and requests that are not confirmed',
        response: { 200: PopsSchema, ...commonProblems },
      },
    },
    () => {
      if (exchange === undefined) {
        return { pop: engine.policy.pop, exchange: null, pops: [], requests: [] };
      }
      return popsView(engine.policy.pop, exchange);
    },
  );
}

function popsView(pop: string, exchange: ExchangeView): z.output<typeof PopsSchema> {
  const { state, since, problem } = exchange.condition;
  const pops = exchange.pops();
  const ownHash = pops.find(({ isSelf }) => isSelf)?.heartbeat?.policyHash;
  return {
    pop,
    exchange: { state, since: timeText(since), problem: problem ?? null },
    pops: pops.map((one) => popView(one, ownHash)),
    requests: exchange.openRequests().map(requestView),
  };
}

function popView(one: KnownPop, ownHash: string | undefined): z.output<typeof PopSchema> {
  const { name, isSelf, isAccepted, lagMs, heartbeat, imported, unreadable } = one;
  return {
    name,
    self: isSelf,
    accepted: isAccepted,
    state: lagMs === undefined ? 'unknown' : lagMs > UP_WITHIN_MS ? 'silent' : 'up',
    lag_seconds: lagMs === undefined ? null : Math.round(lagMs) / 1000,
    version: heartbeat?.version ?? null,
    same_policy: heartbeat === undefined ? null : heartbeat.policyHash === ownHash,
    sessions_up: heartbeat?.sessionsUp ?? null,
    sessions_total: heartbeat?.sessionsTotal ?? null,
    active: heartbeat?.active ?? null,
    imported,
    unreadable,
  };
}

function requestView({ request, ageMs, confirmations }: OpenRequest) {
  return {
    request: requestText(request),
    operator: request.operator,
    age_seconds: Math.round(ageMs / 1000),
    confirmations: [...confirmations],
  };
}

/** Describes a request: `withdraw 3f2a...`, `safelist add 192.0.2.53/32`. */
function requestText(request: PopRequest): string {
  switch (request.type) {
    case 'withdraw':
      return `withdraw ${request.id}`;
    case 'safelist-add':
      return `safelist add ${request.prefix}`;
    case 'safelist-remove':
      return `safelist remove ${request.prefix}`;
    case 'withdraw-all':
      return 'withdraw --all';
    default:
      return request.type;
  }
}

/** Lists active mitigations of other POPs that are not active here; of one POP, or of all. */
export function elsewhereView(
  exchange: ExchangeView,
  live: ReadonlySet<string>,
  wanted: (one: ForeignIntent) => boolean,
): z.output<typeof ElsewhereSchema>[] {
  return exchange
    .elsewhere()
    .filter((one) => !live.has(one.intent.id) && wanted(one))
    .map(({ pop, intent, endsAt, isForHere }) => ({
      mitigation_id: intent.id,
      pop,
      customer_id: intent.customerId,
      victim_ip: intent.victim,
      vector: intent.vector,
      ...actionView(intent.action),
      dst_prefix: intent.match.dstPrefix,
      match: matchView(intent.match),
      playbook: intent.playbook,
      step: intent.step,
      pops: [...intent.pops],
      for_here: isForHere,
      expires_at: timeText(endsAt),
      reason: intent.reason,
      why: [...intent.why],
    }));
}
