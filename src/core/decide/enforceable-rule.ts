/**
 * Plans a rule that at least one neighbor can enforce. If none can enforce the rule that a playbook's step asks for,
 * the playbook's alternatives (`when_unenforceable`) are tried in order; the first that works is used and explained.
 */
import { isEnforceable, type Prediction, predict, unenforceableWords } from './forecast.ts';
import { checkAction, checkProtectedPorts, checkTarget, type Refusal } from '../policy/guardrails.ts';
import type { Playbook, Step } from '../policy/playbook.ts';
import type { Way } from '../policy/playbook-schema.ts';
import type { Policy } from '../policy/policy.ts';
import {
  destinationOf,
  draftRule,
  hitsAllowedPort,
  isWholeHost,
  type Rule,
  type RuleDraft,
  type RuleRequest,
  excludedRanges,
} from './rule.ts';
import type { DecisionView } from '../state/state-view.ts';
import { DISCARD, isShared, type MitigationAction, passedBps, ruleKind } from '../action.ts';
import { draftUnicast } from './unicast-rule.ts';
import { NO_ALLOWED_PORTS } from '../victim.ts';
import { KNOWN_VECTORS } from '../policy/vectors.ts';
import { actionWords, portWords } from '../rule-text.ts';
import { rateWords } from '../../net/text.ts';

/** Describes what to filter, at any step. */
export type PlanTarget = Omit<RuleRequest, 'refinement' | 'action'>;

export interface PlanContext {
  readonly policy: Policy;
  readonly state: Pick<
    DecisionView,
    'safelisted' | 'activeUnicast' | 'withMatch' | 'mitigations' | 'downScrubbers'
  >;
}

/** The properties of a step that a rule depends on. */
export type PlanStep = Pick<Step, 'action' | 'refinement' | 'wholeHostRateBps'>;

export interface WayPlan {
  /** Undefined when nothing may be filtered; the last line of `why` says why. */
  readonly rule: Rule | undefined;
  readonly action: MitigationAction;
  /** Index of the step that is used. */
  readonly index: number;
  /** `not_enforceable` when no neighbor can enforce the rule in any form. */
  readonly refusal: Refusal | undefined;
  readonly why: readonly string[];
}

/** A possible rule with its action. */
interface Candidate {
  readonly rule: Rule;
  readonly action: MitigationAction;
  /** Describes the difference from the rule as drafted. */
  readonly words: string;
}

/** Plans the rule for one step of a playbook; with `next_step`, later steps are tried, too. */
export function planRule(
  target: PlanTarget,
  playbook: Pick<Playbook, 'steps' | 'ways'>,
  index: number,
  context: PlanContext,
): WayPlan {
  const step = playbook.steps[index];
  if (step === undefined) throw new RangeError(`there is no step ${index + 1}`);
  return plan(target, step, playbook.ways, context, {
    index,
    next: () => {
      const following = playbook.steps[index + 1];
      if (following === undefined) return undefined;
      const found = planRule(target, playbook, index + 1, context);
      const taken = `step ${index + 2} of ${playbook.steps.length}: ${actionWords(following.action)}`;
      return { ...found, why: [`instead (next_step): ${taken}`, ...found.why] };
    },
  });
}

/** Plans a rule that must stay at its step, such as that of a widened mitigation. */
export function planWithin(
  target: PlanTarget,
  step: PlanStep,
  ways: readonly Way[],
  context: PlanContext,
): WayPlan {
  return plan(target, step, ways, context, { index: 0, next: () => undefined });
}

