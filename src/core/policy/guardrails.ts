/**
 * The limits that no rule may cross, whoever asks for it. Each check returns a stable code and a sentence, or undefined. The
 * egress check (control/egress.ts) is independent of these.
 */
import { formatPrefix, type Prefix, parsePrefix } from '../../net/prefix.ts';
import { notUnicast } from '../../net/special-addresses.ts';
import { DEFAULT_UNICAST_QUOTAS, type Guardrails, type Policy } from './policy.ts';
import { maxTtlSeconds, NO_TARGETS, type Scrubber, unicastTargetOf } from './scrubbers.ts';
import { type MitigationAction, ruleKind, scrubberOf, unicastKey } from '../action.ts';
import type { UnicastKind, UnicastScope } from '../state/indices.ts';
import { inRanges } from './ports.ts';
import { overlappingPrefix } from '../../net/prefix-trie.ts';
import type { Rule } from '../decide/rule.ts';
import type { DecisionView, ScrubberFailure } from '../state/state-view.ts';
import type { DecideContext } from '../commands.ts';
import type { Match, RefusalReason } from '../types.ts';
import { isPrefixVictim, ownerOf } from '../victim.ts';
import { portWords } from '../rule-text.ts';

export interface Refusal {
  readonly reason: RefusalReason;
  /** Explains the refusal. */
  readonly detail: string;
}

/** The prefixes of a rule: its destination, and its source if it has one. */
interface Touched {
  readonly prefix: Prefix;
  readonly role: 'destination' | 'source';
}

/**
 * Checks a rule's target: unicast addresses of hosts only, safelist, protected prefixes, prefix lengths, source
 * matching. No setting disables the first of these.
 */
export function checkTarget(
  state: Pick<DecisionView, 'safelisted'>,
  policy: Policy,
  match: Match,
  action: MitigationAction,
): Refusal | undefined {
  const touched = touchedBy(match);
  if ('reason' in touched) return touched;
  for (const { prefix, role } of touched) {
    const refusal =
      checkSafelist(state, policy, prefix, role) ?? checkProtected(policy.guardrails, prefix, role);
    if (refusal !== undefined) return refusal;
  }
  const destination = touched[0]?.prefix;
  if (destination === undefined) return tooBroad('it has no destination');
  if (match.srcPrefix !== undefined && policy.guardrails.allowSrcPrefixMatch !== true) {
    return tooBroad('matching by source prefix is not allowed (guardrails.allow_src_prefix_match)');
  }
  return checkLength(lengthsOf(policy, action, destination), destination) ?? checkUnicast(destination);
}

function checkUnicast(destination: Prefix): Refusal | undefined {
  const special = notUnicast(destination);
  if (special === undefined) return undefined;
  const detail = `destination ${formatPrefix(destination)} is not a customer's unicast address: ${special.name} (${special.source})`;
  return { reason: 'not_unicast', detail };
}

function touchedBy(match: Match): readonly Touched[] | Refusal {
  const destination = parsePrefix(match.dstPrefix);
  if (!destination.ok) return tooBroad(`its destination is invalid: ${destination.error}`);
  if (match.srcPrefix === undefined) return [{ prefix: destination.value, role: 'destination' }];
  const source = parsePrefix(match.srcPrefix);
  if (!source.ok) return tooBroad(`its source is invalid: ${source.error}`);
  return [
    { prefix: destination.value, role: 'destination' },
    { prefix: source.value, role: 'source' },
  ];
}

function checkSafelist(
  state: Pick<DecisionView, 'safelisted'>,
  policy: Policy,
  prefix: Prefix,
  role: Touched['role'],
): Refusal | undefined {
  const configured = overlappingPrefix(policy.safelist, prefix);
  const entry = configured === undefined ? state.safelisted(prefix)?.prefix : formatPrefix(configured);
  if (entry === undefined) return undefined;
  return {
    reason: 'safelisted',
    detail: `${overlapWords(prefix, role)} safelisted prefix ${entry}`,
  };
}

