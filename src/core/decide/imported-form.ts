/** Checks the rule of another POP's mitigation by this POP's own inventory, guardrails, quotas and neighbors. */
import { formatPrefix, parsePrefix } from '../../net/prefix.ts';
import { type MitigationAction, ruleKind } from '../action.ts';
import type { StandingIntent } from '../intent.ts';
import {
  checkAction,
  checkOwner,
  checkPorts,
  checkTarget,
  fullQuota,
  type Refusal,
} from '../policy/guardrails.ts';
import type { Policy } from '../policy/policy.ts';
import type { DecisionView } from '../state/state-view.ts';
import { ownerOf } from '../victim.ts';
import { isEnforceable, predict, unenforceableWords } from './forecast.ts';
import { destinationOf, hitsAllowedPort, type Rule } from './rule.ts';
import { draftUnicast } from './unicast-rule.ts';

/** A rule with its action, as this POP would announce it. */
export type ImportedForm = Rule & { readonly action: MitigationAction };

/**
 * Returns the rule of an intent. A unicast route is drafted anew, because its length is this POP's own. A rule for
 * another destination than the victim is refused, because the victim's owner says nothing about it.
 */
export function importedForm(intent: StandingIntent, policy: Policy): ImportedForm | Refusal {
  const { victim, match, ports, excludedPorts, action } = intent;
  const destination = destinationOf(victim);
  const parsed = parsePrefix(destination);
  if (!parsed.ok || formatPrefix(parsed.value) !== destination) {
    return { reason: 'rule_too_broad', detail: `its victim ${victim} is not a canonical address or prefix` };
  }
  if (ruleKind(action) !== 'flowspec') {
    const { rule, why } = draftUnicast(victim, action, policy);
    return rule === undefined ? { reason: 'prefix_length', detail: why.join('; ') } : { ...rule, action };
  }
  if (match.dstPrefix !== destination) {
    const detail = `its rule is for ${match.dstPrefix}, and not for its victim ${victim}`;
    return { reason: 'rule_too_broad', detail };
  }
  return { match, ports, excludedPorts, action };
}

/** Checks a rule as if it were this POP's own; undefined when it may be announced. */
export function checkImportedForm(
  state: DecisionView,
  policy: Policy,
  victim: string,
  form: ImportedForm,
): Refusal | undefined {
  const { match, action } = form;
  const owner = ownerOf(policy.inventory, victim);
  return (
    checkTarget(state, policy, match, action) ??
    checkOwner(policy, victim, owner !== undefined) ??
    checkPorts(policy.guardrails, form) ??
    checkAllowedPorts(form, owner) ??
    checkAction(state, policy, action, match.dstPrefix) ??
    checkNeighbors(policy, form)
  );
}

function checkAllowedPorts(
  { match, action }: ImportedForm,
  owner: ReturnType<typeof ownerOf>,
): Refusal | undefined {
  if (action.type !== 'discard' || owner === undefined) return undefined;
  if (!hitsAllowedPort(match, owner.allowedPorts)) return undefined;
  return { reason: 'protected', detail: 'it discards a port that is allowed for the service here' };
}

function checkNeighbors(policy: Policy, { match, action }: ImportedForm): Refusal | undefined {
  const prediction = predict(policy, match, action);
  if (isEnforceable(prediction)) return undefined;
  const detail = `no neighbor can enforce this rule: ${unenforceableWords(prediction)}`;
  return { reason: 'not_enforceable', detail };
}

/**
 * Checks the quotas for one more mitigation of another POP. Those of this POP count local and other POPs' mitigations
 * together. The rate of new ones is not limited: after an outage all of them arrive at once.
 */
export function checkImportQuotas(
  state: DecisionView,
  { quotas, pop, mode, exchange }: Policy,
  customerId: string | null,
  owner: string,
): Refusal | undefined {
  const dryRun = mode === 'dry-run';
  const imported = state.activeImported(dryRun).get(owner) ?? 0;
  const most = exchange?.maxImportedPerPop ?? 0;
  const ofCustomer = customerId === null ? 0 : state.activeOfCustomer(customerId, dryRun);
  return (
    fullQuota('quota_imported', imported, most, `active here of ${owner}`) ??
    (customerId === null
      ? undefined
      : fullQuota(
          'quota_customer',
          ofCustomer,
          quotas.maxActivePerCustomer,
          `active for customer ${customerId}`,
        )) ??
    fullQuota('quota_pop', state.activeOfPop(pop, dryRun), quotas.maxActivePerPop, `active at ${pop}`) ??
    fullQuota('quota_global', state.activeTotal(dryRun), quotas.maxActiveGlobal, 'active here')
  );
}
