/** A mitigation with what the routers' side knows of it. */
import type { z } from 'zod';
import { countNeighbors } from '../control/enforcement.ts';
import type { ReconcilerView } from '../control/types.ts';
import { holdsOf } from '../core/holds.ts';
import { lifeFromItself } from '../core/life.ts';
import type { StateView } from '../core/state.ts';
import type { Mitigation } from '../core/types.ts';
import { historyView, omittedView } from '../view/history.ts';
import { decidedMitigationView, holdView } from '../view/mitigation.ts';
import type { MitigationStatusSchema } from '../view/schemas.ts';
import type { MitigationDetailSchema, MitigationSchema } from './schemas.ts';

/**
 * The status that operators see: `pending` while a mitigation that should stand in routers was not yet sent to any of
 * them. Facts do not record it, because it is about sessions and not about decisions.
 */
export function shownStatus(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
): z.output<typeof MitigationStatusSchema> {
  const standing = mitigation.status === 'active' || mitigation.status === 'escalated';
  if (!standing || mitigation.ending !== null || mitigation.dryRun) return mitigation.status;
  const sent = reconciler.rulesOf(mitigation.id).some((rule) => rule.state === 'sent');
  return sent ? mitigation.status : 'pending';
}

/** A mitigation with its rules on each neighbor. */
export function mitigationView(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
): z.output<typeof MitigationSchema> {
  const rules = reconciler.rulesOf(mitigation.id);
  const { sent, pending, unsupported, overBudget } = countNeighbors(rules);
  return {
    ...decidedMitigationView(mitigation, shownStatus(mitigation, reconciler)),
    holds: holdsOf(mitigation).map(holdView),
    rule: reconciler.ruleText(mitigation.id),
    enforcement: { sent, pending, unsupported, over_budget: overBudget },
    rules: rules.map(({ neighbor, rule, nlriHex, state, why }) => ({
      neighbor,
      rule,
      nlri_hex: nlriHex,
      state,
      ...(why === undefined ? {} : { why }),
    })),
  };
}

/** A mitigation with its rules and its life. */
export function mitigationDetailView(
  mitigation: Mitigation,
  reconciler: ReconcilerView,
  state: Pick<StateView, 'lifeOf' | 'events'>,
): z.output<typeof MitigationDetailSchema> {
  const life = state.lifeOf(mitigation.id) ?? lifeFromItself(mitigation);
  return {
    ...mitigationView(mitigation, reconciler),
    history: historyView(life, state.events),
    history_omitted: omittedView(life),
  };
}
