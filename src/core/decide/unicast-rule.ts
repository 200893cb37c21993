/**
 * Decides diversions and blackholes: which route, and when traffic may return to its usual way. Detectors no longer see
 * what is diverted, so their silence or an unban does not mean that the attack is over.
 *
 *               min_seconds over         quiet_seconds without a report, or the scrubber says "clean"
 *     diverted ─────────────────▶ quiet ──────────────────────────────────────────────────────────▶ returning
 *                                 ▲   │ an attack is reported: quiet_seconds begin again
 *                                 ╰───╯
 *
 * With `probe_seconds`, a blackhole does not end at once: it is lifted for that long.
 *
 *             probe_seconds without a report
 *     probing ─────────────────────────────▶ returning
 *        │ an attack is reported
 *        ╰───────────────────────▶ diverted, longer than before
 */
import { formatPrefix, knownPrefix, makePrefix } from '../../net/prefix.ts';
import { secondsWords } from '../../net/text.ts';
import { type MitigationAction, ruleKind, scrubberOf } from '../action.ts';
import type { Command, DecideContext, Decision } from '../commands.ts';
import type { Fact, MitigationChange } from '../facts.ts';
import { type ReturnTimes, unicastTargetOf } from '../policy/scrubbers.ts';
import type { Policy } from '../policy/policy.ts';
import { isActive } from '../state/indices.ts';
import type { DecisionView, StateView } from '../state/state-view.ts';
import type { Away, Filter, Mitigation } from '../types.ts';
import { destinationOf, type RuleDraft } from './rule.ts';

/** Drafts the route for a victim: the prefix of the configured length that contains it. */
export function draftUnicast(victim: string, action: MitigationAction, policy: Policy): RuleDraft {
  const target = unicastTargetOf(policy, action);
  const { family, address, length } = knownPrefix(destinationOf(victim));
  const wanted = (family === 4 ? target?.lengthV4 : target?.lengthV6) ?? (family === 4 ? 32 : 128);
  if (length < wanted) {
    const why = `${victim} is wider than /${wanted}, the length of the routes that ${action.type} announces`;
    return { rule: undefined, why: [why] };
  }
  const prefix = formatPrefix(makePrefix(address, wanted));
  const match = { dstPrefix: prefix, protocol: null, dstPorts: [], srcPorts: [] };
  return {
    rule: { match, ports: [], excludedPorts: [] },
    why: [`the route covers all traffic to ${prefix}`],
  };
}

/** The state of a mitigation's traffic; undefined if it takes its usual way. */
export type ReturnState = 'diverted' | 'quiet' | 'probing' | 'returning';

export function returnState(mitigation: Mitigation, now: number): ReturnState | undefined {
  const { away, ending } = mitigation;
  if (away === undefined || away === null) return undefined;
  if (ending !== null) return 'returning';
  if (away.probeUntil !== undefined) return 'probing';
  return now < away.since + away.minSeconds * 1000 ? 'diverted' : 'quiet';
}

/** A return is followed by a longer absence if the attack comes back within this time (ms). */
const BACKOFF_MS = 60 * 60 * 1000;

/**
 * Begins the absence of a victim's traffic; undefined for a FlowSpec action. If its traffic returned less than an hour
 * ago, the return was too early, and the shortest absence is longer by the configured factor.
 */
export function awayFor(
  action: MitigationAction,
  { victim }: Pick<Mitigation, 'victim'>,
  state: Pick<StateView, 'mitigations'>,
  { now, policy }: Pick<DecideContext, 'now' | 'policy'>,
): { readonly away: Away | undefined; readonly why: readonly string[] } {
  const times = unicastTargetOf(policy, action)?.return;
  if (times === undefined) return { away: undefined, why: [] };
  const route = draftUnicast(victim, action, policy).rule?.match.dstPrefix;
  const before = lastAbsence(route, state, now);
  const minSeconds = before === undefined ? times.minSeconds : longerAbsence(before, times);
  const again = minSeconds > times.minSeconds ? ', because its traffic returned less than an hour ago' : '';
  const why = `its traffic stays away for at least ${secondsWords(minSeconds)}${again}, and until nothing is reported for ${secondsWords(times.quietSeconds)}`;
  return { away: { since: now, minSeconds }, why: [why] };
}

/** Returns the shortest absence (s) after one that was too short. */
function longerAbsence(before: Away, { minSeconds, backoff, maxSeconds }: ReturnTimes): number {
  return Math.max(minSeconds, Math.min(before.minSeconds * backoff, maxSeconds));
}

/** Returns the last absence of a route's traffic that ended by itself, less than an hour ago. */
function lastAbsence(
  dstPrefix: string | undefined,
  state: Pick<StateView, 'mitigations'>,
  now: number,
): Away | undefined {
  let last: Mitigation | undefined;
  for (const mitigation of state.mitigations.values()) {
    const { ending, away, match } = mitigation;
    if (match.dstPrefix !== dstPrefix || ending === null || away === undefined || away === null) continue;
    // An operator who ends it knows more than its silence.
    if (ending.actor.kind === 'operator' || ending.at <= now - BACKOFF_MS) continue;
    if (ending.at >= (last?.ending?.at ?? 0)) last = mitigation;
  }
  return last?.away ?? undefined;
}

