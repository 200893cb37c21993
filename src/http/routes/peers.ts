/** Serves neighbors: their sessions, commands and Adj-RIB-Outs. */
import { Readable } from 'node:stream';
import type { FastifyTypeProviderDefault } from 'fastify';
import { z } from 'zod';
import type { Announcer } from '../../control/announcer.ts';
import { ruleKind } from '../../core/action.ts';
import type { OperatorDecision } from '../../core/state/state.ts';
import { toHex } from '../../net/bytes.ts';
import { timeText } from '../../net/time.ts';
import { timeOrNull } from '../../view/values.ts';
import { effectView, expectAnswer } from '../answers.ts';
import { type App, operatorOf } from '../request-context.ts';
import type { HttpDependencies, OperatorAction } from '../dependencies.ts';
import { HttpProblem } from '../http-problem.ts';
import { PeerClearBody, PeerCommandBody } from '../request-schemas.ts';
import {
  commonProblems,
  effectShape,
  type NotificationSchema,
  PeerSchema,
  RibRouteSchema,
} from '../answer-schemas.ts';
import { READS } from '../turns.ts';

/** SAFI of unicast routes (RFC 4760 §6). */
const UNICAST = 1;

const NameParams = z.object({ name: z.string() });

export function registerPeers(app: App, deps: HttpDependencies): void {
  const { engine, announcer, clock } = deps;

  const find = (name: string): PeerView => {
    const peer = announcer.peers().find((candidate) => candidate.name === name);
    if (peer === undefined) throw new HttpProblem(404, 'There is no neighbor with this name');
    return peer;
  };

  const viewOf = (peer: PeerView) => peerView(peer, engine.state.disabledPeers.get(peer.name), clock());

  const view = (name: string) => viewOf(find(name));

  app.get(
    '/v1/peers',
    {
      config: { access: 'read', scoped: 'place' },
      schema: {
        tags: ['peers'],
        summary: 'List every neighbor and its session',
        response: { 200: z.array(PeerSchema), ...commonProblems },
      },
    },
    () => announcer.peers().map(viewOf),
  );

  const record = (
    type: OperatorAction['type'],
    actor: OperatorAction['actor'],
    target: string,
    reason: string,
  ) => deps.onOperatorAction({ type, at: clock(), actor, target, reason });

  for (const [path, enabled, summary] of [
    ['enable', true, 'Enable a neighbor: let its session connect'],
    [
      'disable',
      false,
      'Disable a neighbor: close its session (Cease, Administrative Shutdown) and keep it down, even after a restart',
    ],
  ] as const) {
    app.post(
      `/v1/peers/:name/${path}`,
      {
        config: { access: 'operate', scoped: 'place' },
        schema: {
          tags: ['peers'],
          summary,
          params: NameParams,
          body: PeerCommandBody,
          response: { 200: PeerSchema.extend(effectShape), ...commonProblems },
        },
      },
      async (request) => {
        const { name } = find(request.params.name);
        const reason = request.body?.reason ?? '';
        const actor = operatorOf(request, request.body?.operator_id);
        const type = enabled ? 'peer-enable' : 'peer-disable';
        const done = expectAnswer(await engine.submit({ type, peer: name, actor, reason }), 'done');
        // A reload may have removed the neighbor while the fact was being recorded.
        find(name);
        announcer.setEnabled(name, enabled, shutdownCommunication(reason));
        return { ...view(name), ...effectView(done) };
      },
    );
  }

  app.post(
    '/v1/peers/:name/clear',
    {
      config: { access: 'operate', scoped: 'place' },
      schema: {
        tags: ['peers'],
        summary: 'Re-announce every rule (soft, the default) or reset the session (hard)',
        params: NameParams,
        body: PeerClearBody,
        response: { 200: PeerSchema, ...commonProblems },
      },
    },
    (request) => {
      const { name } = find(request.params.name);
      const how = request.body?.mode ?? 'soft';
      announcer.clear(name, how);
      const actor = operatorOf(request, request.body?.operator_id);
      record('peer.cleared', actor, name, request.body?.reason ?? how);
      return view(name);
    },
  );

  // The answer is a text stream, which the schema's type does not cover.
  app.withTypeProvider<FastifyTypeProviderDefault>().get<{ Querystring: { readonly neighbor?: string } }>(
    '/v1/rib',
    {
      config: { access: 'read', scoped: 'place' },
      schema: {
        tags: ['peers'],
        summary: 'Get the rules sent to each neighbor (Adj-RIB-Out), octet for octet',
        querystring: z.strictObject({ neighbor: z.string().max(256).optional() }),
        response: { 200: z.record(z.string(), z.array(RibRouteSchema)), ...commonProblems },
      },
    },
    (request, reply) => {
      const { neighbor } = request.query;
      const names =
        neighbor === undefined ? announcer.peers().map(({ name }) => name) : [find(neighbor).name];
      reply.type('application/json; charset=utf-8');
      return reply.send(Readable.from(ribText(names), { objectMode: false, highWaterMark: 64 * 1024 }));
    },
  );

  /** Yields the JSON of all tables in pieces of one time slice. Changes made meanwhile may or may not be included. */
  async function* ribText(names: readonly string[]): AsyncGenerator<string> {
    let text = '{';
    for (const [index, name] of names.entries()) {
      text += `${index === 0 ? '' : ','}${JSON.stringify(name)}:[`;
      let count = 0;
      for (const sent of announcer.ribOut(name).sentRoutes()) {
        text += (count === 0 ? '' : ',') + JSON.stringify(routeView(name, sent, deps));
        count++;
        if (!READS.spent) continue;
        yield text;
        text = '';
        await READS.next();
      }
      text += ']';
    }
    yield `${text}}`;
  }
}

