/** Serves the safelist: prefixes that no rule may touch. */
import { z } from 'zod';
import { mayReport } from '../../access/caller-scope.ts';
import { formatPrefix, parsePrefix, unmapped } from '../../net/prefix.ts';
import { effectView, expectAnswer } from '../answers.ts';
import { type App, operatorOf, scopeContext, scopeOf } from '../request-context.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { invalidField } from '../http-problem.ts';
import { choosePops, confirmationsShape, doneHere, PopsQuery } from '../other-pops.ts';
import { countWords } from '../../net/text.ts';
import { SafelistBody } from '../request-schemas.ts';
import { safelistEntryView } from '../../view/fact.ts';
import { SafelistEntrySchema } from '../../view/schemas.ts';
import { commonProblems, effectShape } from '../answer-schemas.ts';

/** What other POPs did, without this one. */
const ElsewhereOnly = z.object({ prefix: z.string(), ...confirmationsShape });

function requirePrefix(text: string): string {
  const prefix = parsePrefix(text);
  if (!prefix.ok) throw invalidField('prefix', prefix.error);
  return formatPrefix(unmapped(prefix.value));
}

export function registerSafelist(app: App, deps: HttpDependencies): void {
  const { engine } = deps;
  app.get(
    '/v1/safelist',
    {
      config: { access: 'read', scoped: 'filtered' },
      schema: {
        tags: ['safelist'],
        summary: 'List the safelist: configured prefixes, then those added over the API',
        response: { 200: z.array(SafelistEntrySchema), ...commonProblems },
      },
    },
    (request) => {
      const scope = scopeOf(request);
      const configured = engine.policy.safelist.map((prefix) => ({
        prefix: formatPrefix(prefix),
        reason: 'from the configuration file',
        added_at: null,
        added_by: 'prefixd',
        configured: true,
      }));
      const all = [...configured, ...[...engine.state.safelist.values()].map(safelistEntryView)];
      const context = scopeContext(engine);
      return scope === undefined ? all : all.filter(({ prefix }) => mayReport(scope, prefix, context));
    },
  );

  app.post(
    '/v1/safelist',
    {
      config: { access: 'operate', scoped: 'unlimited' },
      schema: {
        tags: ['safelist'],
        summary:
          'Add a prefix and withdraw the mitigations that it covers. 409 `needs_confirmation` if these are many, or the prefix covers more than a /8 (IPv6: /16)',
        description: 'Takes effect even if the journal cannot be written: see `recorded`.',
        body: SafelistBody,
        response: {
          201: SafelistEntrySchema.extend({
            withdrawn: z.array(z.uuid()).describe('Mitigations that this withdrew'),
            ...effectShape,
            ...confirmationsShape,
          }),
          200: ElsewhereOnly,
          ...commonProblems,
        },
      },
    },
    async (request, reply) => {
      const { reason, operator_id, pops, confirm } = request.body;
      const prefix = requirePrefix(request.body.prefix);
      const chosen = choosePops(deps, pops);
      const actor = operatorOf(request, operator_id);
      const isConfirmed = confirm === true;
      const asked = {
        type: 'safelist-add',
        prefix,
        operator: actor.name,
        reason,
        confirmed: isConfirmed,
      } as const;
      if (!chosen.isHere) return { prefix, ...(await chosen.ask(asked, undefined)) };
      const answer = await engine.submit({
        type: 'safelist-add',
        prefix,
        actor,
        reason,
        ask: !isConfirmed,
        ...(chosen.id === undefined ? {} : { tag: chosen.id }),
      });
      const added = expectAnswer(answer, 'safelist');
      const { entry, withdrawn } = added;
      reply.code(201).header('location', `/v1/safelist/${encodeURIComponent(entry.prefix)}`);
      const count = withdrawn.length;
      const detail = count === 0 ? '' : `${countWords(count, 'mitigation')} withdrawn`;
      return {
        ...safelistEntryView(entry),
        withdrawn: [...withdrawn],
        ...effectView(added),
        ...(await chosen.ask(asked, doneHere(engine, detail))),
      };
    },
  );

  app.delete(
    '/v1/safelist/:prefix',
    {
      config: { access: 'operate', scoped: 'unlimited' },
      schema: {
        tags: ['safelist'],
        summary: 'Remove a prefix that was added over the API',
        description: 'With `pops`, the answer is 200 and says what each of them did.',
        params: z.object({ prefix: z.string().max(128).describe('URL-encoded: 203.0.113.0%2F24') }),
        querystring: PopsQuery,
        response: { 204: z.undefined(), 200: ElsewhereOnly, ...commonProblems },
      },
    },
    async (request, reply) => {
      const prefix = requirePrefix(request.params.prefix);
      const chosen = choosePops(deps, request.query.pops);
      const actor = operatorOf(request);
      // The entries of others with the same prefix that this POP does not know stay.
      const tags = engine.state.safelist.get(prefix)?.tags ?? [];
      if (chosen.isHere) {
        const answer = await engine.submit({ type: 'safelist-remove', prefix, actor });
        if (answer.type !== 'safelist') expectAnswer(answer, 'done');
      }
      if (!chosen.isNamed) return reply.code(204).send();
      const asked = { type: 'safelist-remove', prefix, operator: actor.name, tags } as const;
      return { prefix, ...(await chosen.ask(asked, chosen.isHere ? doneHere(engine) : undefined)) };
    },
  );
}
