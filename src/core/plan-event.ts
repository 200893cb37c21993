/** What an event's rule would be under each of the things it may be about: a step, a mitigation that is active, new ports. */
import type { DecideContext } from './commands.ts';
import type { Ownership } from './inventory.ts';
import type { Playbook, Step } from './playbook.ts';
import type { Rule } from './rule.ts';
import type { DecisionView } from './state-view.ts';
import { traitsUnder } from './traits.ts';
import type { Detection, Mitigation, MitigationAction, TrafficTraits } from './types.ts';
import { NO_ALLOWED_PORTS, ownerOf } from './victim.ts';
import { type Plan, type PlanTarget, planRule, planWithin } from './ways.ts';

/** An event with the rule that was planned for it. */
export interface Planned {
  readonly state: DecisionView;
  readonly context: DecideContext;
  readonly detection: Detection;
  readonly owner: Ownership | undefined;
  readonly playbook: Playbook;
  /** The step of the plan. */
  readonly step: Step;
  readonly plan: Plan;
  readonly rule: Rule;
}

export function targetOf(
  detection: Detection,
  ports: readonly number[],
  owner: Ownership | undefined,
): PlanTarget {
  return {
    victim: detection.victim,
    vector: detection.vector,
    protocol: detection.protocol,
    ports,
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
    ...(detection.traits === undefined ? {} : { traits: detection.traits }),
  };
}

export function withTraits({ traits: _, ...rest }: Detection, traits: TrafficTraits | undefined): Detection {
  return traits === undefined ? rest : { ...rest, traits };
}

/** A plan that has a rule. */
export type RulePlan = Plan & { readonly rule: Rule };

/**
 * What this event would lead to under a mitigation: at the step that it is at, which may differ from the case's own, and
 * for the prefix that it covers.
 */
export function planUnder(it: Planned, mitigation: Mitigation): RulePlan {
  const { detection, owner, playbook, context, state } = it;
  const own = { ...it.plan, rule: it.rule };
  const isAround = mitigation.victim !== detection.victim;
  const step = mitigation.playbook === playbook.name ? playbook.steps[mitigation.step] : undefined;
  const refinement = (step ?? it.step).refinement;
  const traits = traitsUnder(detection.traits, mitigation.match, refinement);
  const sameStep = step === it.step || (step === undefined && sameForm(mitigation.action, own.action));
  if (sameStep && !isAround && traits === detection.traits) return own;
  const { type, rateBps } = mitigation.action;
  const around = isAround ? ownerOf(context.policy.inventory, mitigation.victim) : owner;
  const planned = planWithin(
    targetOf(withTraits({ ...detection, victim: mitigation.victim }, traits), detection.ports, around),
    step ?? { action: { type, rateBps }, refinement },
    playbook.ways,
    { policy: context.policy, state },
  );
  return planned.rule === null ? own : { ...planned, rule: planned.rule };
}

export function sameForm(a: MitigationAction, b: MitigationAction): boolean {
  return a.type === b.type && a.rateBps === b.rateBps && a.shared === b.shared;
}

/** The rule for those of the event's ports that no standing rule names. */
export function newPart(it: Planned, newPorts: readonly number[] | null): RulePlan {
  const own = { ...it.plan, rule: it.rule };
  if (newPorts === null) return own;
  const { detection, owner, playbook, context, state, plan } = it;
  const target = targetOf(detection, newPorts, owner);
  const planned = planRule(target, playbook, plan.index, { policy: context.policy, state });
  return planned.rule === null ? own : { ...planned, rule: planned.rule };
}
