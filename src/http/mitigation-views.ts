/** Shows mitigations with their rules on the neighbors. */
import type { z } from 'zod';
import { countNeighbors } from '../control/rule-view.ts';
import type { ReconcilerView } from '../control/types.ts';
import { isForHere } from '../core/intent.ts';
import { holdsOf } from '../core/state/holds.ts';
import { lifeFromItself } from '../core/state/life.ts';
import type { StateView } from '../core/state/state.ts';
import type { Mitigation } from '../core/types.ts';
import { historyView, omittedView } from '../view/history.ts';
import { decidedMitigationView, holdView } from '../view/mitigation.ts';
import { protectionView } from '../view/protection-view.ts';
import type { MitigationStatusSchema } from '../view/schemas.ts';
import type { MitigationDetailSchema, MitigationSchema } from './answer-schemas.ts';
import type { ProtectionsView } from './dependencies.ts';

/**
 * Returns the status that operators see: `pending` while an active mitigation's rule was not yet sent to any router.
 * Facts do not record `pending`, because it depends on sessions and not on decisions.
 */
export function shownStatus(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
): z.output<typeof MitigationStatusSchema> {
  const standing = mitigation.status === 'active' || mitigation.status === 'escalated';
  if (!standing || mitigation.ending !== null || mitigation.dryRun) return mitigation.status;
  // It waits for no router of this POP.
  if (!isForHere(mitigation)) return mitigation.status;
  const sent = reconciler.rulesOf(mitigation.id).some((rule) => rule.state === 'sent');
  return sent ? mitigation.status : 'pending';
}

/** Returns a mitigation with its rules on each neighbor and its protection at a cloud scrubber. */
export function mitigationView(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
  protections?: ProtectionsView,
): z.output<typeof MitigationSchema> {
  const protection = protections?.statusOf(mitigation);
  const rules = reconciler.rulesOf(mitigation.id);
  const { sent, pending, unsupported, overBudget } = countNeighbors(rules);
  return {
    ...decidedMitigationView(mitigation, shownStatus(mitigation, reconciler)),
    holds: holdsOf(mitigation).map(holdView),
    protection: protection === undefined ? null : protectionView(protection),
    rule: reconciler.ruleText(mitigation.id),
    enforcement: { sent, pending, unsupported, over_budget: overBudget },
    rules: rules.map(({ neighbor, kind, rule, nlriHex, state, why }) => ({
      neighbor,
      kind,
      rule,
      nlri_hex: nlriHex,
      state,
      ...(why === undefined ? {} : { why }),
    })),
  };
}

/** Returns a mitigation with its rules and its history. */
export function mitigationDetailView(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
  state: Pick<StateView, 'lifeOf' | 'events'>,
  protections?: ProtectionsView,
): z.output<typeof MitigationDetailSchema> {
  const life = state.lifeOf(mitigation.id) ?? lifeFromItself(mitigation);
  return {
    ...mitigationView(mitigation, reconciler, protections),
    history: historyView(life, state.events),
    history_omitted: omittedView(life),
  };
}