function checkProtected(guardrails: Guardrails, prefix: Prefix, role: Touched['role']): Refusal | undefined {
  const entry = overlappingPrefix(guardrails.protectedPrefixes, prefix);
  if (entry === undefined) return undefined;
  return {
    reason: 'protected',
    detail: `${overlapWords(prefix, role)} protected prefix ${formatPrefix(entry)}`,
  };
}

function overlapWords(prefix: Prefix, role: Touched['role']): string {
  return `${role === 'source' ? 'source ' : ''}${formatPrefix(prefix)} overlaps`;
}

/** Returns the allowed lengths of a destination; a unicast route has exactly the configured one. */
function lengthsOf(
  policy: Policy,
  action: MitigationAction,
  { family }: Prefix,
): readonly [least: number, most: number] {
  const target = unicastTargetOf(policy, action);
  if (target !== undefined) {
    const length = family === 4 ? target.lengthV4 : target.lengthV6;
    return [length, length];
  }
  const { guardrails } = policy;
  return family === 4
    ? [guardrails.dstPrefixMinLen, guardrails.dstPrefixMaxLen]
    : [guardrails.dstPrefixMinLenV6, guardrails.dstPrefixMaxLenV6];
}

function checkLength(
  [least, most]: readonly [number, number],
  { length }: Pick<Prefix, 'length'>,
): Refusal | undefined {
  if (length < least) return tooBroad(`its destination /${length} is shorter than the allowed /${least}`);
  if (length <= most) return undefined;
  return {
    reason: 'prefix_length',
    detail: `the destination /${length} is longer than the allowed /${most}`,
  };
}

/**
 * Checks that the victim belongs to a customer. A prefix must belong to one customer even if the inventory is not
 * required: otherwise the allowed ports inside it are unknown.
 */
export function checkOwner(policy: Policy, victim: string, owned: boolean): Refusal | undefined {
  if (owned) return undefined;
  if (isPrefixVictim(victim) && policy.inventory.size > 0) {
    return { reason: 'not_in_inventory', detail: `no customer of the inventory owns all of ${victim}` };
  }
  if (!policy.guardrails.requireInventory) return undefined;
  return { reason: 'not_in_inventory', detail: `${victim} is not in the inventory` };
}

/** Checks the ports that a rule names. A rule without ports is checked by its destination alone. */
export function checkPorts(guardrails: Guardrails, rule: Rule): Refusal | undefined {
  const refusal = checkProtectedPorts(guardrails, rule);
  if (refusal !== undefined) return refusal;
  if (rule.ports.length <= guardrails.maxPorts) return undefined;
  return {
    reason: 'too_many_ports',
    detail: `the rule names ${rule.ports.length} ports, more than the allowed ${guardrails.maxPorts}`,
  };
}

/** Checks if a rule names a protected port, as destination or as source; used for active rules, too. */
export function checkProtectedPorts(
  guardrails: Guardrails,
  { match, ports }: Pick<Rule, 'match' | 'ports'>,
): Refusal | undefined {
  const named = guardrails.protectedPorts.filter(
    (port) => ports.includes(port) || inRanges(port, match.srcPorts),
  );
  if (named.length === 0) return undefined;
  return { reason: 'protected', detail: `the rule names protected ${portWords(named)}` };
}

/** Checks a requested TTL. */
export function checkTtl(policy: Policy, action: MitigationAction, seconds: number): Refusal | undefined {
  const [least, most] = [policy.timers.minTtlSeconds, maxTtlSeconds(policy, action)];
  if (seconds >= least && seconds <= most) return undefined;
  return {
    reason: 'ttl_out_of_bounds',
    detail: `TTL ${seconds} s is outside the allowed ${least} to ${most} s`,
  };
}

/**
 * Checks if an action may be taken for a prefix at all: its scrubber is configured, a customer owns the prefix, and
 * blackholing is allowed.
 */
