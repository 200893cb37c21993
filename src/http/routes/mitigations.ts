/** Serves mitigations: lists them, withdraws one, and creates an operator's own. */
import { actionRefusal, type CallerScope, seesMitigation } from '../../access/caller-scope.ts';
import { DISCARD, type MitigationAction, type RedirectTarget } from '../../core/action.ts';
import { z } from 'zod';
import type { ReconcilerView } from '../../control/types.ts';
import { protocolNumber } from '../../core/policy/vectors.ts';
import type { Mitigation } from '../../core/types.ts';
import { isPrefixVictim, victimPrefix } from '../../core/victim.ts';
import { readVictim } from '../../intake/read-victim.ts';
import { canonicalAddress, covers } from '../../net/prefix.ts';
import { NOT_ACTIVE } from '../../exchange/types.ts';
import type { MitigationStatusSchema } from '../../view/schemas.ts';
import { effectView, expectAnswer } from '../answers.ts';
import { type App, operatorOf, scopeContext, scopeOf } from '../request-context.ts';
import { mitigationDetailView, mitigationView, shownStatus } from '../mitigation-views.ts';
import { page } from '../paging.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { HttpProblem, invalidField } from '../http-problem.ts';
import {
  ALL_POPS,
  choosePops,
  confirmationsShape,
  doneHere,
  mitigationPops,
  namedPops,
  refuseOtherPops,
  unpublished,
} from '../other-pops.ts';
import { elsewhereView, ElsewhereSchema } from './pops.ts';
import { MitigateBody, MitigationQuery, WithdrawBody } from '../request-schemas.ts';
import { commonProblems, effectShape, MitigationDetailSchema, MitigationSchema } from '../answer-schemas.ts';
import type { ReadRoom } from '../read-room.ts';
import { outOfScope, refuseForeignMitigation, shownDetail, shownMitigation } from '../scoped-answers.ts';
import { inSlices, mapInSlices } from '../slices.ts';

/**
 * Returns the canonical address or prefix of a text; IPv4-mapped IPv6 becomes IPv4. Throws HttpProblem 400 that names
 * the field.
 */
export function requireVictim(field: string, text: string): string {
  const reading = readVictim(text);
  if (!reading.ok) throw invalidField(field, reading.error);
  return reading.value;
}

/** Returns the victim of a request, which names it by address, by address with a length, or by prefix. */
function victimOf({ victim_ip: address, victim_prefix: prefix }: z.output<typeof MitigateBody>): string {
  const [one, other] = [
    address === undefined ? undefined : requireVictim('victim_ip', address),
    prefix === undefined ? undefined : requireVictim('victim_prefix', prefix),
  ];
  if (one !== undefined && other !== undefined && one !== other) {
    throw invalidField('victim_prefix', `${other} differs from victim_ip (${one}); give only one of them`);
  }
  const victim = one ?? other;
  if (victim === undefined) throw invalidField('victim_ip', 'is required unless victim_prefix is given');
  return victim;
}

/** An id's prefix that people may give instead of the whole id. */
const SHORT_ID = /^[0-9a-f][0-9a-f-]{3,34}$/;

/**
 * Returns the mitigation with this id, or the only one whose id begins with it (at least 4 characters). Throws
 * HttpProblem 404 for an unknown or malformed id, and 409 if several ids begin with it. What the caller does not see does
 * not exist.
 */
function findMitigation<One extends Pick<Mitigation, 'id'>>(
  mitigations: ReadonlyMap<string, One>,
  id: string,
  isSeen: (mitigation: One) => boolean = () => true,
): One {
  const known = mitigations.get(id);
  if (known !== undefined && isSeen(known)) return known;
  const alike: One[] = [];
  if (SHORT_ID.test(id)) {
    for (const mitigation of mitigations.values()) {
      if (mitigation.id.startsWith(id) && isSeen(mitigation)) alike.push(mitigation);
    }
  }
  const [only, ...others] = alike;
  if (only === undefined) throw new HttpProblem(404, 'There is no mitigation with this id');
  if (others.length === 0) return only;
  throw new HttpProblem(
    409,
    `${alike.length} mitigations have an id that begins with ${id}: give more characters`,
  );
}

/** Returns true if the mitigation is for this address, or for a prefix that covers it. */
function isAbout(mitigation: Pick<Mitigation, 'victim'>, victim: string): boolean {
  if (mitigation.victim === victim) return true;
  return isPrefixVictim(mitigation.victim) && covers(victimPrefix(mitigation.victim), victimPrefix(victim));
}

/** Returns true if the POP keeps the mitigation or decided it. */
function isOfPop({ pop, origin }: Mitigation, name: string): boolean {
  return pop === name || origin?.pop === name;
}

/**
 * Returns true if the mitigation has one of the statuses. Asks the reconciler, which costs time, only if `pending`
 * matters.
 */