function plan(
  target: PlanTarget,
  step: PlanStep,
  ways: readonly Way[],
  context: PlanContext,
  { index, next }: { readonly index: number; readonly next: () => WayPlan | undefined },
): WayPlan {
  const isUnicast = ruleKind(step.action) !== 'flowspec';
  const draft = isUnicast
    ? draftUnicast(target.victim, step.action, context.policy)
    : draftWithinMaxPorts(target, step, context.policy);
  if (draft.rule === undefined) {
    const found = isUnicast && ways.includes('next_step') ? nextStep(next(), context) : undefined;
    if (found !== undefined) {
      return { ...found, index: found.index ?? index, why: [...draft.why, ...found.why] };
    }
    return { rule: undefined, action: step.action, index, refusal: undefined, why: draft.why };
  }
  const action = actionFor(draft.rule, step);
  const breadth =
    !isUnicast && isWholeHost(draft.rule) ? [wholeHostWords(target, draft.rule, step, action)] : [];
  const drafted: WayPlan = {
    rule: draft.rule,
    action,
    index,
    refusal: undefined,
    why: [...draft.why, ...breadth],
  };
  const prediction = predict(context.policy, draft.rule.match, action);
  const { dstPrefix } = draft.rule.match;
  // A route that is wider than its victim may touch what a rule for the victim does not.
  const isWider = isUnicast && dstPrefix !== destinationOf(target.victim);
  const barred =
    checkAction(context.state, context.policy, action, dstPrefix) ??
    (isWider ? forbidden(draft.rule, action, context) : undefined);
  const isPossible = isEnforceable(prediction) && barred === undefined;
  // Refuses a rule that a guardrail forbids: an alternative would evade the guardrail.
  const isForbidden = barred === undefined && forbidden(draft.rule, action, context) !== undefined;
  if (isPossible || isForbidden) return drafted;

  const reasons = barred?.detail ?? unenforceableWords(prediction);
  const obstacle =
    barred === undefined
      ? `no neighbor can enforce this rule: ${reasons}`
      : `${action.type} is not possible: ${reasons}`;
  const why = [...drafted.why, obstacle];
  for (const way of ways) {
    // Another form of the rule would have the same target.
    if (barred !== undefined && way !== 'next_step') continue;
    const found =
      way === 'next_step' ? nextStep(next(), context) : take(way, target, step, draft.rule, ways, context);
    if (found !== undefined) return { ...found, index: found.index ?? index, why: [...why, ...found.why] };
  }
  if (barred !== undefined) return { ...drafted, why, refusal: barred };
  const detail = `no neighbor can enforce the rule, and no alternative is left (when_unenforceable): ${reasons}`;
  return { ...drafted, why, refusal: { reason: 'not_enforceable', detail } };
}

/** Returns a step's action; for a rule that matches every protocol of its victim, with the rate for that case. */
function actionFor(rule: Rule, { action, wholeHostRateBps }: PlanStep): MitigationAction {
  if (action.type !== 'police' || wholeHostRateBps === undefined || !isWholeHost(rule)) return action;
  return { ...action, rateBps: wholeHostRateBps };
}

/** Warns that the rule hits legitimate traffic of every kind; says why, and what to do about it. */
function wholeHostWords(
  { vector, victim }: PlanTarget,
  { match }: Rule,
  { action }: PlanStep,
  taken: MitigationAction,
): string {
  const isKnown = vector === undefined || (KNOWN_VECTORS.includes(vector) && vector !== 'unknown');
  const unknown = isKnown ? '' : `${vector === 'unknown' ? 'the vector' : `vector ${vector}`} is unknown: `;
  const of = victim.includes('/') ? 'prefix' : 'host';
  // Only TCP and UDP have ports, so a rule that excludes allowed ports matches only these two.
  const protocols = match.dstPorts.length === 0 ? 'all protocols' : 'both TCP and UDP';
  const rate =
    passedBps(taken) === passedBps(action)
      ? ''
      : `, so the action is ${actionWords(taken)} (whole_host_rate_bps)`;
  const advice =
    vector === undefined ? '' : '; a report that names a protocol or ports leads to a narrower rule';
  return `${unknown}the rule matches ${protocols} of the ${of}${rate}${advice}`;
}

interface Found {
  readonly rule: Rule;
  readonly action: MitigationAction;
  readonly index?: number;
  readonly refusal: undefined;
  readonly why: readonly string[];
}

function nextStep(planned: WayPlan | undefined, context: PlanContext): Found | undefined {
  if (planned?.rule === undefined || planned.refusal !== undefined) return undefined;
  if (forbidden(planned.rule, planned.action, context) !== undefined) return undefined;
  return { ...planned, rule: planned.rule, refusal: undefined };
}

