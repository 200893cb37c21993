/** Answers to callers with a scope: what they may know of a mitigation, and the problems of what they may not do. */
import type { z } from 'zod';
import {
  type CallerScope,
  creationRefusal,
  hasWholePop,
  mayReport,
  ownsVictim,
  reportRefusal,
  type ScopeContext,
  seesMitigation,
} from '../access/caller-scope.ts';
import { discreet } from '../access/scoped-facts.ts';
import type { EngineView } from '../control/types.ts';
import type { ActionType } from '../core/action.ts';
import type { StateView } from '../core/state/state.ts';
import type { Detection } from '../core/types.ts';
import { ownerWords } from '../core/victim.ts';
import type { HealthDetailSchema, MitigationDetailSchema, MitigationSchema } from './answer-schemas.ts';
import { HttpProblem } from './http-problem.ts';
import { scopeContext } from './request-context.ts';

type MitigationAnswer = z.output<typeof MitigationSchema>;
type HealthAnswer = z.output<typeof HealthDetailSchema>;
type DetailAnswer = z.output<typeof MitigationDetailSchema>;

/** Makes the 403 for something that the caller may see but not do. */
export function outOfScope(detail: string): HttpProblem {
  return new HttpProblem(403, detail, { reason: 'out_of_scope' });
}

/** Makes the 422 for a victim that is not the caller's; the same whether it belongs to somebody or to nobody. */
export function foreignVictim(victim: string): HttpProblem {
  const detail = ownerWords(victim, undefined);
  return new HttpProblem(422, detail, { reason: 'not_in_inventory', extensions: { why: [detail] } });
}

/**
 * Refuses a report about a victim that is not the caller's, before the core knows of it: nothing is recorded, and the
 * answer and its time depend on nothing of others. Throws HttpProblem 403 or 422.
 */
export function refuseForeignReport(
  scope: CallerScope | undefined,
  { victim, pops }: Pick<Detection, 'victim' | 'pops'>,
  context: ScopeContext,
): void {
  if (scope === undefined) return;
  const refusal = reportRefusal(scope, pops);
  if (refusal !== undefined) throw outOfScope(refusal);
  if (mayReport(scope, victim, context)) return;
  if (scope.pops !== undefined && !scope.pops.includes(context.pop)) {
    throw outOfScope(`This is ${context.pop}, and your scope is limited to ${scope.pops.join(', ')}`);
  }
  throw foreignVictim(victim);
}

/** Refuses an operator's mitigation that is not in the caller's scope. Throws HttpProblem 403 or 422. */
export function refuseForeignMitigation(
  scope: CallerScope | undefined,
  wanted: { readonly victim: string; readonly action: ActionType; readonly pops: readonly string[] },
  context: ScopeContext,
): void {
  if (scope === undefined) return;
  if (!ownsVictim(scope, context.inventory, wanted.victim)) throw foreignVictim(wanted.victim);
  const refusal = creationRefusal(scope, wanted.action, wanted.pops);
  if (refusal !== undefined) throw outOfScope(refusal);
}

/**
 * Returns a mitigation as the caller may see it. If it has moved, its first reasons name the customer that had it
 * before, so a limited caller does not get them.
 */
export function shownMitigation<View extends MitigationAnswer>(
  scope: CallerScope | undefined,
  view: View,
  engine: Pick<EngineView, 'policy' | 'state'>,
): View {
  if (scope === undefined) return view;
  const shown = discreet(view, scope, scopeContext(engine));
  return hasMoved(engine.state, view.mitigation_id) ? { ...shown, why: [] } : shown;
}

/** Does the same for a mitigation with its history, which begins with the last move then. */
export function shownDetail(
  scope: CallerScope | undefined,
  view: DetailAnswer,
  engine: Pick<EngineView, 'policy' | 'state'>,
): DetailAnswer {
  if (scope === undefined) return view;
  const shown = shownMitigation(scope, view, engine);
  const moved = shown.history.findLastIndex(({ what }) => what === 'moved');
  return moved < 0 ? shown : { ...shown, history: shown.history.slice(moved) };
}

function hasMoved(state: Pick<StateView, 'lifeOf'>, id: string): boolean {
  return state.lifeOf(id)?.turns.some(({ kind }) => kind === 'moved') === true;
}

/** Reasons of the health status that concern every customer, without names and counts of others. */
const OF_EVERYBODY: readonly string[] = ['starting', 'mock', 'dry_run', 'paused'];

/** Returns the health as the caller may see it. `live`: ids of all live mitigations. */
export function shownHealth(
  scope: CallerScope | undefined,
  view: HealthAnswer,
  { pop, mitigations }: Pick<ScopeContext, 'pop' | 'mitigations'>,
  live: ReadonlySet<string>,
): HealthAnswer {
  if (scope === undefined || hasWholePop(scope, pop)) return view;
  const reasons = view.reasons.flatMap((reason) =>
    OF_EVERYBODY.includes(reason.code)
      ? [{ ...reason, text: reason.code === 'paused' ? 'paused; nothing new is announced' : reason.text }]
      : [],
  );
  let own = 0;
  for (const id of live) {
    const mitigation = mitigations.get(id);
    if (mitigation !== undefined && seesMitigation(scope, mitigation)) own++;
  }
  return {
    ...view,
    reasons,
    problems: reasons.map(({ text }) => text),
    paused: view.paused === null ? null : { at: view.paused.at, by: '', reason: '' },
    journal: null,
    peers: null,
    mitigations: { live: own },
    reconciler: null,
    feed_readers: null,
  };
}

/** Returns the inventory's data with the caller's customers only. */
export function shownInventory(scope: CallerScope | undefined, data: unknown): unknown {
  const wanted = scope?.customers;
  if (wanted === undefined || typeof data !== 'object' || data === null) return data;
  const listed: unknown = Reflect.get(data, 'customers');
  const customers = (Array.isArray(listed) ? listed : []).filter((customer: unknown) => {
    const id: unknown = Object(customer).customer_id;
    return typeof id === 'string' && wanted.includes(id);
  });
  return { customers };
}
