/** Decides which POPs' routers get the rule of a mitigation. */
import { normalPops } from '../intent.ts';
import type { Playbook, Step, StepScope } from '../policy/playbook.ts';
import type { Policy } from '../policy/policy.ts';
import type { StateView } from '../state/state-view.ts';
import { type Detection, EVERY_POP, type Mitigation } from '../types.ts';
import { victimPrefix } from '../victim.ts';

/** The inputs of a scope besides the step. */
interface ScopeTarget {
  readonly policy: Pick<Policy, 'pop' | 'inventory'>;
  readonly victim: string;
  /** The POPs that the report names; absent: none. */
  readonly reported?: readonly string[] | undefined;
}

/**
 * Returns the POPs of a scope as in Mitigation; null for this POP alone. A victim for which the inventory names no POPs
 * may be reached through any of them, so its rule is for all; a report that names none comes from where it is seen.
 */
export function popsInScope(
  scope: StepScope | undefined,
  { policy, victim, reported }: ScopeTarget,
): readonly string[] | null {
  const { pop, inventory } = policy;
  switch (scope) {
    case undefined:
    case 'here':
      return null;
    case 'everywhere':
      return [EVERY_POP];
    case 'victim':
      return normalPops(inventory.popsOf(victimPrefix(victim)) ?? [EVERY_POP], pop);
    case 'reported':
      return normalPops(reported ?? [], pop);
    default:
      return normalPops(scope, pop);
  }
}

/** Explains a scope beyond this POP; empty for this POP alone. */
export function scopeWords(pops: readonly string[] | null, scope: StepScope | undefined): readonly string[] {
  if (pops === null) return [];
  const where = pops.includes(EVERY_POP) ? 'every POP' : pops.join(', ');
  const named = typeof scope === 'string' ? ` (scope: ${scope})` : '';
  return [`the rule is for the routers of ${where}${named}`];
}

/** A report about a mitigation that goes on; undefined when no new one arrived. */
interface ScopeEvidence {
  readonly state: Pick<StateView, 'events'>;
  readonly context: { readonly policy: Pick<Policy, 'pop' | 'inventory' | 'playbooks'> };
  readonly event: { readonly detection: Pick<Detection, 'pops'> } | undefined;
}

/** Returns the POPs of a mitigation at another step, if they change. */
export function scopeAtStep(
  mitigation: Mitigation,
  { scope }: Pick<Step, 'scope'>,
  { state, context, event }: ScopeEvidence,
): { readonly pops?: readonly string[] | null } {
  const { victim, lastEventId } = mitigation;
  const detection = event?.detection ?? state.events.get(lastEventId ?? '')?.detection;
  const before = mitigation.pops ?? null;
  // The report is no longer remembered, so the POPs that it named stay.
  if (scope === 'reported' && detection === undefined) return {};
  const pops = popsInScope(scope, { policy: context.policy, victim, reported: detection?.pops });
  return sameNames(pops, before) ? {} : { pops };
}

/** Adds the POPs that another report names to those of a mitigation whose step has scope `reported`. */
export function widerScope(
  mitigation: Mitigation,
  { context, event }: Omit<ScopeEvidence, 'state'>,
): { readonly pops?: readonly string[] | null } {
  const playbook: Playbook | undefined = context.policy.playbooks.byName.get(mitigation.playbook ?? '');
  const named = event?.detection.pops;
  if (named === undefined || playbook?.steps[mitigation.step]?.scope !== 'reported') return {};
  const before = mitigation.pops ?? null;
  const pops = normalPops([...(before ?? [mitigation.pop]), ...named], context.policy.pop);
  return sameNames(pops, before) ? {} : { pops };
}

function sameNames(a: readonly string[] | null, b: readonly string[] | null): boolean {
  return a?.join() === b?.join();
}
