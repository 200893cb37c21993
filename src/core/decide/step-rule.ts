/** Drafts the rule that an active mitigation would have at another step of its playbook. */
import { failed, ok, type Result } from '../../net/result.ts';
import { type MitigationAction, ruleKind } from '../action.ts';
import type { DecideContext } from '../commands.ts';
import type { MitigationChange } from '../facts.ts';
import { checkProtectedPorts, checkTarget } from '../policy/guardrails.ts';
import type { Playbook, Step } from '../policy/playbook.ts';
import type { Policy } from '../policy/policy.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Away, Detection, Mitigation } from '../types.ts';
import { NO_ALLOWED_PORTS, ownerOf } from '../victim.ts';
import { planWithin } from './enforceable-rule.ts';
import { type Rule, traitsBehind } from './rule.ts';
import { awayFor, earliestReturn, filterUnder, flowSpecOf } from './unicast-rule.ts';

/** What a step's rule is drafted from, besides the mitigation. */
export interface StepGrounds {
  readonly state: DecisionView;
  readonly policy: Policy;
  /** The newest report; undefined when none has arrived. */
  readonly detection: Pick<Detection, 'protocol' | 'ports'> | undefined;
}

/** A step's rule for an active mitigation. `ways` lists its differences from the step as written. */
export type StepRule = Rule & { readonly action: MitigationAction; readonly ways: readonly string[] };

export function playbookOf({ playbook }: Pick<Mitigation, 'playbook'>, policy: Policy): Playbook | undefined {
  return playbook === null ? undefined : policy.playbooks.byName.get(playbook);
}

/** Drafts the mitigation's rule again for another step, so that it leaves alone the ports that are allowed now. */
export function ruleOfStep(
  mitigation: Mitigation,
  playbook: Playbook,
  step: Step,
  { state, policy, detection }: StepGrounds,
): Result<StepRule> {
  const filter = flowSpecOf(mitigation);
  const filterStep = playbook.steps[mitigation.filter?.step ?? mitigation.step];
  const traits = traitsBehind((filter ?? mitigation).match, filterStep?.refinement);
  // The event may be about one host of a prefix, but the rule covers all of the prefix.
  const owner = ownerOf(policy.inventory, mitigation.victim);
  // A route for all traffic does not tell which packets the attack has; its newest report does, or its rule before.
  const returns = ruleKind(mitigation.action) !== 'flowspec' && ruleKind(step.action) === 'flowspec';
  if (returns && detection === undefined && filter === undefined) {
    return failed('only a report tells which packets a rule would match');
  }
  const { match, ports } = filter ?? mitigation;
  const packets = returns && detection !== undefined ? detection : { protocol: match.protocol, ports };
  const target = {
    victim: mitigation.victim,
    vector: mitigation.vector,
    protocol: packets.protocol,
    ports: packets.ports,
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
    traits,
  };
  const { rule, action, refusal, why } = planWithin(target, step, playbook.ways, { policy, state });
  if (rule === undefined) return failed(why.at(-1) ?? 'nothing is left to filter');
  if (traits.fragments === true && rule.match.fragments !== true && ruleKind(action) === 'flowspec') {
    return failed('it would filter more than the fragments that were reported');
  }
  const forbidden =
    checkTarget(state, policy, rule.match, action) ?? checkProtectedPorts(policy.guardrails, rule) ?? refusal;
  if (forbidden !== undefined) return failed(forbidden.detail);
  return ok({ ...rule, action, ways: why.filter((line) => line.startsWith('instead (')) });
}

/** What follows from a mitigation's new action for its traffic and for the rule beneath its route. */
export interface Turn {
  /** The changed keys. */
  readonly change: Pick<MitigationChange, 'away' | 'filter'>;
  /** The mitigation does not end earlier (ms); 0 for a FlowSpec rule. */
  readonly soonest: number;
  readonly why: readonly string[];
}

/** Turns a mitigation to another action: its victim's absence begins anew, ends (null), or goes on unchanged. */
export function turnTo(
  mitigation: Mitigation,
  action: MitigationAction,
  state: DecisionView,
  context: Pick<DecideContext, 'now' | 'policy'>,
): Turn {
  const { away, why } = awayOf(mitigation, action, state, context);
  return {
    change: { ...(away === undefined ? {} : { away }), ...filterUnder(action, mitigation) },
    soonest: earliestReturn(
      { action, away: away === undefined ? (mitigation.away ?? null) : away },
      context.now,
      context,
    ),
    why,
  };
}

/** Returns the absence of the victim's traffic under a new action: begun anew, ended (null), or unchanged (undefined). */
function awayOf(
  mitigation: Mitigation,
  action: MitigationAction,
  state: DecisionView,
  context: Pick<DecideContext, 'now' | 'policy'>,
): { readonly away: Away | null | undefined; readonly why: readonly string[] } {
  const before = mitigation.away ?? undefined;
  const kind = ruleKind(action);
  if (kind === 'flowspec') return { away: before === undefined ? undefined : null, why: [] };
  if (before !== undefined && kind === ruleKind(mitigation.action)) return { away: undefined, why: [] };
  return awayFor(action, mitigation, state, context);
}