/**
 * Returns the earliest time at which a mitigation may end for the sake of its diverted traffic (ms), if the last report
 * came at `reportedAt`; 0 for a FlowSpec rule. Never later than the longest TTL from now.
 */
export function earliestReturn(
  mitigation: Pick<Mitigation, 'action' | 'away'>,
  reportedAt: number,
  { now, policy }: Pick<DecideContext, 'now' | 'policy'>,
): number {
  const target = unicastTargetOf(policy, mitigation.action);
  if (target === undefined || ruleKind(mitigation.action) === 'flowspec') return 0;
  const { away } = mitigation;
  if (away?.probeUntil !== undefined) return Math.min(away.probeUntil, now + target.maxTtlSeconds * 1000);
  const least = away === undefined || away === null ? 0 : away.since + away.minSeconds * 1000;
  if (away?.cleanAt !== undefined) return Math.min(Math.max(now, least), now + target.maxTtlSeconds * 1000);
  const quiet = Math.max(reportedAt, least) + target.return.quietSeconds * 1000;
  return Math.min(quiet, now + target.maxTtlSeconds * 1000);
}

/** Returns true if the scrubber has reported clean traffic, so that no detector's hold keeps it away. */
export function isClean({ away }: Pick<Mitigation, 'away'>): boolean {
  return away?.cleanAt !== undefined;
}

/** Returns the absence after another report of the attack; undefined if that changes nothing. */
export function attackedAgain(
  { away, action }: Pick<Mitigation, 'away' | 'action'>,
  { now, policy }: Pick<DecideContext, 'now' | 'policy'>,
): Away | undefined {
  if (away?.probeUntil !== undefined) {
    const times = unicastTargetOf(policy, action)?.return;
    return { since: now, minSeconds: times === undefined ? away.minSeconds : longerAbsence(away, times) };
  }
  if (away?.cleanAt === undefined) return undefined;
  return { since: away.since, minSeconds: away.minSeconds };
}

/**
 * Returns the change that lifts a blackhole to see whether the attack goes on, in place of its end; undefined if it ends
 * at once: no probe is configured, it was lifted already, an operator asked for it until a certain time, or another POP
 * decides about it.
 */
export function probeChange(
  { action, away, playbook, origin }: Mitigation,
  { now, policy }: Pick<DecideContext, 'now' | 'policy'>,
): MitigationChange | undefined {
  const seconds =
    action.type === 'blackhole' ? unicastTargetOf(policy, action)?.return.probeSeconds : undefined;
  if (seconds === undefined || seconds === 0 || playbook === null || origin !== undefined) return undefined;
  if (away === undefined || away === null || away.probeUntil !== undefined) return undefined;
  const until = now + seconds * 1000;
  const words = `the blackhole is lifted for ${secondsWords(seconds)} to see whether the attack goes on`;
  return { away: { ...away, probeUntil: until }, expiresAt: until, renewAt: null, why: [words] };
}

/**
 * Returns the change of the FlowSpec rule that stays beneath an action: a mitigation's rule when its traffic is diverted
 * or blackholed, nothing when a rule follows, and no change between two routes.
 */
export function filterUnder(
  action: MitigationAction,
  { match, ports, excludedPorts, action: before, step, filter }: Mitigation,
): Pick<MitigationChange, 'filter'> {
  const [from, to] = [ruleKind(before), ruleKind(action)];
  if (from === 'flowspec')
    return to === 'flowspec' ? {} : { filter: { match, ports, excludedPorts, action: before, step } };
  return to === 'flowspec' && filter !== undefined && filter !== null ? { filter: null } : {};
}

/** Returns the rule that a mitigation had or has as FlowSpec; undefined if it began with a route. */
export function flowSpecOf(mitigation: Mitigation): Omit<Filter, 'step'> | undefined {
  return ruleKind(mitigation.action) === 'flowspec' ? mitigation : (mitigation.filter ?? undefined);
}

/**
 * Decides a scrubber's signal that a victim's traffic is clean: what is diverted to it returns when `min_seconds` are
 * over, at once if they are. Without a victim it is about all of its diversions.
 */
export function decideClean(
  state: DecisionView,
  { scrubber, victim, actor }: Extract<Command, { type: 'scrubber-clean' }>,
  { now }: Pick<DecideContext, 'now'>,
): Decision {
  const about = [...state.live]
    .flatMap((id) => state.mitigations.get(id) ?? [])
    .filter((mitigation) => isActive(mitigation) && scrubberOf(mitigation.action) === scrubber)
    .filter((mitigation) => victim === undefined || mitigation.victim === victim);
  const facts = about.flatMap(({ id, away, expiresAt: before }): readonly Fact[] => {
    if (away === undefined || away === null) return [];
    const expiresAt = Math.min(before, Math.max(now, away.since + away.minSeconds * 1000));
    const why = [`scrubber ${scrubber} reports clean traffic (${actor.name})`];
    const change = { away: { ...away, cleanAt: now }, expiresAt, renewAt: null, why };
    return [{ type: 'mitigation.extended', id, change }];
  });
  return {
    facts,
    answer: { type: 'done', affected: facts.flatMap((fact) => ('id' in fact ? [fact.id] : [])) },
  };
}
