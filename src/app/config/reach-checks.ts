/** Finds neighbors that no rule reaches, or only a later step of a playbook. */
import type { Policy } from '../../core/policy.ts';
import { predict } from '../../core/forecast.ts';
import { planWithin } from '../../core/ways.ts';
import { type AssetGroup, STATE, targetsOf } from './enforcement-checks.ts';
import type { Findings } from './problem.ts';
import type { DeepPartial } from './salvage.ts';
import type { Settings } from './schema.ts';

/** Says so when mitigations would be decided and announced to nobody. */
export function neighborlessChecks({ bgp, mode }: DeepPartial<Settings>, found: Findings): void {
  // A mock holds the rules itself, and a dry run announces nothing.
  if (bgp?.mode !== 'native' || mode !== 'enforced' || bgp.neighbors === undefined) return;
  if (bgp.neighbors.length === 0) {
    found.warning(
      ['bgp', 'neighbors'],
      'there is no neighbor: mitigations are decided, but no router is told',
      'add your routers',
    );
  } else if (bgp.neighbors.every((neighbor) => neighbor?.enabled === false)) {
    found.warning(
      ['bgp', 'neighbors'],
      'every neighbor has enabled: false: mitigations are decided, but no router is told',
      'enable those that shall filter',
    );
  }
}

/** What a neighbor could do with the steps of all playbooks. */
interface Reach {
  first: boolean;
  later: boolean;
  /** Why it cannot enforce first steps, each reason once. */
  readonly reasons: Set<string>;
}

/** How many reasons a sentence gives. */
const NAMED = 2;

/** Neighbors that can enforce no playbook's first step for any asset, as their rules are written. `found` is of prefixd.yaml. */
export function firstStepChecks(policy: Policy, groups: readonly AssetGroup[], found: Findings): void {
  const reaches = reachOfNeighbors(policy, groups);
  // In the order of the configuration, as a forecast is.
  for (const [i, { first, later, reasons }] of [...reaches.values()].entries()) {
    if (first || reasons.size === 0) continue;
    const all = [...reasons];
    const why = all.slice(0, NAMED).join('; ') + (all.length > NAMED ? '; and others' : '');
    const then = later ? 'rules reach it only by later steps' : 'no rule will ever reach it';
    found.warning(
      ['bgp', 'neighbors', i],
      `it can enforce the first step of no playbook as written (${why}): ${then}`,
      'begin a playbook with an action and a match that this router can enforce, or correct its dialect and families',
    );
  }
}

/** By name, in the order of the configuration. Ends as soon as every neighbor is known to enforce some first step. */
function reachOfNeighbors(policy: Policy, groups: readonly AssetGroup[]): ReadonlyMap<string, Reach> {
  const reaches = new Map<string, Reach>();
  for (const { playbook, target } of targetsOf(policy, groups)) {
    for (const [index, step] of playbook.steps.entries()) {
      const { rule } = planWithin(target, step, [], { policy, state: STATE });
      if (rule === null) continue;
      for (const one of predict(policy, rule.match, step.action)) {
        const reach = reaches.get(one.neighbor) ?? { first: false, later: false, reasons: new Set() };
        reaches.set(one.neighbor, reach);
        if (index > 0) reach.later ||= one.ok;
        else if (one.ok) reach.first = true;
        else reach.reasons.add(one.why);
      }
      if (reaches.size > 0 && [...reaches.values()].every(({ first }) => first)) return reaches;
    }
  }
  return reaches;
}