/**
 * Returns the first rule of an alternative that works; its rate is shared if only that helps and the playbook allows
 * it.
 */
function take(
  way: Exclude<Way, 'next_step'>,
  target: PlanTarget,
  step: PlanStep,
  drafted: Rule,
  ways: readonly Way[],
  context: PlanContext,
): Found | undefined {
  const mayShare = way !== 'share_rate' && ways.includes('share_rate');
  for (const candidate of candidatesOf(way, target, step, drafted, context.policy)) {
    for (const { rule, action, words } of mayShare ? withShared(candidate) : [candidate]) {
      const prediction = predict(context.policy, rule.match, action);
      if (!isEnforceable(prediction) || forbidden(rule, action, context) !== undefined) continue;
      const shares = isShared(action) ? [`instead (share_rate): ${sharedWords(action, prediction)}`] : [];
      const own = way === 'share_rate' ? [] : [`instead (${way}): ${words}`];
      return { rule, action, refusal: undefined, why: [...own, ...shares] };
    }
  }
  return undefined;
}

function withShared(candidate: Candidate): readonly Candidate[] {
  const { action } = candidate;
  return action.type === 'police'
    ? [candidate, { ...candidate, action: { ...action, shared: true } }]
    : [candidate];
}

/** Checks the guardrails that an operator set, regardless of what neighbors can enforce. */
function forbidden(
  rule: Rule,
  action: MitigationAction,
  { policy, state }: PlanContext,
): Refusal | undefined {
  return checkProtectedPorts(policy.guardrails, rule) ?? checkTarget(state, policy, rule.match, action);
}

/**
 * Drafts a step's rule. An attack on more ports than a rule may name counts as an attack on no particular port: the
 * rule covers the protocol without the allowed ports, unless the allowed ports are under attack.
 */
function draftWithinMaxPorts(target: PlanTarget, step: PlanStep, { guardrails }: Policy): RuleDraft {
  const draft = draftOf(target, step);
  const count = draft.rule?.ports.length ?? 0;
  if (draft.rule === undefined || count <= guardrails.maxPorts) return draft;
  const onAllowed = hitsAllowedPort(draft.rule.match, target.allowedPorts);
  const wide = draftOf(onAllowed ? everyPortOf(target) : { ...target, ports: [] }, step);
  const many = `${count} ports are more than a rule may name (guardrails.max_ports: ${guardrails.maxPorts}): treated as an attack on no particular port`;
  return { ...wide, why: [many, ...wide.why] };
}

/** Targets every port, allowed ones included. Not narrowed to fragments, which carry no ports. */
function everyPortOf({ traits, ...target }: PlanTarget): PlanTarget {
  const { fragments: _, ...others } = traits ?? {};
  return { ...target, ports: [], allowedPorts: NO_ALLOWED_PORTS, traits: others };
}

function draftOf(target: PlanTarget, { refinement, action }: PlanStep): RuleDraft {
  return draftRule({ ...target, refinement, action: action.type });
}

/** Yields the rules that an alternative offers, the best first. */
function* candidatesOf(
  way: Exclude<Way, 'next_step'>,
  target: PlanTarget,
  step: PlanStep,
  drafted: Rule,
  policy: Policy,
): Iterable<Candidate> {
  const { action } = step;
  const police = action.type === 'police';
  const spares = excludedRanges(drafted).length > 0;
  switch (way) {
    case 'share_rate':
      if (police)
        yield {
          rule: drafted,
          action: { ...action, shared: true },
          words: 'several rules that share the rate',
        };
      return;
    case 'police_allowed_ports':
      if (police && spares && drafted.ports.length === 0) yield* everyPort(target, step, drafted);
      return;
    case 'fewer_ports':
      yield* fewerPorts(target, step, drafted, policy);
      return;
    case 'whole_protocol': {
      const around = drafted.ports.length > 0 ? draftOf({ ...target, ports: [] }, step) : undefined;
      if (around?.rule !== undefined) {
        yield { rule: around.rule, action, words: around.why.at(-1) ?? 'the whole protocol' };
      }
      if (police) yield* everyPort(target, step, drafted);
      return;
    }
  }
}

