/** Compares how often detectors repeat a report with the TTL of their rules. */
import { stepTtl } from '../../core/decide/lifecycle.ts';
import type { Policy } from '../../core/policy/policy.ts';
import { USUAL_PROFILE } from '../../core/policy/profile.ts';
import { secondsWords } from '../../net/text.ts';
import type { Findings, Path } from '../config-problem.ts';
import { type DetectorEntry, sourcesIn } from '../schema/detectors-schema.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { endingSources } from './webhook-checks.ts';

/**
 * Seconds between a detector's reports of one attack, by default: Alertmanager's and Grafana's `repeat_interval` is 4
 * h. FastNetMon reports an attack once.
 */
const REPEATS_BY_DEFAULT: Readonly<Record<string, number>> = {
  alertmanager: 4 * 3600,
  grafana: 4 * 3600,
  fastnetmon: Number.POSITIVE_INFINITY,
};

type Detectors = Settings['detectors'];

/** Checks every configured detector whose repetition is known. */
export function repetitionChecks(detectors: Detectors, policy: Policy, found: Findings): void {
  const ending = endingSources(detectors.webhooks);
  for (const [source, detector] of sourcesIn(detectors)) {
    const at: Path = ['detectors', source, detector.repeat_seconds === undefined ? 'hold' : 'repeat_seconds'];
    const hold =
      detector.hold ?? (source in REPEATS_BY_DEFAULT || ending.has(source) ? 'until_released' : 'until_ttl');
    if (hold === 'until_released') heldChecks(detector, at, policy, found);
    else ttlChecks(source, detector, at, policy, found);
  }
}

/** Checks detectors whose TTL is renewed for `max_hold_seconds` after the last report. */
function heldChecks(
  { repeat_seconds: every }: DetectorEntry,
  at: Path,
  { timers }: Policy,
  found: Findings,
): void {
  const longest = timers.maxHoldSeconds;
  if (every === undefined || every <= longest) return;
  found.warning(
    at,
    `the detector repeats a report every ${secondsWords(every)}, but rules are renewed for only ${secondsWords(longest)} after the last report (timers.max_hold_seconds): they expire during the attack`,
    `let the detector repeat its report at least every ${secondsWords(longest)}`,
  );
}

function ttlChecks(
  source: string,
  { repeat_seconds: said }: DetectorEntry,
  at: Path,
  policy: Policy,
  found: Findings,
): void {
  const every = said ?? REPEATS_BY_DEFAULT[source];
  if (every === undefined) return;
  const short = ttlsFor(source, policy).filter(({ seconds }) => seconds <= every);
  const shortest = short.reduce<(typeof short)[number] | undefined>(
    (least, one) => (least === undefined || one.seconds < least.seconds ? one : least),
    undefined,
  );
  if (shortest === undefined) return;
  const others = short.length === 1 ? '' : `, the shortest of ${short.length} TTLs that are too short`;
  const ttl = `the TTL of ${shortest.name} is ${secondsWords(shortest.seconds)}${others}`;
  if (every === Number.POSITIVE_INFINITY) {
    found.warning(
      at,
      `${source} reports an attack once, but ${ttl}: rules expire during the attack`,
      'omit hold, so that a rule lasts until the unban; or set repeat_seconds to how often it repeats its report',
    );
    return;
  }
  const rhythm =
    said === undefined
      ? `${source} repeats a report every ${secondsWords(every)} by default`
      : `the detector repeats a report every ${secondsWords(every)}`;
  found.warning(
    at,
    `${rhythm}, but ${ttl}: rules expire during the attack`,
    `let the detector repeat its report more often than every ${secondsWords(shortest.seconds)}${said === undefined ? ' and set repeat_seconds' : ''}, or write a longer ttl_seconds`,
  );
}

/** Returns the shortest TTL (s) of each step that an attack reported by `source` can reach. */
function ttlsFor(
  source: string,
  policy: Policy,
): readonly { readonly name: string; readonly seconds: number }[] {
  const { profiles, playbooks, inventory } = policy;
  const { customers } = inventory.data;
  const used = new Set(customers.map(({ policy_profile: profile = USUAL_PROFILE }) => profile));
  if (used.size === 0) used.add(USUAL_PROFILE);
  return [...playbooks.byName.values()].flatMap(({ name, match, steps }) => {
    if (match.sources.length > 0 && !match.sources.includes(source)) return [];
    const meant = [...used].filter(
      (profile) => match.profiles.length === 0 || match.profiles.includes(profile),
    );
    return steps.flatMap((step, i) => {
      const seconds = meant.map((profile) => stepTtl(step, profiles[profile], policy).seconds);
      if (seconds.length === 0) return [];
      return [{ name: `step ${i + 1} of ${name}`, seconds: Math.min(...seconds) }];
    });
  });
}
