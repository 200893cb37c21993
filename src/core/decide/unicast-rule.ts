/**
 * Decides diversions and blackholes: which route, and when traffic may return to its usual way. Detectors no longer see
 * what is diverted, so their silence or an unban does not mean that the attack is over.
 *
 *               min_seconds over        quiet_seconds without a report
 *     diverted ─────────────────▶ quiet ─────────────────────────────▶ returning
 *         ▲                         │
 *         ╰──── an attack reported ─╯
 */
import { formatPrefix, knownPrefix, makePrefix } from '../../net/prefix.ts';
import { secondsWords } from '../../net/text.ts';
import { type MitigationAction, ruleKind } from '../action.ts';
import type { DecideContext } from '../commands.ts';
import { unicastTargetOf } from '../policy/scrubbers.ts';
import type { Policy } from '../policy/policy.ts';
import type { StateView } from '../state/state-view.ts';
import type { Away, Mitigation } from '../types.ts';
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
export type ReturnState = 'diverted' | 'quiet' | 'returning';

export function returnState(mitigation: Mitigation, now: number): ReturnState | undefined {
  const { away, ending } = mitigation;
  if (away === undefined || away === null) return undefined;
  if (ending !== null) return 'returning';
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
  victim: string,
  state: Pick<StateView, 'mitigations'>,
  { now, policy }: Pick<DecideContext, 'now' | 'policy'>,
): { readonly away: Away | undefined; readonly why: readonly string[] } {
  const times = unicastTargetOf(policy, action)?.return;
  if (times === undefined) return { away: undefined, why: [] };
  const before = lastAbsence(victim, state, now);
  const longer = before === undefined ? 0 : Math.min(before.minSeconds * times.backoff, times.maxSeconds);
  const minSeconds = Math.max(times.minSeconds, longer);
  const again = minSeconds > times.minSeconds ? ', because its traffic returned less than an hour ago' : '';
  const why = `its traffic stays away for at least ${secondsWords(minSeconds)}${again}, and until nothing is reported for ${secondsWords(times.quietSeconds)}`;
  return { away: { since: now, minSeconds }, why: [why] };
}

function lastAbsence(victim: string, state: Pick<StateView, 'mitigations'>, now: number): Away | undefined {
  let last: Mitigation | undefined;
  for (const mitigation of state.mitigations.values()) {
    const { endedAt, away } = mitigation;
    if (mitigation.victim !== victim || endedAt === null || away === undefined || away === null) continue;
    if (endedAt > now - BACKOFF_MS && endedAt >= (last?.endedAt ?? 0)) last = mitigation;
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
  const quiet = reportedAt + target.return.quietSeconds * 1000;
  const least = away === undefined || away === null ? 0 : away.since + away.minSeconds * 1000;
  return Math.min(Math.max(quiet, least), now + target.maxTtlSeconds * 1000);
}
