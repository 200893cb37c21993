/** Serves another system's inventory: its state, what waits, reads on demand, and the system's webhook. */
import { createHmac } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  SourceDiffSchema,
  sourceDiffView,
  SourceStatusSchema,
  sourceStatusView,
} from '../../view/inventory-source-view.ts';
import { commonProblems } from '../answer-schemas.ts';
import { unconfirmed } from '../answers.ts';
import type { HttpDependencies, SourceControl, SourceResult } from '../dependencies.ts';
import { isSameSecret } from '../auth.ts';
import { HttpProblem } from '../http-problem.ts';
import { type App, operatorOf } from '../request-context.ts';
import { InventoryAcceptBody, InventorySyncBody } from '../request-schemas.ts';

/** Time that a call waits for a read (ms); proxies cut longer ones. The read goes on. */
const WAIT_MS = 50_000;

const SyncAnswer = z.object({
  result: z
    .enum(['adopted', 'unchanged', 'waiting', 'reading'])
    .describe('`waiting`: for POST /v1/inventory/accept; `reading`: it takes longer, see GET /v1/inventory'),
  reason: z.string().nullable().describe('Why it waits'),
});

export async function registerInventory(app: App, { source }: HttpDependencies): Promise<void> {
  app.get(
    '/v1/inventory',
    {
      config: { access: 'read', scoped: 'unlimited' },
      schema: {
        tags: ['configuration'],
        summary: "Get the state of another system's inventory",
        response: { 200: SourceStatusSchema, ...commonProblems },
      },
    },
    () => sourceStatusView(source?.status()),
  );

  app.get(
    '/v1/inventory/diff',
    {
      config: { access: 'read', scoped: 'unlimited' },
      schema: {
        tags: ['configuration'],
        summary: 'Describe how the inventory that waits differs from the one in use',
        response: { 200: SourceDiffSchema, ...commonProblems },
      },
    },
    () => sourceDiffView(source?.status()),
  );

  app.post(
    '/v1/inventory/sync',
    {
      config: { access: 'operate', scoped: 'unlimited' },
      schema: {
        tags: ['configuration'],
        summary: 'Read the inventory now, and adopt it unless the shrink guard holds it back',
        body: InventorySyncBody,
        response: { 200: SyncAnswer, ...commonProblems },
      },
    },
    async (request) => {
      const reading = controlOf(source).sync(operatorOf(request, request.body?.operator_id));
      const result = await Promise.race([reading, later()]);
      return result === undefined ? { result: 'reading' as const, reason: null } : answerOf(result);
    },
  );

  app.post(
    '/v1/inventory/accept',
    {
      config: { access: 'operate', scoped: 'unlimited' },
      schema: {
        tags: ['configuration'],
        summary:
          'Adopt the inventory that waits. 409 if none waits, or another one than `digest`; 409 `needs_confirmation` if it would withdraw many mitigations',
        body: InventoryAcceptBody,
        response: { 200: SyncAnswer, ...commonProblems },
      },
    },
    async (request) => {
      const { operator_id: operator, digest, confirm } = request.body ?? {};
      const actor = operatorOf(request, operator);
      return answerOf(await controlOf(source).accept(actor, digest, confirm === true));
    },
  );

  await registerHook(app, source);
}

/** Registers the webhook with its own body parser: the signature is about the bytes, not about what they mean. */
async function registerHook(parent: App, source: SourceControl | undefined): Promise<void> {
  await parent.register(async (instance) => {
    const app: App = instance.withTypeProvider<ZodTypeProvider>();
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      '*',
      { parseAs: 'buffer' },
      async (_request: FastifyRequest, body: Buffer): Promise<Buffer> => body,
    );
    app.post(
      '/v1/inventory/hook',
      {
        config: { access: 'public', scoped: 'same' },
        validatorCompiler: () => (value: unknown) => ({ value }),
        schema: {
          tags: ['configuration'],
          summary: "Receive NetBox's webhook: the next read comes soon",
          description:
            'Needs no token: the body is signed with `inventory.webhook_secret_env`, as HMAC-SHA512 in hexadecimal in the header `X-Hook-Signature`. What the body says is not used.',
          body: z.unknown().describe('Any content'),
          response: { 202: z.object({ accepted: z.literal(true) }), ...commonProblems },
        },
      },
      async (request, reply) => {
        const secret = source?.webhookSecret;
        const body: unknown = request.body;
        const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
        const signature = request.headers['x-hook-signature'];
        if (source === undefined || secret === undefined || !isSigned(bytes, signature, secret)) {
          const text =
            'The signature in X-Hook-Signature is missing or wrong, or inventory.webhook_secret_env is not set';
          throw new HttpProblem(401, text);
        }
        source.soon();
        return reply.code(202).send({ accepted: true });
      },
    );
  });
}

/** Compares in constant time. */
function isSigned(body: Uint8Array, signature: unknown, secret: string): boolean {
  if (typeof signature !== 'string' || !/^[0-9a-f]{128}$/i.test(signature)) return false;
  const wanted = createHmac('sha512', secret).update(body).digest();
  return isSameSecret(wanted, Buffer.from(signature, 'hex'));
}

function controlOf(source: SourceControl | undefined): SourceControl {
  if (source?.status() !== undefined) return source;
  const text = 'prefixd.yaml has no section inventory: all customers are in inventory.yaml';
  throw new HttpProblem(409, text, { reason: 'no_source' });
}

function answerOf(result: SourceResult): z.output<typeof SyncAnswer> {
  switch (result.type) {
    case 'adopted':
    case 'unchanged':
      return { result: result.type, reason: null };
    case 'waiting':
      return { result: 'waiting', reason: result.reason };
    case 'needs-confirmation':
      throw unconfirmed(result.effect, result.ends, result.active);
    case 'nothing':
      throw new HttpProblem(409, 'Nothing was changed: no such inventory waits; see GET /v1/inventory/diff', {
        reason: 'nothing_waits',
      });
    case 'failed':
      throw new HttpProblem(503, `Nothing was changed: ${result.text}`, { reason: 'inventory_failed' });
  }
}

function later(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), WAIT_MS).unref());
}
