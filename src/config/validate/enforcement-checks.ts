/**
 * Finds playbook steps that the configured routers cannot enforce as written for the inventory's assets. Uses the same
 * forecast that decides during an attack.
 */
import type { Mitigation } from '../../core/types.ts';
import { isEnforceable, type Prediction, predict, unenforceableWords } from '../../core/decide/forecast.ts';
import { checkProtectedPorts } from '../../core/policy/guardrails.ts';
import type { Ownership } from '../../core/policy/inventory.ts';
import type { Playbook } from '../../core/policy/playbook.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { USUAL_PROFILE } from '../../core/policy/profile.ts';
import { impliedProtocol } from '../../core/policy/vectors.ts';
import { prefixOf } from '../../core/policy/inventory-schema.ts';
import { NO_ALLOWED_PORTS, ownerOf } from '../../core/victim.ts';
import { type WayPlan, type PlanTarget, planRule, planWithin } from '../../core/decide/enforceable-rule.ts';
import { actionWords } from '../../core/rule-text.ts';
import { countWords } from '../../net/text.ts';
import type { Path } from '../config-problem.ts';

/** Most warnings that are listed; the rest is counted. */
const MAX_WARNINGS = 20;

/** A warning. `path` is as if all playbooks were in one file. */
export interface EnforcementWarning {
  readonly path: Path;
  readonly message: string;
  readonly fix: string;
}

/** Assets that get the same rules: an example, and their number. */
export interface AssetGroup {
  readonly victim: string;
  readonly owner: Ownership | undefined;
  count: number;
}

/** One defect of one or more steps, and the affected assets. */
interface EnforcementFinding {
  readonly path: Path;
  /** Names of the steps; the one at the path is first. */
  readonly steps: string[];
  readonly what: string;
  /** True if some neighbors can enforce the step. */
  readonly partial: boolean;
  readonly groups: AssetGroup[];
}

/** Most steps that one warning names. */
const NAMED_STEPS = 4;

/** An empty state, because these checks do not depend on it. */
const NOBODY: ReadonlySet<string> = new Set();
const NOTHING: ReadonlyMap<string, Mitigation> = new Map();

export const STATE = {
  safelisted: () => undefined,
  activeUnicast: () => 0,
  withMatch: () => NOBODY,
  mitigations: NOTHING,
  downScrubbers: new Map<string, never>(),
};

/** An attack on a group of assets, and a playbook that applies to it. */
interface Targeted {
  readonly playbook: Playbook;
  /** The playbook's path, as if all playbooks were in one file. */
  readonly path: Path;
  readonly group: AssetGroup;
  readonly target: PlanTarget;
}

/** Combines every playbook with every vector and asset group that it applies to. */
export function* targetsOf(policy: Policy, groups: readonly AssetGroup[]): Iterable<Targeted> {
  for (const { playbook, path } of placedPlaybooks(policy)) {
    const { vectors } = playbook.match;
    for (const vector of vectors.length === 0 ? ['unknown'] : vectors) {
      for (const group of groups) {
        const target = targetFor(playbook, vector, group);
        if (target !== undefined) yield { playbook, path, group, target };
      }
    }
  }
}

export function enforcementChecks(
  policy: Policy,
  groups: readonly AssetGroup[] = assetGroups(policy),
): readonly EnforcementWarning[] {
  if (policy.forecast === undefined) return [];
  const findings = new Map<string, EnforcementFinding>();
  for (const { playbook, path, group, target } of targetsOf(policy, groups)) {
    for (const index of playbook.steps.keys()) {
      const found = unenforceable(target, playbook, index, policy);
      if (found === undefined) continue;
      const at = [...path, 'steps', index];
      const key = JSON.stringify([at, found.what]);
      const known = findings.get(key);
      if (known === undefined) {
        const step = `step ${index + 1} of ${playbook.name} (${actionWords(stepOf(playbook, index).action)})`;
        findings.set(key, { path: at, steps: [step], ...found, groups: [group] });
      } else if (!known.groups.includes(group)) known.groups.push(group);
    }
  }
  return shown(merged([...findings.values()]));
}

/** Merges findings with the same text and assets: a family or action that a neighbor lacks affects every playbook. */
function merged(findings: readonly EnforcementFinding[]): readonly EnforcementFinding[] {
  const result: EnforcementFinding[] = [];
  for (const finding of findings) {
    const { partial, what, groups } = finding;
    const same = result.find(
      (other) =>
        partial && other.partial && other.what === what && String(ids(other)) === String(ids({ groups })),
    );
    if (same === undefined) result.push(finding);
    else same.steps.push(...finding.steps);
  }
  return result;
}

function ids({ groups }: Pick<EnforcementFinding, 'groups'>): readonly string[] {
  return groups.map(({ victim }) => victim);
}

function stepWords(steps: readonly string[]): string {
  const more = steps.length - NAMED_STEPS;
  const named = steps.slice(0, NAMED_STEPS).join(', ');
  return more > 0 ? `${named} and ${countWords(more, 'more step', 'more steps')}` : named;
}

function shown(findings: readonly EnforcementFinding[]): readonly EnforcementWarning[] {
  const warnings = findings.slice(0, MAX_WARNINGS).map(({ path, steps, what, groups }) => ({
    path,
    message: `${stepWords(steps)} for ${groupWords(groups)}: ${what}`,
    fix: '',
  }));
  const more = findings.length - warnings.length;
  if (more > 0) {
    const message = `${countWords(more, 'more step', 'more steps')} cannot be enforced as written on some neighbor`;
    warnings.push({ path: ['playbooks'], message, fix: 'fix the ones above and check again' });
  }
  return warnings;
}

