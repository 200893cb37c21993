/** Serves the scrubbers and the blackhole policy, with the number of active mitigations that use them. */
import { z } from 'zod';
import { NO_TARGETS, type Scrubber, type Targets, type UnicastTarget } from '../../core/policy/scrubbers.ts';
import type { StateView } from '../../core/state/state.ts';
import { timeText } from '../../net/time.ts';
import { type TargetUse, targetUse } from '../../view/action-view.ts';
import { ProtectionSchema, protectionView } from '../../view/protection-view.ts';
import { commonProblems } from '../answer-schemas.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { type App, detectorOf } from '../request-context.ts';
import { expectAnswer } from '../answers.ts';
import { HttpProblem } from '../http-problem.ts';
import { requireVictim } from './mitigations.ts';

const unicastShape = {
  next_hop_v4: z.string().nullable().describe('null: no route for IPv4 victims'),
  next_hop_v6: z.string().nullable(),
  prefix_length_v4: z.int().describe('Length of the announced prefix'),
  prefix_length_v6: z.int(),
  communities: z.array(z.string()).describe('As configured, besides those that prefixd always adds'),
  export: z.boolean().describe('The route may leave the AS of its neighbor: it carries no NO_EXPORT'),
  max_ttl_seconds: z.number(),
  return: z
    .object({
      min_seconds: z.number(),
      quiet_seconds: z.number(),
      backoff: z.number(),
      max_seconds: z.number(),
      probe_seconds: z.number().describe('How long a blackhole is lifted before it ends; 0: it is not'),
    })
    .describe('When the traffic returns to its usual way'),
};

const ScrubbersSchema = z.object({
  scrubbers: z.array(
    z.object({
      name: z.string(),
      redirect: z
        .object({ ipv4: z.string().nullable(), ipv6: z.string().nullable(), vrf: z.string().nullable() })
        .describe('Targets of a redirect; null: none of that kind'),
      divert: z.object(unicastShape).nullable().describe('null: nothing can be diverted to it'),
      max_diverted: z.int().nullable().describe('Limit of diversions at one time; null: none'),
      healthy: z.boolean().nullable().describe('It answers its health probe; null: it has none'),
      unhealthy_since: z.iso.datetime().nullable(),
      unhealthy_reason: z.string().nullable(),
      redirected: z.int().describe('Active mitigations that redirect to it'),
      diverted: z.int().describe('Active mitigations that divert to it'),
    }),
  ),
  protections: z
    .array(ProtectionSchema)
    .describe('What cloud scrubbers are asked to protect over HTTP; also of scrubbers that were removed'),
  blackhole: z.object({
    allowed: z.boolean(),
    ...unicastShape,
    customers: z.array(z.string()).describe('Customers whose addresses may be blackholed; empty: all'),
    active: z.int().describe('Active mitigations that blackhole'),
  }),
});

export function registerScrubbers(app: App, deps: HttpDependencies): void {
  const { engine, protections } = deps;
  registerSignal(app, deps);
  app.get(
    '/v1/scrubbers',
    {
      config: { access: 'read', scoped: 'place' },
      schema: {
        tags: ['mitigations'],
        summary: 'List the scrubbers and the blackhole policy, with their use',
        response: { 200: ScrubbersSchema, ...commonProblems },
      },
    },
    () => ({
      ...scrubbersView(engine.policy.targets ?? NO_TARGETS, engine.state),
      protections: (protections?.statuses() ?? []).map(protectionView),
    }),
  );
}

/** A scrubber's statement about the traffic that is diverted to it. */
const SignalBody = z.strictObject({
  state: z.literal('clean').describe('The traffic is clean: it may return to its usual way'),
  victim_ip: z
    .string()
    .max(64)
    .optional()
    .describe('Address or prefix; without it, everything that is diverted to the scrubber'),
});

function registerSignal(app: App, { engine }: HttpDependencies): void {
  app.post(
    '/v1/scrubbers/:name/signal',
    {
      config: { access: 'report', scoped: 'unlimited' },
      schema: {
        tags: ['mitigations'],
        summary: 'Report that the traffic diverted to a scrubber is clean',
        description: 'It returns once `return.min_seconds` are over, unless the attack is reported again.',
        params: z.object({ name: z.string().max(64) }),
        body: SignalBody,
        response: {
          202: z.object({ affected: z.array(z.uuid()).describe('Mitigations whose traffic may return') }),
          ...commonProblems,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      if (engine.policy.targets?.scrubbers.has(name) !== true) {
        throw new HttpProblem(404, `There is no scrubber ${name}`);
      }
      const { victim_ip: text } = request.body;
      const victim = text === undefined ? {} : { victim: requireVictim('victim_ip', text) };
      const actor = detectorOf(request);
      const answer = await engine.submit({ type: 'scrubber-clean', scrubber: name, actor, ...victim });
      return reply.code(202).send({ affected: [...expectAnswer(answer, 'done').affected] });
    },
  );
}

function scrubbersView(
  { scrubbers, blackhole }: Targets,
  state: StateView,
): Omit<z.output<typeof ScrubbersSchema>, 'protections'> {
  const use = targetUse(state);
  return {
    scrubbers: [...scrubbers.values()].map((scrubber) => scrubberView(scrubber, use, state.downScrubbers)),
    blackhole: {
      allowed: blackhole.allowed,
      ...unicastView(blackhole.target),
      customers: [...blackhole.customers],
      active: use.blackholed,
    },
  };
}

function scrubberView(
  { name, redirect, divert, maxDiverted, probe }: Scrubber,
  { redirected, diverted }: TargetUse,
  downScrubbers: StateView['downScrubbers'],
): z.output<typeof ScrubbersSchema>['scrubbers'][number] {
  const { ipv4 = null, ipv6 = null, vrf = null } = redirect;
  const failure = probe === undefined ? undefined : downScrubbers.get(name);
  return {
    name,
    redirect: { ipv4, ipv6, vrf },
    divert: divert === undefined ? null : unicastView(divert),
    max_diverted: Number.isFinite(maxDiverted) ? maxDiverted : null,
    healthy: probe === undefined ? null : failure === undefined,
    unhealthy_since: failure === undefined ? null : timeText(failure.at),
    unhealthy_reason: failure?.reason ?? null,
    redirected: redirected.get(name) ?? 0,
    diverted: diverted.get(name) ?? 0,
  };
}

function unicastView(target: UnicastTarget) {
  const { minSeconds, quietSeconds, backoff, maxSeconds, probeSeconds = 0 } = target.return;
  return {
    next_hop_v4: target.nextHopV4 ?? null,
    next_hop_v6: target.nextHopV6 ?? null,
    prefix_length_v4: target.lengthV4,
    prefix_length_v6: target.lengthV6,
    communities: [...target.communities],
    export: target.export,
    max_ttl_seconds: target.maxTtlSeconds,
    return: {
      min_seconds: minSeconds,
      quiet_seconds: quietSeconds,
      backoff,
      max_seconds: maxSeconds,
      probe_seconds: probeSeconds,
    },
  };
}