export function checkAllowed(policy: Policy, action: MitigationAction, prefix: string): Refusal | undefined {
  const { targets = NO_TARGETS } = policy;
  const name = scrubberOf(action);
  const scrubber = name === undefined ? undefined : targets.scrubbers.get(name);
  if (name !== undefined && scrubber === undefined) return notAllowed(`scrubber ${name} is not configured`);
  const kind = ruleKind(action);
  if (kind === 'flowspec') return undefined;
  const owner = ownerOf(policy.inventory, prefix);
  if (owner === undefined) {
    return { reason: 'not_in_inventory', detail: `no customer of the inventory owns all of ${prefix}` };
  }
  if (kind === 'divert') {
    if (scrubber?.divert !== undefined) return undefined;
    return notAllowed(`nothing can be diverted to scrubber ${name}: it has no divert section`);
  }
  const { allowed, customers } = targets.blackhole;
  if (!allowed) return notAllowed('blackholing is not allowed (blackhole.allowed)');
  if (customers.length === 0 || customers.includes(owner.customerId)) return undefined;
  return notAllowed(`customer ${owner.customerId} must not be blackholed (blackhole.customers)`);
}

/** Calls `checkAllowed`, and checks the quotas of diversions and blackholes and the scrubber's room. */
export function checkAction(
  state: Pick<DecisionView, 'activeUnicast' | 'withMatch' | 'mitigations' | 'downScrubbers'>,
  policy: Policy,
  action: MitigationAction,
  prefix: string,
): Refusal | undefined {
  const kind = ruleKind(action);
  const refusal = checkAllowed(policy, action, prefix) ?? checkHealth(state, policy, action);
  if (refusal !== undefined || kind === 'flowspec') return refusal;
  const dryRun = policy.mode === 'dry-run';
  // A router holds one route for a prefix, so a mitigation that shares it takes no further place.
  const sharing = [...state.withMatch(unicastKey(prefix))]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter((one) => one.ending === null && one.dryRun === dryRun && ruleKind(one.action) === kind);
  if (sharing.some((one) => scrubberOf(one.action) === scrubberOf(action))) return undefined;
  const isNew = sharing.length === 0;
  const scrubber = (policy.targets ?? NO_TARGETS).scrubbers.get(scrubberOf(action) ?? '');
  const customerId = ownerOf(policy.inventory, prefix)?.customerId ?? '';
  return checkUnicastQuotas(state, policy, kind, isNew ? customerId : undefined, scrubber);
}

/** Checks that the action's scrubber answers its health probe, if it has one. */
function checkHealth(
  state: Pick<DecisionView, 'downScrubbers'>,
  policy: Policy,
  action: MitigationAction,
): Refusal | undefined {
  const failure = scrubberFailure(state, policy, action);
  if (failure === undefined) return undefined;
  return { reason: 'scrubber_unhealthy', detail: failureWords(scrubberOf(action) ?? '', failure) };
}

/** Returns the failure of the scrubber that an action sends traffic to; undefined if it is healthy, or not probed. */
export function scrubberFailure(
  { downScrubbers }: Pick<DecisionView, 'downScrubbers'>,
  { targets = NO_TARGETS }: Pick<Policy, 'targets'>,
  action: MitigationAction,
): ScrubberFailure | undefined {
  const name = scrubberOf(action);
  if (name === undefined || targets.scrubbers.get(name)?.probe === undefined) return undefined;
  return downScrubbers.get(name);
}

export function failureWords(scrubber: string, { reason }: Pick<ScrubberFailure, 'reason'>): string {
  return `scrubber ${scrubber} does not answer its health probe: ${reason}`;
}

function notAllowed(detail: string): Refusal {
  return { reason: 'action_not_allowed', detail };
}