/** Explains why some neighbor cannot enforce a step as written, and the consequence; undefined if all can enforce it. */
function unenforceable(
  target: PlanTarget,
  playbook: Playbook,
  index: number,
  policy: Policy,
): Pick<EnforcementFinding, 'what' | 'partial'> | undefined {
  const context = { policy, state: STATE };
  const step = stepOf(playbook, index);
  const written = planWithin(target, step, [], context);
  // Another check reports rules that name a protected port.
  if (written.rule === undefined || checkProtectedPorts(policy.guardrails, written.rule) !== undefined)
    return undefined;
  const prediction = predict(policy, written.rule.match, step.action);
  if (prediction.every(({ ok }) => ok)) return undefined;
  const reasons = unenforceableWords(prediction);
  if (isEnforceable(prediction)) {
    return { what: `not enforced by ${count(prediction)} neighbors: ${reasons}`, partial: true };
  }
  const planned =
    index === 0 ? planRule(target, playbook, 0, context) : planWithin(target, step, playbook.ways, context);
  const what = `no neighbor can enforce it as written: ${reasons}; ${outcomeWords(planned, index)}`;
  return { what, partial: false };
}

function outcomeWords({ rule, refusal, why }: WayPlan, index: number): string {
  if (rule === undefined || refusal !== undefined) {
    return index === 0
      ? 'there is no alternative: reports will be refused (not_enforceable)'
      : 'there is no alternative: mitigations will not escalate to this step';
  }
  return why.filter((line) => line.startsWith('instead (')).join('; ');
}

function count(prediction: Prediction): string {
  return `${prediction.filter(({ ok }) => !ok).length} of ${prediction.length}`;
}

/** Returns an example attack that the playbook matches; undefined if the playbook cannot match this vector and group. */
function targetFor(
  { match }: Playbook,
  vector: string,
  { victim, owner }: AssetGroup,
): PlanTarget | undefined {
  const implied = impliedProtocol(vector, victim.includes(':') ? 6 : 4);
  if (match.protocol !== null && implied !== null && match.protocol !== implied) return undefined;
  if (match.customers.length > 0 && !match.customers.includes(owner?.customerId ?? '')) return undefined;
  const profile = owner?.profile ?? USUAL_PROFILE;
  if (match.profiles.length > 0 && !match.profiles.includes(profile)) return undefined;
  return {
    victim,
    vector,
    protocol: match.protocol ?? implied,
    ports: match.requirePorts ? [1] : [],
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
  };
}

/** Returns every playbook with its path, as if all playbooks were in one file. */
function placedPlaybooks({ playbooks }: Policy): readonly { playbook: Playbook; path: Path }[] {
  const placed = (playbooks.data.playbooks ?? []).flatMap(({ name }, i) => {
    const playbook = playbooks.byName.get(name);
    return playbook === undefined ? [] : [{ playbook, path: ['playbooks', i] as Path }];
  });
  const { fallback } = playbooks;
  return fallback === null ? placed : [...placed, { playbook: fallback, path: ['default_playbook'] }];
}

function stepOf(playbook: Playbook, index: number): Playbook['steps'][number] {
  const step = playbook.steps[index];
  if (step === undefined) throw new RangeError(`there is no step ${index + 1}`);
  return step;
}

/**
 * Groups assets and prefixes by the properties that a rule depends on: family, allowed ports, and customer and profile
 * if a playbook uses them. An inventory of 100,000 assets has few such groups.
 */
export function assetGroups({ inventory, playbooks }: Policy): readonly AssetGroup[] {
  const matches = [...playbooks.byName.values()].map(({ match }) => match);
  const named = new Set(matches.flatMap(({ customers }) => customers));
  const byProfile = matches.some(({ profiles }) => profiles.length > 0);
  const groups = new Map<string, AssetGroup>();
  for (const { customer_id: id, prefixes = [], services = [] } of inventory.data.customers) {
    const assets = services.flatMap(({ assets: list = [] }) => list.map(({ ip }) => ip));
    for (const entry of [...prefixes.map(prefixOf), ...assets]) {
      const victim = entry.split('/')[0] ?? entry;
      const owner = ownerOf(inventory, victim);
      const family = victim.includes(':') ? 6 : 4;
      const key = JSON.stringify([
        family,
        owner?.allowedPorts,
        named.has(id) ? id : '',
        byProfile ? owner?.profile : '',
      ]);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { victim, owner, count: 1 });
      else group.count++;
    }
  }
  return [...groups.values()];
}

/** Formats groups as `service web of acme (203.0.113.20) and 3 more entries of the inventory`. */
function groupWords(groups: readonly AssetGroup[]): string {
  const [first] = groups;
  if (first === undefined) return 'no asset';
  const { owner, victim } = first;
  const service = owner?.serviceId === null || owner === undefined ? '' : `service ${owner.serviceId} of `;
  const more = groups.reduce((sum, { count: entries }) => sum + entries, 0) - 1;
  const others = more === 0 ? '' : ` and ${more} more ${more === 1 ? 'entry' : 'entries'} of the inventory`;
  return `${service}${owner?.customerId ?? 'no customer'} (${victim})${others}`;
}
