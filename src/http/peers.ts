/** Neighbors: their sessions, their commands, and what was written to them. */
import { Readable } from 'node:stream';
import type { FastifyTypeProviderDefault } from 'fastify';
import { z } from 'zod';
import { effectView, expectAnswer } from './answers.ts';
import { type App, operatorOf } from './context.ts';
import type { HttpDependencies, OperatorAction } from './dependencies.ts';
import { type PeerStatus, peerView, routeView } from './peer-views.ts';
import { HttpProblem } from './problem.ts';
import { PeerClearBody, PeerCommandBody } from './requests.ts';
import { commonProblems, effectShape, PeerSchema, RibRouteSchema } from './schemas.ts';
import { nextTurn } from './slices.ts';

const NameParams = z.object({ name: z.string() });

/** Routes turned into text at a time, so that a large table does not hold up the hold timers. */
const ROUTES_PER_SLICE = 500;

export function registerPeers(app: App, deps: HttpDependencies): void {
  const { engine, announcer, reconciler, clock } = deps;

  const find = (name: string): PeerStatus => {
    const peer = announcer.peers().find((candidate) => candidate.name === name);
    if (peer === undefined) throw new HttpProblem(404, 'There is no neighbor with this name');
    return peer;
  };

  const viewOf = (peer: PeerStatus) =>
    peerView(peer, engine.state.disabledPeers.get(peer.name) ?? null, clock());

  const view = (name: string) => viewOf(find(name));

  app.get(
    '/v1/peers',
    {
      config: { access: 'read' },
      schema: {
        tags: ['peers'],
        summary: 'Every neighbor and its session',
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
    ['enable', true, 'Let the session come up'],
    [
      'disable',
      false,
      'End the session (Cease, Administrative Shutdown) and keep it down, also across restarts',
    ],
  ] as const) {
    app.post(
      `/v1/peers/:name/${path}`,
      {
        config: { access: 'operate' },
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
        // A reload may have removed it while the fact was written down.
        find(name);
        announcer.setEnabled(name, enabled, shutdownCommunication(reason));
        return { ...view(name), ...effectView(done) };
      },
    );
  }

  app.post(
    '/v1/peers/:name/clear',
    {
      config: { access: 'operate' },
      schema: {
        tags: ['peers'],
        summary: 'Send everything again (soft, the default) or reset the session (hard)',
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

  // The answer is a stream of text, which the schema's type does not cover.
  app.withTypeProvider<FastifyTypeProviderDefault>().get<{ Querystring: { readonly neighbor?: string } }>(
    '/v1/rib',
    {
      config: { access: 'read' },
      schema: {
        tags: ['peers'],
        summary: 'By neighbor, what its session has written: the Adj-RIB-Out, octet for octet',
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

  /** JSON of all the tables, some hundred routes at a time. What changes meanwhile may or may not be in it. */
  async function* ribText(names: readonly string[]): AsyncGenerator<string> {
    let text = '{';
    for (const [index, name] of names.entries()) {
      text += `${index === 0 ? '' : ','}${JSON.stringify(name)}:[`;
      let count = 0;
      for (const sent of announcer.ribOut(name).sentRoutes()) {
        text += (count === 0 ? '' : ',') + JSON.stringify(routeView(name, sent, reconciler));
        if (++count % ROUTES_PER_SLICE !== 0) continue;
        yield text;
        text = '';
        await nextTurn();
      }
      text += ']';
    }
    yield `${text}}`;
  }
}

/** At most 255 octets of UTF-8 (RFC 9003 §2), cut between characters. */
function shutdownCommunication(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > 255) text = [...text].slice(0, -1).join('');
  return text;
}