/** `customerId`: undefined if the route only moves to another scrubber. */
function checkUnicastQuotas(
  state: Pick<DecisionView, 'activeUnicast'>,
  policy: Policy,
  kind: UnicastKind,
  customerId: string | undefined,
  scrubber: Scrubber | undefined,
): Refusal | undefined {
  const quotas = { ...DEFAULT_UNICAST_QUOTAS, ...policy.quotas };
  const dryRun = policy.mode === 'dry-run';
  const [reason, what, perCustomer, perPop] =
    kind === 'divert'
      ? (['quota_diverted', 'diversions', quotas.maxDivertedPerCustomer, quotas.maxDivertedPerPop] as const)
      : ([
          'quota_blackholed',
          'blackholes',
          quotas.maxBlackholedPerCustomer,
          quotas.maxBlackholedPerPop,
        ] as const);
  const full = (scope: UnicastScope, name: string, most: number, of: string): Refusal | undefined => {
    const count = state.activeUnicast(kind, scope, name, dryRun);
    return count < most ? undefined : { reason, detail: `${what} ${of}: ${count} of at most ${most}` };
  };
  const ofPlaces =
    customerId === undefined
      ? undefined
      : (full('customer', customerId, perCustomer, `for customer ${customerId}`) ??
        full('pop', policy.pop, perPop, `at ${policy.pop}`));
  return (
    ofPlaces ??
    (scrubber === undefined || kind !== 'divert'
      ? undefined
      : full('scrubber', scrubber.name, scrubber.maxDiverted, `to ${scrubber.name} (max_diverted)`))
  );
}

/**
 * Checks the quotas for one more mitigation that replaces `freed` others. Dry-run mitigations have quotas of their own,
 * of the same size.
 */
export function checkQuotas(
  state: DecisionView,
  context: Pick<DecideContext, 'policy' | 'now' | 'elsewhere'>,
  customerId: string | null,
  freed = 0,
): Refusal | undefined {
  const { policy, now } = context;
  const { quotas, pop } = policy;
  const dryRun = policy.mode === 'dry-run';
  const full = (reason: RefusalReason, count: number, most: number, of: string): Refusal | undefined =>
    fullQuota(reason, count - freed, most, of, freed);
  const ofCustomer = customerId === null ? 0 : state.activeOfCustomer(customerId, dryRun);
  const everywhere = activeEverywhere(state, context.elsewhere, dryRun);
  const perMinute = quotas.maxNewPerMinute;
  return (
    (customerId === null
      ? undefined
      : full(
          'quota_customer',
          ofCustomer,
          quotas.maxActivePerCustomer,
          `active for customer ${customerId}`,
        )) ??
    full('quota_pop', state.activeOfPop(pop, dryRun), quotas.maxActivePerPop, `active at ${pop}`) ??
    full('quota_global', everywhere.count, quotas.maxActiveGlobal, everywhere.words) ??
    full('quota_rate', state.createdInMinute(now, dryRun), perMinute, 'created within a minute')
  );
}

/** Refuses one more if `count` of at most `most` are taken. The detail also counts the `freed` ones. */
export function fullQuota(
  reason: RefusalReason,
  count: number,
  most: number,
  of: string,
  freed = 0,
): Refusal | undefined {
  return count < most ? undefined : { reason, detail: `${of}: ${count + freed} of at most ${most}` };
}

/**
 * Counts the active mitigations of all POPs, as far as they are known. What came from another POP counts there. A dry
 * run concerns no other POP.
 */
export function activeEverywhere(
  state: Pick<DecisionView, 'activeTotal' | 'activeImported'>,
  elsewhere: DecideContext['elsewhere'],
  dryRun: boolean,
): { readonly count: number; readonly words: string } {
  const total = state.activeTotal(dryRun);
  if (elsewhere === undefined || dryRun) return { count: total, words: 'active in all' };
  const imported = [...state.activeImported(dryRun).values()].reduce((sum, count) => sum + count, 0);
  const stale = elsewhere.stale.join(', ');
  const words = stale === '' ? 'active in all' : `active in all, with the last known number of ${stale}`;
  return { count: total - imported + elsewhere.active, words };
}

function tooBroad(what: string): Refusal {
  return { reason: 'rule_too_broad', detail: `the rule is too broad: ${what}` };
}
