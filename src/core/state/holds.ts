/**
 * Holds, which keep a mitigation alive. A hold belongs to one alert of one reporter. A report takes it, the next renews
 * it, and it is gone when the reporter ends the alert or is silent for too long.
 */
import type { DecideContext } from '../commands.ts';
import type { Policy } from '../policy/policy.ts';
import type { Detection, Hold, HoldMode, Mitigation } from '../types.ts';

/** Limits one source's holds on one mitigation; beyond it the oldest lapse, so that no sender fills the memory. */
export const MAX_HOLDS = 512;

/** Limits the holds of all sources together, because a detector may report under ever new names. */
export const MAX_HOLDS_OF_ALL = 2048;

/** The TTL is renewed this long before it expires (ms), or a quarter of the TTL before, whichever is less. */
const RENEWAL_MARGIN_MS = 10_000;

/** The fields that identify a hold. */
export type HoldIdentity = Pick<Hold, 'source' | 'alertId' | 'vector' | 'victim'>;

/** Returns a key that is equal exactly for reports of one alert. The lengths make it unambiguous. */
export function holdKey({ source, alertId, vector, victim }: HoldIdentity): string {
  const of = `${source.length} ${source}`;
  return alertId === null ? `${of} ${vector} ${victim}` : `${of}#${alertId}`;
}

/** Returns the alert that a report is about. */
export function alertOf(detection: Detection): HoldIdentity {
  const { source, vector, victim, alertId, externalId } = detection;
  return { source, alertId: alertId ?? externalId, vector, victim };
}

/**
 * Returns a report's hold mode: its token's, else that of its detector's configuration, else its kind of detector's.
 */
export function holdModeOf(detection: Detection, policy: Policy, ofToken: HoldMode | undefined): HoldMode {
  return ofToken ?? policy.detectors.get(detection.source)?.hold ?? detection.hold ?? 'until_ttl';
}

/** Returns a report's confidence, or that of its detector's configuration; null for neither. */
export function confidenceOf(detection: Detection, policy: Policy): number | null {
  return detection.confidence ?? policy.detectors.get(detection.source)?.confidence ?? null;
}

/**
 * Builds the hold of a report on a mitigation that lasts until `expiresAt`. A reported beginning earlier than the last
 * one, or none, leaves the beginning unchanged.
 */
export function holdFor(
  detection: Detection,
  mode: HoldMode,
  { now, systemTime = now, policy }: Pick<DecideContext, 'now' | 'systemTime' | 'policy'>,
  expiresAt: number,
  before: Hold | undefined,
): Hold {
  const said = detection.beganAt ?? detection.at;
  const began = Math.max(said ?? before?.beganAt ?? systemTime, before?.beganAt ?? 0);
  return {
    ...alertOf(detection),
    mode,
    confidence: confidenceOf(detection, policy),
    // Uses the system's time, because detectors' times are compared with it. A detector's clock may be ahead.
    beganAt: Math.min(began, systemTime),
    reportedAt: now,
    // The hold lasts at least as long as the TTL, so that its reporter can end the rule.
    until: mode === 'until_ttl' ? expiresAt : Math.max(expiresAt, now + policy.timers.maxHoldSeconds * 1000),
  };
}

/** Returns an alert's hold on a mitigation; undefined when it has none, or when it has lapsed. */
export function findHold(mitigation: Mitigation, key: string, now: number): Hold | undefined {
  return activeHolds(mitigation, now).find((hold) => holdKey(hold) === key);
}

/** Returns the holds that have not lapsed. */
export function activeHolds(mitigation: Mitigation, now: number): readonly Hold[] {
  return holdsOf(mitigation).filter(({ until }) => until > now);
}

/** Returns all holds. In a 0.1 journal a mitigation has none: its first reporter holds it until its TTL expires. */
export function holdsOf(mitigation: Mitigation): readonly Hold[] {
  const { holds, source, vector, victim, createdAt, updatedAt, expiresAt } = mitigation;
  if (holds !== undefined) return holds;
  if (source === undefined || source === null) return [];
  const identity: HoldIdentity = { source, alertId: null, vector, victim };
  const times = { beganAt: createdAt, reportedAt: updatedAt, until: expiresAt };
  return [{ ...identity, mode: 'until_ttl', confidence: null, ...times }];
}

/** True for the hold of the first reporter of a mitigation from a 0.1 journal, whatever holds were taken since. */
export function isOfOldJournal({ alertId, beganAt }: Hold, { createdAt }: Mitigation): boolean {
  return alertId === null && beganAt === createdAt;
}

/** Returns the holds after one was taken or renewed at `now`. */
export function withHold(holds: readonly Hold[], hold: Hold, now: number): readonly Hold[] {
  const key = holdKey(hold);
  const others = holds.filter((one) => one.until > now && holdKey(one) !== key);
  const ofSource = others.filter(({ source }) => source === hold.source);
  const isFull = others.length >= MAX_HOLDS_OF_ALL;
  if (ofSource.length < MAX_HOLDS && !isFull) return [...others, hold];
  const oldest = (ofSource.length < MAX_HOLDS ? others : ofSource).reduce((a, b) =>
    b.reportedAt < a.reportedAt ? b : a,
  );
  return [...others.filter((one) => one !== oldest), hold];
}

/** Returns the holds without those of these keys. */
export function withoutHolds(holds: readonly Hold[], keys: readonly string[]): readonly Hold[] {
  const gone = new Set(keys);
  return holds.filter((hold) => !gone.has(holdKey(hold)));
}

/** Returns the time until which reporters that report the end hold a mitigation (ms); undefined when none does. */
export function heldUntil(mitigation: Mitigation, now: number): number | undefined {
  const untils = activeHolds(mitigation, now).flatMap(({ mode, until }) =>
    mode === 'until_released' ? [until] : [],
  );
  return untils.length === 0 ? undefined : Math.max(...untils);
}

/**
 * Returns the time to look at a mitigation again (ms): before its TTL expires if a hold lasts longer, and when its next
 * step could be taken for a hold; undefined when no hold needs that. `nextStepAt`: absent for no further step.
 */
export function renewalTime(mitigation: Mitigation, now: number, nextStepAt?: number): number | undefined {
  const until = heldUntil(mitigation, now);
  if (until === undefined) return undefined;
  const { expiresAt } = mitigation;
  const margin = Math.min(RENEWAL_MARGIN_MS, Math.max(0, expiresAt - now) / 4);
  const times = [
    ...(until > expiresAt ? [Math.ceil(expiresAt - margin)] : []),
    ...(nextStepAt !== undefined && nextStepAt > now && nextStepAt < expiresAt ? [nextStepAt] : []),
  ];
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Lists a mitigation's holders: `fastnetmon, grafana (2 alerts)`; an empty text for none. */
export function holderWords(mitigation: Mitigation, now: number): string {
  const counts = new Map<string, number>();
  for (const { source } of activeHolds(mitigation, now)) counts.set(source, (counts.get(source) ?? 0) + 1);
  return [...counts]
    .map(([source, count]) => (count === 1 ? source : `${source} (${count} alerts)`))
    .join(', ');
}
