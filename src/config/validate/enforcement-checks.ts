/**
 * Which steps of which playbooks the configured routers could not enforce as written, for the assets of the inventory: the
 * same forecast that decides on an attack, asked beforehand.
 */
import { isEnforceable, type Prediction, predict, unenforceableWords } from '../../core/decide/forecast.ts';
import { checkProtectedPorts } from '../../core/policy/guardrails.ts';
import type { Ownership } from '../../core/policy/inventory.ts';
import type { Playbook } from '../../core/policy/playbook.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { impliedProtocol } from '../../core/policy/vectors.ts';
import { NO_ALLOWED_PORTS, ownerOf } from '../../core/victim.ts';
import { type Plan, type PlanTarget, planRule, planWithin } from '../../core/decide/enforceable-rule.ts';
import { actionWords } from '../../core/text.ts';
import type { Path } from '../problem.ts';

/** Warnings at most; what is beyond is counted. */
const MAX_WARNINGS = 20;

/** `path` is that of all playbooks in one file. */
export interface EnforcementWarning {
  readonly path: Path;
  readonly message: string;
  readonly fix: string;
}

/** Assets that are treated alike: one of them, and how many there are. */
export interface AssetGroup {
  readonly victim: string;
  readonly owner: Ownership | undefined;
  count: number;
}

/** What is wrong with one step in one way, and for whom. */
interface Finding {
  readonly path: Path;
  /** Steps, the one at the path first. */
  readonly steps: string[];
  readonly what: string;
  /** Some neighbors enforce it. */
  readonly partial: boolean;
  readonly groups: AssetGroup[];
}

/** Steps that one warning names. */
const NAMED_STEPS = 4;

/** No guardrail that depends on the state matters here. */
export const STATE = { safelisted: () => undefined };

/** A kind of attack on a kind of asset, and the playbook that is for it. */
interface Targeted {
  readonly playbook: Playbook;
  /** Of the playbook among all of one file. */
  readonly path: Path;
  readonly group: AssetGroup;
  readonly target: PlanTarget;
}

/** Every playbook with every kind of attack on every kind of asset that it is for. */
export function* targetsOf(policy: Policy, groups: readonly AssetGroup[]): Iterable<Targeted> {
  for (const { playbook, path } of placedPlaybooks(policy)) {
    const { vectors } = playbook.match;
    for (const vector of vectors.length === 0 ? ['unknown'] : vectors) {
      for (const group of groups) {
        const target = targetFor(playbook, vector, group);
        if (target !== null) yield { playbook, path, group, target };
      }
    }
  }
}

