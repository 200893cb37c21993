/** Creates an operator's own mitigation, through the same guardrails as a detector's. */
import { draftUnicast } from './unicast-rule.ts';
import { ruleKind } from '../action.ts';
import type { Command, DecideContext, Decision } from '../commands.ts';
import { pausedWords } from './event-answer.ts';
import { isEnforceable, predict, shortfallWords, unenforceableWords } from './forecast.ts';
import {
  checkAction,
  checkOwner,
  checkPorts,
  checkQuotas,
  checkTarget,
  checkTtl,
  type Refusal,
} from '../policy/guardrails.ts';
import { type MitigationDraft, newMitigation, rejectedMitigation } from './begin-mitigation.ts';
import { portSet } from '../policy/ports.ts';
import { NO_REFINEMENT } from '../policy/refinement.ts';
import { draftRule, destinationOf, type Rule } from './rule.ts';
import { popsInScope, scopeWords } from './scope.ts';
import type { DecisionView } from '../state/state-view.ts';
import { hasPorts, protocolWords } from '../policy/vectors.ts';
import { NO_ALLOWED_PORTS, ownerOf, ownerWords } from '../victim.ts';
import { alternativesTo, type PlanTarget } from './enforceable-rule.ts';
import { actionWords } from '../rule-text.ts';

type MitigateCommand = Extract<Command, { type: 'mitigate' }>;

/** The vector of mitigations that no detector reported. */
export const MANUAL_VECTOR = 'manual';

/**
 * Decides on an operator's mitigation. A discard leaves out the service's allowed ports, as for a detector's event; a
 * TTL out of bounds is refused and not changed, because a person asked for it. Police without a rate throws RangeError.
 */
export function decideMitigate(
  state: DecisionView,
  command: MitigateCommand,
  context: DecideContext,
): Decision {
  const paused = pausedWords(state);
  if (paused !== undefined) return { facts: [], answer: { type: 'conflict', detail: paused } };
  const { victim, protocol, action } = command;
  if (action.type === 'police' && !(action.rateBps > 0)) {
    throw new RangeError('police needs a rate above 0');
  }
  const { policy } = context;
  const owner = ownerOf(policy.inventory, victim);
  const ports = portSet(command.ports);
  const target: PlanTarget = {
    victim,
    vector: undefined,
    protocol,
    ports,
    allowedPorts: owner?.allowedPorts ?? NO_ALLOWED_PORTS,
  };
  const pops = popsInScope(command.pops, { policy, victim });
  const isUnicast = ruleKind(action) !== 'flowspec';
  const drafted = isUnicast
    ? draftUnicast(victim, action, policy)
    : draftRule({ ...target, refinement: NO_REFINEMENT, action: action.type });
  const why = [
    `requested by ${command.actor.name}: ${actionWords(action)} (${command.reason})`,
    ownerWords(victim, owner),
    ...drafted.why,
    ...scopeWords(pops, command.pops),
  ];
  const rule: Rule = drafted.rule ?? asAsked(victim, protocol, ports);
  const draft: MitigationDraft = {
    victim,
    vector: MANUAL_VECTOR,
    source: null,
    owner,
    rule,
    action,
    playbook: null,
    eventId: null,
    actor: command.actor,
    reason: command.reason,
    pops,
    why,
  };
  const refusal =
    checkTarget(state, policy, rule.match, action) ??
    checkOwner(policy, victim, owner !== undefined) ??
    checkTtl(policy, action, command.ttlSeconds) ??
    checkRequest(command, drafted.rule === undefined ? (drafted.why.at(-1) ?? '') : undefined) ??
    checkPorts(policy.guardrails, rule) ??
    checkAction(state, policy, action, rule.match.dstPrefix) ??
    checkEnforceable(state, target, rule, command, context) ??
    checkQuotas(state, context, owner?.customerId ?? null);
  if (refusal !== undefined) return refuse(draft, refusal, context);

  const lacking = shortfallWords(predict(policy, rule.match, action), action, context.room);
  const passed = [...why, ...lacking, `guardrails passed; TTL ${command.ttlSeconds} s`];
  const mitigation = newMitigation({ ...draft, why: passed }, command.ttlSeconds, context);
  return {
    facts: [{ type: 'mitigation.created', mitigation }],
    answer: { type: 'mitigation', mitigation, why: passed },
  };
}

/** Refuses a request that cannot be met as it is. `spared` says why nothing is left of the rule, or is undefined. */
function checkRequest(
  { ports, protocol, action }: MitigateCommand,
  spared: string | undefined,
): Refusal | undefined {
  if (ruleKind(action) !== 'flowspec') {
    if (spared !== undefined) return { reason: 'prefix_length', detail: spared };
    if (ports.length === 0 && protocol === null) return undefined;
    const detail = `${action.type} concerns all traffic of the victim; leave out the protocol and the ports`;
    return { reason: 'rule_too_broad', detail };
  }
  if (spared !== undefined) return { reason: 'protected', detail: spared };
  if (ports.length === 0 || hasPorts(protocol)) return undefined;
  const detail = `${protocolWords(protocol)} has no ports, and without them the rule would cover more than requested`;
  return { reason: 'rule_too_broad', detail };
}

/**
 * Refuses a rule that no neighbor can enforce, and lists alternatives: a person's request is never changed silently.
 */
function checkEnforceable(
  state: DecisionView,
  target: PlanTarget,
  rule: Rule,
  { action }: MitigateCommand,
  { policy }: DecideContext,
): Refusal | undefined {
  const prediction = predict(policy, rule.match, action);
  if (isEnforceable(prediction)) return undefined;
  const others = alternativesTo(target, { action, refinement: NO_REFINEMENT }, { policy, state });
  const advice = others.length === 0 ? '' : `. Alternatives: ${others.join('; ')}`;
  return {
    reason: 'not_enforceable',
    detail: `no neighbor can enforce this rule: ${unenforceableWords(prediction)}${advice}`,
  };
}

function asAsked(victim: string, protocol: number | null, ports: readonly number[]): Rule {
  const match = { dstPrefix: destinationOf(victim), protocol, dstPorts: [], srcPorts: [] };
  return { match, ports, excludedPorts: [] };
}

function refuse(draft: MitigationDraft, refusal: Refusal, context: DecideContext): Decision {
  const { reason, detail } = refusal;
  const why = [...draft.why, `refused (${reason}): ${detail}`];
  const mitigation = rejectedMitigation({ ...draft, why }, reason, context);
  return {
    facts: [{ type: 'mitigation.rejected', mitigation }],
    answer: { type: 'refused', reason, detail, why },
  };
}
