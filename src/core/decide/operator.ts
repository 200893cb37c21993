/** Decides operators' requests (withdraw, safelist, pause), the effects of a new policy, and the end of endings. */
import {
  formatPrefix,
  knownPrefix,
  overlaps,
  parsePrefix,
  type Prefix,
  samePrefix,
} from '../../net/prefix.ts';
import { runToEnd } from '../../net/steps.ts';
import type { Answer, Command, DecideContext, Decision } from '../commands.ts';
import type { Fact } from '../facts.ts';
import { checkAllowed, checkOwner, checkProtectedPorts, checkTarget } from '../policy/guardrails.ts';
import { isImported } from '../intent.ts';
import type { Policy } from '../policy/policy.ts';
import { isActive, isLive } from '../state/indices.ts';
import type { DecisionView } from '../state/state-view.ts';
import type { Actor, Ending, Mitigation } from '../types.ts';
import { isPrefixVictim, ownerOf } from '../victim.ts';
import { restoreHostRules } from './aggregate.ts';
import { endedFact, endingFacts } from './lifecycle.ts';
import { ruleOutImport } from './import.ts';
import { hitsAllowedPort } from './rule.ts';
import { decideTagRemoval, knownAddition } from './safelist-tags.ts';

type Of<T extends Command['type']> = Extract<Command, { type: T }>;

export function decideWithdraw(
  state: DecisionView,
  command: Of<'withdraw'>,
  context: DecideContext,
): Decision {
  const { id, actor, reason, request } = command;
  const { now } = context;
  const mitigation = state.mitigations.get(id);
  if (request !== undefined && !(mitigation !== undefined && isActive(mitigation))) {
    return ruleOutImport(state, command, request, context);
  }
  if (mitigation === undefined) {
    return { facts: [], answer: { type: 'not-found', detail: `there is no mitigation ${id}` } };
  }
  if (!isActive(mitigation)) {
    return { facts: [], answer: { type: 'conflict', detail: endedWords(mitigation) } };
  }
  const ending: Ending = { to: 'withdrawn', at: now, actor, reason };
  return {
    facts: endingFacts(mitigation, ending),
    answer: {
      type: 'mitigation',
      mitigation: { ...mitigation, ending, updatedAt: now },
      why: [`withdrawn by ${actor.name}: ${reason}`],
    },
  };
}

function endedWords({ id, status, ending }: Mitigation): string {
  const end = ending?.to ?? status;
  if (end === 'expired') return `mitigation ${id} has already expired`;
  return end === 'rejected'
    ? `mitigation ${id} was rejected: it was never active`
    : `mitigation ${id} was already withdrawn`;
}

export function decideWithdrawAll(
  state: DecisionView,
  { actor, reason }: Of<'withdraw-all'>,
  { now }: DecideContext,
): Decision {
  return endAll(activeOnes(state), () => reason, actor, now);
}

/**
 * Adds a prefix, and ends every mitigation whose destination or source overlaps it. When the rule for a prefix ends,
 * its attacked hosts get their own rules, unless they are in the added prefix.
 */
export function decideSafelistAdd(
  state: DecisionView,
  { prefix: text, actor, reason, ask, tag }: Of<'safelist-add'>,
  context: DecideContext,
): Decision {
  const { now } = context;
  const known = tag === undefined ? undefined : knownAddition(state, text, tag);
  if (known !== undefined) return known;
  const prefix = knownPrefix(text);
  const tagged = tag === undefined ? {} : { tags: [tag] };
  const entry = { prefix: text, reason, addedAt: now, addedBy: actor, configured: false, ...tagged };
  const active = activeOnes(state);
  const touched = active.filter((mitigation) => touches(mitigation, prefix));
  const question = ask === true ? askBeforeSafelisting(prefix, touched, active.length) : undefined;
  if (question !== undefined) return { facts: [], answer: question };
  const ended = endAll(touched, () => `safelisted: ${text} (${reason})`, actor, now);
  const hosts = touched
    .flatMap((mitigation) => restoreHostRules(mitigation, state, context))
    .filter((fact) => !touches(fact.mitigation, prefix));
  return {
    facts: [{ type: 'safelist.added', entry }, ...hosts, ...ended.facts],
    answer: { type: 'safelist', entry, withdrawn: touched.map(({ id }) => id) },
  };
}

function touches({ match }: Mitigation, prefix: Prefix): boolean {
  return [match.dstPrefix, match.srcPrefix].some((text) => {
    if (text === undefined) return false;
    const touched = parsePrefix(text);
    // Treats an unparsable prefix as overlapping (fail safe).
    return !touched.ok || overlaps(touched.value, prefix);
  });
}