/** Yields a police rule for every port, the allowed ones included. */
function* everyPort(target: PlanTarget, step: PlanStep, drafted: Rule): Iterable<Candidate> {
  if (drafted.match.dstPorts.length === 0) return;
  const { rule } = draftOf(everyPortOf(target), step);
  if (rule === undefined) return;
  const spared = excludedRanges(drafted);
  const words =
    spared.length === 0
      ? 'the rule covers every port'
      : `the rule covers every port, including the allowed ${portWords(spared)}: policed, never discarded`;
  yield { rule, action: step.action, words };
}

/**
 * Yields rules with the first ports, as many as possible; or the ranges around allowed ports without protected ports.
 */
function* fewerPorts(target: PlanTarget, step: PlanStep, drafted: Rule, policy: Policy): Iterable<Candidate> {
  const { ports, match } = drafted;
  for (let count = ports.length - 1; count > 0; count--) {
    const { rule } = draftOf({ ...target, ports: ports.slice(0, count) }, step);
    if (rule === undefined) continue;
    const words = `the rule names ${count} of ${ports.length} ports; ${portWords(ports.slice(count))} not covered`;
    yield { rule, action: step.action, words };
  }
  if (ports.length > 0) return;
  const { protectedPorts } = policy.guardrails;
  const left = match.dstPorts.filter(([from, to]) => from !== to || !protectedPorts.includes(from));
  if (left.length === 0 || left.length === match.dstPorts.length) return;
  const spared = match.dstPorts.filter((range) => !left.includes(range)).map(([port]) => port);
  const excludedPorts = [...drafted.excludedPorts, ...spared].sort((a, b) => a - b);
  const words = `the rule also leaves out protected ${portWords(spared)}`;
  yield {
    rule: { ...drafted, match: { ...match, dstPorts: left }, excludedPorts },
    action: step.action,
    words,
  };
}

/** `several rules that share the rate of 10 Mbit/s: edge1 takes 2`. */
function sharedWords(action: MitigationAction, prediction: Prediction): string {
  const counts = new Map<number, string>();
  for (const one of prediction) if (one.ok && !counts.has(one.routes)) counts.set(one.routes, one.neighbor);
  const takes = [...counts].map(([routes, neighbor]) => `${neighbor} takes ${routes}`).join(', ');
  return `several rules that share the rate of ${rateWords(passedBps(action))}: ${takes}`;
}

/** Lists alternatives to ask for when no neighbor can enforce a request; empty when nothing would help. */
export function alternativesTo(target: PlanTarget, step: PlanStep, context: PlanContext): readonly string[] {
  const { ports } = target;
  const works = (changed: Partial<PlanTarget>, action: MitigationAction): boolean => {
    const { rule } = draftOf({ ...target, ...changed }, { ...step, action });
    if (rule === undefined || rule.ports.length > context.policy.guardrails.maxPorts) return false;
    if (forbidden(rule, action, context) !== undefined) return false;
    return isEnforceable(predict(context.policy, rule.match, action));
  };
  const { action } = step;
  const shared: MitigationAction | undefined =
    action.type === 'police' ? { ...action, shared: true } : undefined;
  const words: string[] = [];
  if (shared !== undefined && !isShared(action) && works({}, shared))
    words.push('several rules that share the rate (share_rate)');
  for (let count = ports.length - 1; count > 0; count--) {
    if (!works({ ports: ports.slice(0, count) }, action)) continue;
    words.push(`fewer ports (the first ${count})`);
    break;
  }
  if (ports.length > 0) {
    if (works({ ports: [] }, action)) words.push('no ports (the whole protocol)');
    else if (shared !== undefined && works({ ports: [] }, shared))
      words.push('no ports (the whole protocol) with share_rate');
  }
  if (shared !== undefined && works({}, DISCARD)) words.push('discard');
  return words;
}
