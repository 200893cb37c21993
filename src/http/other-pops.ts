/** Lets an operator's request name the POPs that it is for: this one, others, or all. */
import { z } from 'zod';
import type { CallerScope } from '../access/caller-scope.ts';
import type { EngineView } from '../control/types.ts';
import { EVERY_POP, type Mitigation } from '../core/types.ts';
import type { Confirmation, ExchangeView, PopRequest, PopTargets } from '../exchange/types.ts';
import type { IntentVersion } from '../core/types.ts';
import type { HttpDependencies } from './dependencies.ts';
import { HttpProblem, invalidField } from './http-problem.ts';

/** Stands for all POPs in a request, as EVERY_POP does. */
export const ALL_POPS = 'all';

const popName = z
  .string()
  .regex(/^(?:\*|[A-Za-z0-9._-]{1,64})$/, 'must be the name of a POP, or `*` for all');

/** POPs in a body. */
export const PopsField = z
  .array(popName)
  .min(1)
  .max(256)
  .optional()
  .describe(
    'POPs that this is for, by name; `["*"]`: all. Others than this one need `exchange`. Default: this POP',
  );

/** POPs in a query, separated by commas. */
export const PopsQuery = z.strictObject({
  pops: z
    .string()
    .max(4096)
    .transform((text) => text.split(','))
    .pipe(z.array(popName))
    .optional()
    .describe('POPs that this is for, separated by commas; `*`: all. Default: this POP'),
});

const ConfirmationSchema = z.object({
  pop: z.string(),
  state: z
    .enum(['done', 'refused', 'unconfirmed'])
    .describe('`unconfirmed`: it has not answered within a second; `detail` says until when it will do this'),
  detail: z.string(),
});

/** The member of an answer that says which POPs have done it. */
export const confirmationsShape = {
  confirmations: z
    .array(ConfirmationSchema)
    .optional()
    .describe('What each POP did; only if the request named POPs'),
};

/** The POPs of a request. */
export interface ChosenPops {
  /** True if this POP is one of them. */
  readonly isHere: boolean;
  /** True if the request named any. */
  readonly isNamed: boolean;
  /** Does a request at the others, and adds what this POP did; nothing if the request named no POPs. */
  ask(request: PopRequest, here: Confirmation | undefined): Promise<{ confirmations?: Confirmation[] }>;
  /** The identity of the request, which tags a safelist entry; undefined if it is for this POP alone. */
  readonly id: IntentVersion | undefined;
}

/** Reads the POPs of a request. Throws HttpProblem if others are named without an exchange, or an unknown one. */
export function choosePops(
  { engine, exchange }: Pick<HttpDependencies, 'engine' | 'exchange'>,
  names: readonly string[] | undefined,
): ChosenPops {
  const own = engine.policy.pop;
  const others = targetsOf(names, own);
  if (others !== undefined) requireKnown(exchange, others);
  const id = others === undefined ? undefined : exchange?.nextRequest();
  return {
    isHere: names === undefined || namesAll(names) || names.includes(own),
    isNamed: names !== undefined,
    id,
    ask: async (request, here) => {
      if (names === undefined) return {};
      const ofHere = here === undefined ? [] : [here];
      if (others === undefined || id === undefined) return { confirmations: ofHere };
      return { confirmations: [...ofHere, ...((await exchange?.ask(id, request, others)) ?? [])] };
    },
  };
}

/** Returns what this POP did, for the list of all. */
export function doneHere({ policy }: Pick<EngineView, 'policy'>, detail = ''): Confirmation {
  return { pop: policy.pop, state: 'done', detail };
}

/** Returns the POPs for a mitigation, in the core's form. Throws HttpProblem as `choosePops` does. */
export function mitigationPops(
  { engine, exchange }: Pick<HttpDependencies, 'engine' | 'exchange'>,
  names: readonly string[] | undefined,
): readonly string[] | undefined {
  const others = targetsOf(names, engine.policy.pop);
  if (names === undefined || (others === undefined && names.includes(engine.policy.pop))) return undefined;
  if (others !== undefined) requireKnown(exchange, others);
  return namesAll(names) ? [EVERY_POP] : [...new Set(names)];
}

/**
 * Says that other POPs do not learn of a mitigation for `pops` now, and why; nothing if they do: its statement is on its way,
 * and each of them decides by itself.
 */
export function unpublished(
  { engine, exchange }: Pick<HttpDependencies, 'engine' | 'exchange'>,
  pops: readonly string[] | undefined,
  { dryRun }: Pick<Mitigation, 'dryRun'>,
): { confirmations?: Confirmation[] } {
  const own = engine.policy.pop;
  const targets = targetsOf(pops, own);
  const problem = exchange?.condition.problem;
  if (pops === undefined || targets === undefined || (problem === undefined && !dryRun)) return {};
  const known = exchange?.pops().flatMap(({ name, isSelf }) => (isSelf ? [] : [name])) ?? [];
  const detail = dryRun
    ? 'not published: this daemon is in a dry run'
    : `${problem}; it is published when the exchange works again, if it is active then`;
  const others = (targets === 'all' ? known : targets).map(
    (pop): Confirmation => ({ pop, state: 'unconfirmed', detail }),
  );
  const isHere = namesAll(pops) || pops.includes(own);
  return { confirmations: [...(isHere ? [doneHere(engine)] : []), ...others] };
}

/** Returns the POPs that a request names, in the core's form; this one if it names none. */
export function namedPops(names: readonly string[] | undefined, own: string): readonly string[] {
  if (names === undefined) return [own];
  return namesAll(names) ? [EVERY_POP] : names;
}

/**
 * Refuses a limited caller's request that names other POPs than this one: they carry it out without its limits. Throws
 * HttpProblem 403.
 */
export function refuseOtherPops(
  scope: CallerScope | undefined,
  names: readonly string[] | undefined,
  own: string,
): void {
  if (scope === undefined || namedPops(names, own).every((name) => name === own)) return;
  const detail = `Your scope is limited, and so is this to ${own}: name no other POP`;
  throw new HttpProblem(403, detail, { reason: 'out_of_scope' });
}

function namesAll(names: readonly string[]): boolean {
  return names.includes(ALL_POPS) || names.includes(EVERY_POP);
}

/** Returns the other POPs that a request names; undefined for none. */
function targetsOf(names: readonly string[] | undefined, own: string): PopTargets | undefined {
  if (names === undefined) return undefined;
  if (namesAll(names)) return 'all';
  const others = [...new Set(names)].filter((name) => name !== own);
  return others.length === 0 ? undefined : others;
}

function requireKnown(exchange: ExchangeView | undefined, targets: PopTargets): void {
  if (exchange === undefined) {
    throw new HttpProblem(
      409,
      'This daemon does not exchange anything with other POPs: set exchange.url_env',
      {
        reason: 'no_exchange',
      },
    );
  }
  if (targets === 'all') return;
  const known = exchange.pops().map(({ name }) => name);
  const unknown = targets.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw invalidField('pops', `there is no POP ${unknown}; known POPs: ${known.join(', ')}`);
}