export function decideSafelistRemove(
  state: DecisionView,
  command: Of<'safelist-remove'>,
  context: DecideContext,
): Decision {
  const { prefix, actor, tags } = command;
  const { policy } = context;
  if (tags !== undefined) return decideTagRemoval(state, command, tags, context);
  if (state.safelist.has(prefix)) {
    return {
      facts: [{ type: 'safelist.removed', prefix, actor }],
      answer: { type: 'done', affected: [prefix] },
    };
  }
  const parsed = parsePrefix(prefix);
  const configured = parsed.ok && policy.safelist.some((entry) => samePrefix(entry, parsed.value));
  return {
    facts: [],
    answer: configured
      ? { type: 'conflict', detail: `${prefix} is in the configuration file: remove it there and reload` }
      : { type: 'not-found', detail: `${prefix} is not on the safelist` },
  };
}

/** Pauses or resumes. Pausing twice, or resuming without a pause, changes nothing. */
export function setPaused(state: DecisionView, { type, actor, reason }: Of<'pause' | 'resume'>): Decision {
  const answer = { type: 'done', affected: [] } as const;
  if ((state.paused !== undefined) === (type === 'pause')) return { facts: [], answer };
  return {
    facts: [{ type: type === 'pause' ? 'control.paused' : 'control.resumed', actor, reason }],
    answer,
  };
}

/** Disables or enables a peer. Records every request, because the newest reason is shown. */
export function setPeerEnabled({ type, peer, actor, reason }: Of<'peer-disable' | 'peer-enable'>): Decision {
  const fact = type === 'peer-disable' ? 'peer.disabled' : 'peer.enabled';
  return { facts: [{ type: fact, peer, actor, reason }], answer: { type: 'done', affected: [peer] } };
}

/**
 * Records the end of mitigations. Skips those that are not live or not ending: the reconciler may report them twice.
 */
export function confirmEnded(state: DecisionView, { ids, isHeld }: Of<'confirm-ended'>): Decision {
  const facts: Fact[] = [];
  for (const id of new Set(ids)) {
    const mitigation = state.mitigations.get(id);
    if (mitigation === undefined || mitigation.ending === null || !isLive(mitigation)) continue;
    if (isHeld?.(id) === true) continue;
    facts.push(endedFact(id, mitigation.ending));
  }
  return {
    facts,
    answer: { type: 'done', affected: facts.flatMap((fact) => ('id' in fact ? [fact.id] : [])) },
  };
}

/**
 * Records the new policy at a start and at a reload, and ends what it forbids: rules that overlap its safelist or
 * protected prefixes or name its protected ports, discards of ports that it allows, prefixes that no single customer
 * owns any more, and in a dry run every announced mitigation. When the rule for a prefix ends, its attacked hosts get
 * their own rules. The other mitigations move to their victim's current customer and service.
 */
export function decidePolicyLoaded(
  state: DecisionView,
  command: Of<'policy-loaded'>,
  context: DecideContext,
): Decision {
  return runToEnd(policyLoadedSteps(state, command, context));
}

/**
 * Does the same in steps of one mitigation, for callers that pause between steps. The state must not change meanwhile.
 */
export function* policyLoadedSteps(
  state: DecisionView,
  { actor, summary, ask }: Of<'policy-loaded'>,
  context: DecideContext,
): Generator<undefined, Decision> {
  const { policy, now } = context;
  const reasons = new Map<string, string>();
  const active = activeOnes(state);
  for (const mitigation of active) {
    const why = endedByPolicy(policy, mitigation, state);
    if (why !== undefined) reasons.set(mitigation.id, `the new policy forbids it: ${why}`);
    yield;
  }
  const forbidden = active.filter(({ id }) => reasons.has(id));
  const question =
    ask === true ? askBeforeEnding('the new configuration', forbidden, active.length) : undefined;
  if (question !== undefined) return { facts: [], answer: question };
  const reasonOf = ({ id }: Mitigation): string => reasons.get(id) ?? '';
  const ended = endAll(forbidden, reasonOf, actor, now, (mitigation) =>
    isImported(mitigation) ? { revocable: true } : {},
  );
  const hosts: Fact[] = [];
  const moved: Fact[] = [];
  for (const mitigation of active) {
    if (reasons.has(mitigation.id)) hosts.push(...restoreHostRules(mitigation, state, context));
    else moved.push(...movedFacts(mitigation, policy, actor), ...filterFacts(mitigation, policy, state));
    yield;
  }
  return {
    facts: [{ type: 'policy.loaded', actor, summary }, ...hosts, ...ended.facts, ...moved],
    answer: ended.answer,
  };
}

/** Moves a mitigation whose victim has a new owner: quotas, alerts and lists use the new owner. */
function movedFacts(mitigation: Mitigation, policy: Policy, actor: Actor): readonly Fact[] {
  const owner = ownerOf(policy.inventory, mitigation.victim);
  const customerId = owner?.customerId ?? null;
  const serviceId = owner?.serviceId ?? null;
  if (customerId === mitigation.customerId && serviceId === mitigation.serviceId) return [];
  return [{ type: 'mitigation.moved', id: mitigation.id, customerId, serviceId, actor }];
}