function hasStatus(
  mitigation: Mitigation,
  wanted: ReadonlySet<z.output<typeof MitigationStatusSchema>>,
  reconciler: ReconcilerView,
): boolean {
  if (wanted.has('pending') === wanted.has(mitigation.status)) return wanted.has(mitigation.status);
  return wanted.has(shownStatus(mitigation, reconciler));
}

/** Converts a checked request: it has the fields that its action requires. */
function requestedAction(body: z.output<typeof MitigateBody>): MitigationAction {
  switch (body.action_type) {
    case 'police': {
      const shared = body.share_rate === true ? { shared: true as const } : {};
      return { type: 'police', rateBps: body.rate_bps ?? 0, ...shared };
    }
    case 'discard':
      return DISCARD;
    case 'redirect': {
      const copy = body.copy === true ? { copy: true as const } : {};
      return { type: 'redirect', rateBps: body.rate_bps ?? null, target: requestedTarget(body), ...copy };
    }
    case 'divert':
      return { type: 'divert', rateBps: null, scrubber: body.to ?? '' };
    case 'blackhole':
      return { type: 'blackhole', rateBps: null };
  }
}

/** Returns a redirect's target; throws HttpProblem 400 for text that is no address. */
function requestedTarget({ to, vrf, ip }: z.output<typeof MitigateBody>): RedirectTarget {
  if (typeof to === 'string') return { scrubber: to };
  if (typeof vrf === 'string') return { vrf };
  const address = canonicalAddress(ip ?? '');
  if (address === undefined) throw invalidField('ip', 'must be an IPv4 or IPv6 address without a length');
  return { ip: address };
}

const IdParams = z.object({ id: z.string() });