export function enforcementChecks(
  policy: Policy,
  groups: readonly AssetGroup[] = assetGroups(policy),
): readonly EnforcementWarning[] {
  if (policy.forecast === undefined) return [];
  const findings = new Map<string, Finding>();
  for (const { playbook, path, group, target } of targetsOf(policy, groups)) {
    for (const index of playbook.steps.keys()) {
      const found = unenforceable(target, playbook, index, policy);
      if (found === null) continue;
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

/** A neighbor without a family or an action lacks it for every playbook: that is one finding for the same assets. */
function merged(findings: readonly Finding[]): readonly Finding[] {
  const result: Finding[] = [];
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

function ids({ groups }: Pick<Finding, 'groups'>): readonly string[] {
  return groups.map(({ victim }) => victim);
}

function stepWords(steps: readonly string[]): string {
  const more = steps.length - NAMED_STEPS;
  const named = steps.slice(0, NAMED_STEPS).join(', ');
  return more > 0 ? `${named} and ${more} more steps` : named;
}

function shown(findings: readonly Finding[]): readonly EnforcementWarning[] {
  const warnings = findings.slice(0, MAX_WARNINGS).map(({ path, steps, what, groups }) => ({
    path,
    message: `${stepWords(steps)} for ${groupWords(groups)}: ${what}`,
    fix: '',
  }));
  const more = findings.length - warnings.length;
  if (more > 0) {
    const message = `${more} more steps cannot be enforced as written on some neighbor`;
    warnings.push({ path: ['playbooks'], message, fix: 'mend the ones above and check again' });
  }
  return warnings;
}

/** Why a step is not enforced as written on some neighbor, and what happens instead; null when all can enforce it. */
function unenforceable(
  target: PlanTarget,
  playbook: Playbook,
  index: number,
  policy: Policy,
): Pick<Finding, 'what' | 'partial'> | null {
  const context = { policy, state: STATE };
  const step = stepOf(playbook, index);
  const written = planWithin(target, step, [], context);
  // A rule that names a protected port is refused for that, which another check says.
  if (written.rule === null || checkProtectedPorts(policy.guardrails, written.rule) !== null) return null;
  const prediction = predict(policy, written.rule.match, step.action);
  if (prediction.every(({ ok }) => ok)) return null;
  const reasons = unenforceableWords(prediction);
  if (isEnforceable(prediction)) {
    return { what: `not enforced by ${count(prediction)} neighbors: ${reasons}`, partial: true };
  }
  const planned =
    index === 0 ? planRule(target, playbook, 0, context) : planWithin(target, step, playbook.ways, context);
  const what = `no neighbor can enforce it as written: ${reasons}; ${outcomeWords(planned, index)}`;
  return { what, partial: false };
}

function outcomeWords({ rule, refusal, why }: Plan, index: number): string {
  if (rule === null || refusal !== null) {
    return index === 0
      ? 'and there is no other way: reports will be refused (not_enforceable)'
      : 'and there is no other way: the step will never be taken';
  }
  return why.filter((line) => line.startsWith('instead (')).join('; ');
}

function count(prediction: Prediction): string {
  return `${prediction.filter(({ ok }) => !ok).length} of ${prediction.length}`;
}

/** An attack on no particular port, where the playbook takes one; null where it is for another protocol. */
function targetFor({ match }: Playbook, vector: string, { victim, owner }: AssetGroup): PlanTarget | null {
  const implied = impliedProtocol(vector, victim.includes(':') ? 6 : 4);
  if (match.protocol !== null && implied !== null && match.protocol !== implied) return null;
  if (match.customers.length > 0 && !match.customers.includes(owner?.customerId ?? '')) return null;
  if (match.profiles.length > 0 && !match.profiles.includes(owner?.profile ?? 'normal')) return null;
  return {
    victim,
    vector,
    protocol: match.protocol ?? implied,
    ports: match.requirePorts ? [1] : [],
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
  };
}

/** Every playbook with its place among those of all files. */
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
 * Assets and prefixes by what a rule for them depends on: the family, the allowed ports, and the customer and profile where
 * a playbook asks for them. An inventory of a hundred thousand assets has few such groups.
 */
export function assetGroups({ inventory, playbooks }: Policy): readonly AssetGroup[] {
  const matches = [...playbooks.byName.values()].map(({ match }) => match);
  const named = new Set(matches.flatMap(({ customers }) => customers));
  const byProfile = matches.some(({ profiles }) => profiles.length > 0);
  const groups = new Map<string, AssetGroup>();
  for (const { customer_id: id, prefixes = [], services = [] } of inventory.data.customers) {
    const assets = services.flatMap(({ assets: list = [] }) => list.map(({ ip }) => ip));
    for (const entry of [...prefixes, ...assets]) {
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

/** `service web of acme (203.0.113.20) and 3 more entries`. */
function groupWords(groups: readonly AssetGroup[]): string {
  const [first] = groups;
  if (first === undefined) return 'nobody';
  const { owner, victim } = first;
  const service = owner?.serviceId === null || owner === undefined ? '' : `service ${owner.serviceId} of `;
  const more = groups.reduce((sum, { count: entries }) => sum + entries, 0) - 1;
  const others = more === 0 ? '' : ` and ${more} more ${more === 1 ? 'entry' : 'entries'} of the inventory`;
  return `${service}${owner?.customerId ?? 'nobody'} (${victim})${others}`;
}
