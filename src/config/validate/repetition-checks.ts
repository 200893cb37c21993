/** Compares how often detectors repeat a report with how long their rules last in between. */
import { stepTtl } from '../../core/decide/lifecycle.ts';
import type { Policy } from '../../core/policy/policy.ts';
import type { ProfileName } from '../../core/policy/profile.ts';
import { secondsWords } from '../../net/text.ts';
import type { Findings, Path } from '../problem.ts';
import type { Settings } from '../schema/prefixd-schema.ts';

/**
 * How often a detector repeats its report by itself, in seconds: Alertmanager's and Grafana's `repeat_interval` is 4 h
 * unless it is changed. FastNetMon reports an attack once.
 */
const REPEATS_BY_DEFAULT: Readonly<Record<string, number>> = {
  alertmanager: 4 * 3600,
  grafana: 4 * 3600,
  fastnetmon: Number.POSITIVE_INFINITY,
};

type Detectors = Settings['detectors'];
type Detector = Detectors[string];

/** Judges each detector of the configuration that is known to repeat its reports, or to report once. */
export function repetitionChecks(detectors: Detectors, policy: Policy, found: Findings): void {
  for (const [source, detector] of Object.entries(detectors)) {
    const at: Path = ['detectors', source, detector.repeat_seconds === undefined ? 'hold' : 'repeat_seconds'];
    const hold = detector.hold ?? (source in REPEATS_BY_DEFAULT ? 'until_released' : 'until_ttl');
    if (hold === 'until_released') heldChecks(detector, at, policy, found);
    else ttlChecks(source, detector, at, policy, found);
  }
}

/** The TTL is renewed for `max_hold_seconds` after the last report. */
function heldChecks(
  { repeat_seconds: every }: Detector,
  at: Path,
  { timers }: Policy,
  found: Findings,
): void {
  const longest = timers.maxHoldSeconds;
  if (every === undefined || every <= longest) return;
  found.warning(
    at,
    `it repeats a report every ${secondsWords(every)}, but rules are renewed for at most ${secondsWords(longest)} after the last one (timers.max_hold_seconds): they expire while the attack lasts`,
    `let the detector repeat at least every ${secondsWords(longest)}`,
  );
}

function ttlChecks(
  source: string,
  { repeat_seconds: said }: Detector,
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
  const others = short.length === 1 ? '' : `, the shortest of ${short.length} that are too short`;
  const ttl = `the TTL of ${shortest.name} is ${secondsWords(shortest.seconds)}${others}`;
  if (every === Number.POSITIVE_INFINITY) {
    found.warning(
      at,
      `${source} reports an attack once, and ${ttl}: rules expire while the attack lasts`,
      'omit hold, so that a rule lasts until the unban; or say in repeat_seconds how often it repeats its report',
    );
    return;
  }
  const rhythm =
    said === undefined
      ? `${source} repeats a report every ${secondsWords(every)} by default`
      : `it repeats a report every ${secondsWords(every)}`;
  found.warning(
    at,
    `${rhythm}, and ${ttl}: rules expire while the attack lasts`,
    `let the detector repeat more often than every ${secondsWords(shortest.seconds)}${said === undefined ? ' and say so in repeat_seconds' : ''}, or write a longer ttl_seconds`,
  );
}

/** The TTL in seconds of each step that an attack reported by `source` may reach, at its shortest. */
function ttlsFor(
  source: string,
  { timers, profiles, playbooks, inventory }: Policy,
): readonly { readonly name: string; readonly seconds: number }[] {
  const { customers } = inventory.data;
  const used = new Set(customers.map(({ policy_profile: profile = 'normal' }): ProfileName => profile));
  if (used.size === 0) used.add('normal');
  return [...playbooks.byName.values()].flatMap(({ name, match, steps }) => {
    if (match.sources.length > 0 && !match.sources.includes(source)) return [];
    const meant = [...used].filter(
      (profile) => match.profiles.length === 0 || match.profiles.includes(profile),
    );
    return steps.flatMap((step, i) => {
      const seconds = meant.map((profile) => stepTtl(step, profiles[profile], timers).seconds);
      if (seconds.length === 0) return [];
      return [{ name: `step ${i + 1} of ${name}`, seconds: Math.min(...seconds) }];
    });
  });
}
