/**
 * Who keeps a mitigation alive (INTERFACES "What an event leads to", 7). A hold belongs to one alert of one reporter. It is
 * taken by a report, renewed by the next, and gone when the reporter says that the alert is over or says nothing for too long.
 */
import type { DecideContext } from '../commands.ts';
import type { Policy } from '../policy/policy.ts';
import type { Detection, Hold, HoldMode, Mitigation } from '../types.ts';

/** So many holds of one source are kept on one mitigation; beyond that its oldest lapse, so that no sender fills memory. */
export const MAX_HOLDS = 512;

/** So many of all sources; a detector may report under ever new names. */
export const MAX_HOLDS_OF_ALL = 2048;

/** The TTL is renewed this long before it ends (ms), or a quarter of the TTL before, whichever is less. */
const RENEWAL_MARGIN_MS = 10_000;

/** What a hold is known by. */
export type HoldIdentity = Pick<Hold, 'source' | 'alertId' | 'vector' | 'victim'>;

/** Equal exactly for reports of one alert. The lengths keep two pairs of texts from having one key. */
export function holdKey({ source, alertId, vector, victim }: HoldIdentity): string {
  const of = `${source.length} ${source}`;
  return alertId === null ? `${of} ${vector} ${victim}` : `${of}#${alertId}`;
}

/** The alert that a report is about. */
export function alertOf(detection: Detection): HoldIdentity {
  const { source, vector, victim, alertId, externalId } = detection;
  return { source, alertId: alertId ?? externalId, vector, victim };
}

/** How a report holds what it leads to: as its token says, else the configuration of its detector, else its kind of detector. */
export function holdModeOf(detection: Detection, policy: Policy, ofToken: HoldMode | undefined): HoldMode {
  return ofToken ?? policy.detectors.get(detection.source)?.hold ?? detection.hold ?? 'until_ttl';
}

/** The confidence that a report gives, or that its detector has by the configuration; null for neither. */
export function confidenceOf(detection: Detection, policy: Policy): number | null {
  return detection.confidence ?? policy.detectors.get(detection.source)?.confidence ?? null;
}

/**
 * The hold that a report takes on a mitigation which it keeps until `expiresAt`. A report that an alert began earlier
 * than the last one said, or that does not say, leaves the beginning as it was.
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
    // Compared with what detectors say, so by the system's time. Their clock may be ahead: what is reported has begun.
    beganAt: Math.min(began, systemTime),
    reportedAt: now,
    // While the rule stands by its TTL, its reporter can end it.
    until: mode === 'until_ttl' ? expiresAt : Math.max(expiresAt, now + policy.timers.maxHoldSeconds * 1000),
  };
}

/** The hold of an alert on a mitigation; undefined when it has none, or one that has lapsed. */
export function findHold(mitigation: Mitigation, key: string, now: number): Hold | undefined {
  return standingHolds(mitigation, now).find((hold) => holdKey(hold) === key);
}

/** Holds that have not lapsed. */
export function standingHolds(mitigation: Mitigation, now: number): readonly Hold[] {
  return holdsOf(mitigation).filter(({ until }) => until > now);
}

/** All holds. A mitigation of a journal of 0.1 names none: it is held by whoever reported it first, until its TTL. */
export function holdsOf(mitigation: Mitigation): readonly Hold[] {
  const { holds, source, vector, victim, createdAt, updatedAt, expiresAt } = mitigation;
  if (holds !== undefined) return holds;
  if (source === undefined || source === null) return [];
  const identity: HoldIdentity = { source, alertId: null, vector, victim };
  const times = { beganAt: createdAt, reportedAt: updatedAt, until: expiresAt };
  return [{ ...identity, mode: 'until_ttl', confidence: null, ...times }];
}

/** True for the hold of whoever opened a mitigation of a journal of 0.1, whatever holds were taken since. */
export function isOfOldJournal({ alertId, beganAt }: Hold, { createdAt }: Mitigation): boolean {
  return alertId === null && beganAt === createdAt;
}

/** The holds after one was taken or renewed at `now`. */
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

/** The holds without those of some keys. */
export function withoutHolds(holds: readonly Hold[], keys: readonly string[]): readonly Hold[] {
  const gone = new Set(keys);
  return holds.filter((hold) => !gone.has(holdKey(hold)));
}

/** Until when reporters that say when it is over hold a mitigation (ms); null when none does. */
export function heldUntil(mitigation: Mitigation, now: number): number | null {
  const untils = standingHolds(mitigation, now).flatMap(({ mode, until }) =>
    mode === 'until_released' ? [until] : [],
  );
  return untils.length === 0 ? null : Math.max(...untils);
}

/**
 * When to look at a mitigation again (ms): before its TTL ends if a hold lasts longer than that, and when its next step
 * could be taken on behalf of a hold; null when no hold asks for it. `nextStepAt`: null for no further step.
 */
export function renewalTime(mitigation: Mitigation, now: number, nextStepAt: number | null): number | null {
  const until = heldUntil(mitigation, now);
  if (until === null) return null;
  const { expiresAt } = mitigation;
  const margin = Math.min(RENEWAL_MARGIN_MS, Math.max(0, expiresAt - now) / 4);
  const times = [
    ...(until > expiresAt ? [Math.ceil(expiresAt - margin)] : []),
    ...(nextStepAt !== null && nextStepAt > now && nextStepAt < expiresAt ? [nextStepAt] : []),
  ];
  return times.length === 0 ? null : Math.min(...times);
}

/** Who holds a mitigation, in words: `fastnetmon, grafana (2 alerts)`; an empty text for nobody. */
export function holderWords(mitigation: Mitigation, now: number): string {
  const counts = new Map<string, number>();
  for (const { source } of standingHolds(mitigation, now)) counts.set(source, (counts.get(source) ?? 0) + 1);
  return [...counts]
    .map(([source, count]) => (count === 1 ? source : `${source} (${count} alerts)`))
    .join(', ');
}