export function registerMitigations(app: App, deps: HttpDependencies, room: ReadRoom): void {
  const { engine, reconciler, protections } = deps;

  const find = (id: string, scope: CallerScope | undefined): Mitigation =>
    findMitigation(
      engine.state.mitigations,
      id.toLowerCase(),
      (mitigation) => scope === undefined || seesMitigation(scope, mitigation),
    );

  /** Returns the id of a mitigation that is here or at another POP. */
  const findAnywhere = (text: string): string => {
    const all = new Map<string, Pick<Mitigation, 'id'>>(engine.state.mitigations);
    for (const { intent } of deps.exchange?.elsewhere() ?? []) all.set(intent.id, intent);
    return findMitigation(all, text.toLowerCase()).id;
  };

  app.get(
    '/v1/mitigations',
    {
      config: { access: 'read', scoped: 'filtered' },
      schema: {
        tags: ['mitigations'],
        summary: 'List mitigations, newest first',
        querystring: MitigationQuery,
        response: {
          200: z.object({
            mitigations: z.array(MitigationSchema),
            next_cursor: z.string().nullable(),
            elsewhere: z
              .array(ElsewhereSchema)
              .optional()
              .describe('Active mitigations of other POPs that are not here; on the first page, with `pop`'),
          }),
          ...commonProblems,
        },
      },
    },
    async (request, reply) => {
      const { status, customer_id, pop, limit, cursor, ...query } = request.query;
      const scope = scopeOf(request);
      const victim = query.victim_ip === undefined ? undefined : requireVictim('victim_ip', query.victim_ip);
      const statuses = status === undefined ? undefined : new Set(status);
      return room.enter(limit, async () => {
        const { items, nextCursor } = await page(
          engine.state.mitigations,
          {
            id: (mitigation) => mitigation.id,
            at: (mitigation) => mitigation.createdAt,
            wanted: (mitigation) =>
              (scope === undefined || seesMitigation(scope, mitigation)) &&
              (victim === undefined || isAbout(mitigation, victim)) &&
              (customer_id === undefined || mitigation.customerId === customer_id) &&
              (pop === undefined || pop === ALL_POPS || isOfPop(mitigation, pop)) &&
              (statuses === undefined || hasStatus(mitigation, statuses, reconciler)),
          },
          limit,
          cursor,
        );
        const mitigations = await mapInSlices(items, (mitigation) =>
          // Shows a mitigation that changed between two slices as it is now, because its rules are current too.
          shownMitigation(
            scope,
            mitigationView(
              engine.state.mitigations.get(mitigation.id) ?? mitigation,
              reconciler,
              protections,
            ),
            engine,
          ),
        );
        // Limited callers get what this POP keeps: whose customer another's mitigation is, this inventory cannot say.
        const isFirst = cursor === undefined && pop !== undefined && scope === undefined;
        const elsewhere =
          isFirst && deps.exchange !== undefined
            ? elsewhereView(deps.exchange, engine.state.live, (one) => {
                const { intent } = one;
                return (
                  (victim === undefined || isAbout(intent, victim)) &&
                  (customer_id === undefined || intent.customerId === customer_id) &&
                  (pop === ALL_POPS || one.pop === pop) &&
                  (statuses === undefined || statuses.has('active'))
                );
              })
            : undefined;
        return inSlices(reply, {
          mitigations,
          next_cursor: nextCursor ?? null,
          ...(elsewhere === undefined ? {} : { elsewhere }),
        });
      });
    },
  );

  app.get(
    '/v1/mitigations/:id',
    {
      config: { access: 'read', scoped: 'filtered' },
      schema: {
        tags: ['mitigations'],
        summary: 'Get one mitigation with its history',
        params: IdParams,
        response: { 200: MitigationDetailSchema, ...commonProblems },
      },
    },
    (request) => {
      const scope = scopeOf(request);
      const { state } = engine;
      const found = find(request.params.id, scope);
      return shownDetail(scope, mitigationDetailView(found, reconciler, state, protections), engine);
    },
  );

  app.post(
    '/v1/mitigations',
    {
      config: { access: 'operate', scoped: 'filtered' },
      schema: {
        tags: ['mitigations'],
        summary: "Create an operator's own mitigation; the same guardrails apply",
        body: MitigateBody,
        response: {
          201: MitigationSchema.extend({
            confirmations: confirmationsShape.confirmations.describe(
              'Only if `pops` names others and they do not learn of it now: the exchange is not connected, or this is a dry run',
            ),
          }),
          ...commonProblems,
        },
      },
    },
    async (request, reply) => {
      const { body } = request;
      const victim = victimOf(body);
      const protocol =
        body.protocol === undefined || body.protocol === null ? null : protocolNumber(body.protocol);
      if (protocol === undefined)
        throw invalidField('protocol', 'is not the name or number of an IP protocol');
      const ports = [...new Set(body.dst_ports ?? [])].sort((a, b) => a - b);
      const scope = scopeOf(request);
      refuseForeignMitigation(
        scope,
        { victim, action: body.action_type, pops: namedPops(body.pops, engine.policy.pop) },
        scopeContext(engine),
      );
      const pops = mitigationPops(deps, body.pops);
      const answer = await engine.submit({
        type: 'mitigate',
        actor: operatorOf(request, body.operator_id),
        victim,
        protocol,
        ports,
        action: requestedAction(body),
        ttlSeconds: body.ttl_seconds,
        reason: body.reason,
        ...(pops === undefined ? {} : { pops }),
      });
      const { mitigation } = expectAnswer(answer, 'mitigation', { scope, context: scopeContext(engine) });
      reply.code(201).header('location', `/v1/mitigations/${mitigation.id}`);
      return {
        ...shownMitigation(scope, mitigationView(mitigation, reconciler, protections), engine),
        ...unpublished(deps, body.pops, mitigation),
      };
    },
  );

  app.post(
    '/v1/mitigations/:id/withdraw',
    {
      config: { access: 'operate', scoped: 'filtered' },
      schema: {
        tags: ['mitigations'],
        summary: 'Withdraw a mitigation',
        description:
          'The status changes when the withdrawal has been sent on every established session. Takes effect even if the journal cannot be written: see `recorded`.',
        params: IdParams,
        body: WithdrawBody,
        response: {
          200: z.union([
            MitigationSchema.extend({ ...effectShape, ...confirmationsShape }),
            z
              .object({ mitigation_id: z.uuid(), ...effectShape, ...confirmationsShape })
              .describe('With `pops`, if the mitigation is not active here or this POP is not named'),
          ]),
          ...commonProblems,
        },
      },
    },
    async (request) => {
      const { reason, operator_id, pops } = request.body;
      const scope = scopeOf(request);
      refuseOtherPops(scope, pops, engine.policy.pop);
      const chosen = choosePops(deps, pops);
      const actor = operatorOf(request, operator_id);
      const found =
        chosen.id === undefined || scope !== undefined ? find(request.params.id, scope) : undefined;
      const beyond = scope === undefined || found === undefined ? undefined : actionRefusal(scope, found);
      if (beyond !== undefined) throw outOfScope(beyond);
      const id = found === undefined ? findAnywhere(request.params.id) : found.id;
      const asked = { type: 'withdraw', id, operator: actor.name, reason } as const;
      if (!chosen.isHere) return { mitigation_id: id, ...(await chosen.ask(asked, undefined)) };
      const several = chosen.id === undefined ? {} : { request: chosen.id };
      const answer = await engine.submit({ type: 'withdraw', id, actor, reason, ...several });
      // It is not active here, and cannot begin any more.
      if (chosen.id !== undefined && answer.type === 'done') {
        return {
          mitigation_id: id,
          ...effectView(answer),
          ...(await chosen.ask(asked, doneHere(engine, NOT_ACTIVE))),
        };
      }
      const withdrawn = expectAnswer(answer, 'mitigation');
      const confirmations = await chosen.ask(asked, doneHere(engine));
      const view = mitigationView(
        engine.state.mitigations.get(id) ?? withdrawn.mitigation,
        reconciler,
        protections,
      );
      return { ...shownMitigation(scope, view, engine), ...effectView(withdrawn), ...confirmations };
    },
  );
}