/** Cuts a reason to 255 octets of UTF-8 (RFC 9003 §2), between characters. */
function shutdownCommunication(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > 255) text = [...text].slice(0, -1).join('');
  return text;
}

// Views of sessions and their Adj-RIB-Outs.

export type PeerView = ReturnType<Announcer['peers']>[number];
type Notification = NonNullable<PeerView['lastNotificationSent']>;
type FamilyView = PeerView['families'][number];
type SentRouteView = NonNullable<ReturnType<ReturnType<Announcer['ribOut']>['sent']>>;

const AFI_NAMES: Readonly<Record<number, string>> = { 1: 'ipv4', 2: 'ipv6' };
const SAFI_NAMES: Readonly<Record<number, string>> = { 1: 'unicast', 133: 'flowspec', 134: 'flowspec-vpn' };

/** Returns a family's configured name (`ipv4-flowspec`), or `afi/safi` if it has none. */
export function familyText({ afi, safi }: FamilyView): string {
  const [net, kind] = [AFI_NAMES[afi], SAFI_NAMES[safi]];
  return net === undefined || kind === undefined ? `${afi}/${safi}` : `${net}-${kind}`;
}

function notificationView(
  notification: Notification | undefined,
): z.output<typeof NotificationSchema> | null {
  if (notification === undefined) return null;
  const { code, subcode, text, at } = notification;
  return { code, subcode, text, at: timeText(at) };
}

function causeView(cause: PeerView['lastCause']): z.output<typeof PeerSchema>['last_cause'] {
  if (cause === undefined) return null;
  const { text, firstAt, lastAt, count, symptom } = cause;
  return { text, first_at: timeText(firstAt), last_at: timeText(lastAt), count, symptom: symptom ?? null };
}

/** Returns a session's view. `disabled`: the operator's command that keeps it down; undefined if there is none. */
export function peerView(
  peer: PeerView,
  disabled: OperatorDecision | undefined,
  now: number,
): z.output<typeof PeerSchema> {
  const { negotiated, counters, establishedAt } = peer;
  return {
    name: peer.name,
    address: peer.address,
    peer_asn: peer.peerAsn,
    state: peer.state,
    state_since: timeText(peer.stateSince),
    enabled: peer.enabled,
    disabled:
      disabled === undefined
        ? null
        : {
            by: disabled.actor.name,
            at: timeText(disabled.at),
            reason: disabled.reason,
          },
    established_at: timeOrNull(establishedAt),
    uptime_seconds:
      establishedAt === undefined ? null : Math.max(0, Math.floor((now - establishedAt) / 1000)),
    families: peer.families.map(familyText),
    negotiated:
      negotiated === undefined
        ? null
        : {
            hold_time_seconds: negotiated.holdTimeSeconds,
            families: negotiated.families.map(familyText),
            four_octet_as: negotiated.fourOctetAs,
            route_refresh: negotiated.routeRefresh,
            enhanced_route_refresh: negotiated.enhancedRouteRefresh,
            extended_messages: negotiated.extendedMessages,
            graceful_restart: negotiated.gracefulRestart,
            peer_router_id: negotiated.peerRouterId,
          },
    rules_sent: peer.rulesSent,
    rules_pending: peer.rulesPending,
    last_error: peer.lastError ?? null,
    hint: peer.hint ?? null,
    last_cause: causeView(peer.lastCause),
    last_notification_sent: notificationView(peer.lastNotificationSent),
    last_notification_received: notificationView(peer.lastNotificationReceived),
    counters: {
      messages_in: { ...counters.messagesIn },
      messages_out: { ...counters.messagesOut },
      routes_received: counters.routesReceived,
      established: counters.established,
      flaps: counters.flaps,
      since: timeText(peer.countedSince),
      last_flap_at: timeOrNull(peer.lastFlapAt),
    },
  };
}

/** Returns the view of one route that was sent to a neighbor. */
export function routeView(
  peer: string,
  { route, sentAt }: SentRouteView,
  { engine, reconciler }: Pick<HttpDependencies, 'engine' | 'reconciler'>,
): z.output<typeof RibRouteSchema> {
  const owner = reconciler.ownerOf(peer, route.key);
  const action = engine.state.mitigations.get(owner ?? '')?.action;
  const unicast = action === undefined ? null : ruleKind(action);
  const { extendedCommunities, ipv6ExtendedCommunities } = route.attributes;
  return {
    family: familyText(route.family),
    // An action may have escalated while its FlowSpec rule waits to be withdrawn.
    kind: route.family.safi === UNICAST ? unicast : 'flowspec',
    nlri_hex: toHex(route.nlri),
    rule: route.text,
    actions_hex: toHex(extendedCommunities) + toHex(ipv6ExtendedCommunities),
    mitigation_id: owner ?? null,
    sent_at: timeText(sentAt),
  };
}