/** Drops a filter that a loaded policy forbids; the mitigation's route stays. */
function filterFacts(
  { id, victim, filter }: Mitigation,
  policy: Policy,
  state: Pick<DecisionView, 'safelisted'>,
): readonly Fact[] {
  if (filter === undefined || filter === null) return [];
  const reason = forbiddenBy(policy, { ...filter, victim }, state);
  if (reason === undefined) return [];
  const why = [`neighbors without its route no longer keep its filter: ${reason}`];
  return [{ type: 'mitigation.extended', id, change: { filter: null, why } }];
}

/** Explains why a loaded policy ends a mitigation; undefined when it may stay. */
export function endedByPolicy(
  policy: Policy,
  mitigation: Pick<Mitigation, 'match' | 'ports' | 'action' | 'victim' | 'dryRun' | 'origin'>,
  state: Pick<DecisionView, 'safelisted'>,
): string | undefined {
  if (policy.mode === 'dry-run' && !mitigation.dryRun) return 'it announces nothing (mode: dry-run)';
  const owner = mitigation.origin?.pop;
  if (owner !== undefined && policy.exchange?.accept.includes(owner) !== true) {
    return `nothing is taken over from ${owner} (exchange.accept)`;
  }
  return forbiddenBy(policy, mitigation, state);
}

/** Explains why a loaded policy forbids a mitigation; undefined when it does not. */
function forbiddenBy(
  policy: Policy,
  mitigation: Pick<Mitigation, 'match' | 'ports' | 'action' | 'victim'>,
  state: Pick<DecisionView, 'safelisted'>,
): string | undefined {
  const { victim, match, action } = mitigation;
  const refusal =
    checkTarget(state, policy, match, action) ??
    checkAllowed(policy, action, match.dstPrefix) ??
    (isPrefixVictim(victim)
      ? checkOwner(policy, victim, ownerOf(policy.inventory, victim) !== undefined)
      : undefined) ??
    checkProtectedPorts(policy.guardrails, mitigation);
  if (refusal !== undefined) return refusal.detail;
  return discardsAllowed(policy, mitigation) ? 'it discards a port that is now allowed' : undefined;
}

function discardsAllowed(
  policy: Policy,
  mitigation: Pick<Mitigation, 'match' | 'action' | 'victim'>,
): boolean {
  if (mitigation.action.type !== 'discard') return false;
  const owner = ownerOf(policy.inventory, mitigation.victim);
  return owner !== undefined && hitsAllowedPort(mitigation.match, owner.allowedPorts);
}

/** Lists active mitigations in order of creation. */
export function activeOnes(state: DecisionView): readonly Mitigation[] {
  return inOrder([...state.live].flatMap((id) => state.mitigations.get(id) ?? []).filter(isActive));
}

function inOrder(mitigations: readonly Mitigation[]): readonly Mitigation[] {
  return [...mitigations].sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
}

function endAll(
  mitigations: readonly Mitigation[],
  reasonOf: (mitigation: Mitigation) => string,
  actor: Actor,
  at: number,
  more: (mitigation: Mitigation) => Pick<Ending, 'revocable'> = () => ({}),
): Decision {
  const facts = mitigations.flatMap((mitigation) =>
    endingFacts(mitigation, {
      to: 'withdrawn',
      at,
      actor,
      reason: reasonOf(mitigation),
      ...more(mitigation),
    }),
  );
  return { facts, answer: { type: 'done', affected: mitigations.map(({ id }) => id) } };
}

// Asks for confirmation of requests that could remove all protection at once.

type NeedsConfirmation = Extract<Answer, { type: 'needs-confirmation' }>;

/** Prefixes shorter than these cover whole regions of the Internet. */
const SHORTEST_LENGTH = { 4: 8, 6: 16 } as const;

/**
 * Returns the question to ask before these of `active` mitigations end, when they are more than a tenth of all and
 * protect more than one victim; else undefined. `what` names the cause, such as "adding 203.0.113.0/24 to the safelist".
 */
export function askBeforeEnding(
  what: string,
  ended: readonly Pick<Mitigation, 'victim'>[],
  active: number,
): NeedsConfirmation | undefined {
  const victims = new Set(ended.map(({ victim }) => victim)).size;
  if (victims <= 1 || ended.length * 10 <= active) return undefined;
  return question(
    `${what} would withdraw ${ended.length} of ${active} active mitigations`,
    ended.length,
    active,
  );
}

/** Returns the question for a safelist entry. An entry that covers a large part of all addresses always asks. */
export function askBeforeSafelisting(
  prefix: Prefix,
  ended: readonly Pick<Mitigation, 'victim'>[],
  active: number,
): NeedsConfirmation | undefined {
  const shortest = SHORTEST_LENGTH[prefix.family];
  const what = `adding ${formatPrefix(prefix)} to the safelist`;
  if (prefix.length >= shortest) return askBeforeEnding(what, ended, active);
  const text = `${what} would rule out mitigations for more than a /${shortest} and withdraw ${ended.length} of ${active} active mitigations`;
  return question(text, ended.length, active);
}

function question(detail: string, ends: number, active: number): NeedsConfirmation {
  return { type: 'needs-confirmation', detail, ends, active };
}
