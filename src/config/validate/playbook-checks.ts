/** Checks playbooks against the settings and the inventory. */
import { ruleKind } from '../../core/action.ts';
import type { CustomerData } from '../../core/policy/inventory-schema.ts';
import type { PlaybookData, PlaybooksData, StepData } from '../../core/policy/playbook-schema.ts';
import { isForPop, type Playbook, type PlaybookMatch, type PlaybookSet } from '../../core/policy/playbook.ts';
import { inRanges } from '../../core/policy/ports.ts';
import { USUAL_PROFILE } from '../../core/policy/profile.ts';
import { readRefinement } from '../../core/policy/refinement.ts';
import {
  canonicalVector,
  impliedProtocol,
  KNOWN_VECTORS,
  reflectorPort,
  VECTOR_PATTERN,
} from '../../core/policy/vectors.ts';
import { likely, looksLike, nearest, slipFor } from '../../net/nearest.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Findings, Path } from '../config-problem.ts';
import { KNOWN_DETECTORS, sourcesIn } from '../schema/detectors-schema.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { webhookSources } from './webhook-checks.ts';

/** Checks one file of playbooks against the settings, parts of which may be missing. */
export function playbookChecks(data: PlaybooksData, settings: DeepPartial<Settings>, found: Findings): void {
  const forbidsSource = settings.guardrails?.allow_src_prefix_match === false;
  const protectedPorts = (settings.guardrails?.protected?.ports ?? []).filter((port) => port !== undefined);
  for (const { step, path } of stepsOf(data, settings.pop)) {
    ttlChecks(step, [...path, 'ttl_seconds'], settings, found);
    if (step.match === undefined) continue;
    if (step.match.src_prefix !== undefined && forbidsSource) {
      found.problem(
        [...path, 'match', 'src_prefix'],
        'rules must not be narrowed by source (guardrails.allow_src_prefix_match is false)',
        'remove it: source addresses are easily forged',
      );
    }
    // Other problems of `match` are already reported.
    const { srcPorts } = readRefinement(step.match, () => undefined);
    const named = protectedPorts.filter((port) => inRanges(port, srcPorts));
    if (named.length > 0) refusedFor(named, [...path, 'match', 'src_ports'], found);
  }
  for (const [i, { match, steps }] of (data.playbooks ?? []).entries()) {
    if (steps[0]?.match?.src_ports !== undefined) continue;
    // A rule against reflectors matches the source port of their responses.
    const reflectors = [match.vector].flat().map((vector) => reflectorPort(canonicalVector(vector)));
    const named = protectedPorts.filter((port) => reflectors.includes(port));
    if (named.length > 0) refusedFor(named, ['playbooks', i, 'match', 'vector'], found);
  }
  vectorChecks(data, settings, found);
}

/** Warns about vectors that are neither built in nor in a vector map. An operator's own script may still send them. */
function vectorChecks(data: PlaybooksData, settings: DeepPartial<Settings>, found: Findings): void {
  // If the settings cannot be read, the vector maps are unknown.
  if (settings.detectors === undefined) return;
  const mapped = sourcesIn(settings.detectors).flatMap(([, detector]) =>
    Object.values(detector?.vector_map ?? {}),
  );
  const sent = [...KNOWN_VECTORS, ...mapped.flatMap((vector) => (vector === undefined ? [] : [vector]))];
  const names = new Set(sent.map(canonicalVector));
  for (const [i, { match }] of (data.playbooks ?? []).entries()) {
    for (const [j, vector] of [match.vector].flat().entries()) {
      // Invalid vectors are already reported.
      if (!VECTOR_PATTERN.test(vector) || names.has(canonicalVector(vector))) continue;
      const guess = nearest(vector, [...names]);
      const likely = guess !== undefined && looksLike(vector, guess);
      found.warning(
        ['playbooks', i, 'match', 'vector', ...(typeof match.vector === 'string' ? [] : [j])],
        `the vector "${vector}" is neither built in nor in any detectors.*.vector_map`,
        `${likely ? `did you mean "${guess}"? Keep` : `the nearest known vector is "${guess}"; keep`} it if a script of yours sends it`,
      );
    }
  }
}

/**
 * Lists the built-in and mapped (`mapped`) vectors without a playbook, and their outcome; one line for each outcome.
 * Empty if every vector has its own playbook.
 */
export function fallThroughNotes(
  { byVector, fallback }: PlaybookSet,
  mapped: Iterable<string> = [],
): readonly string[] {
  const none: string[] = [];
  const some: string[] = [];
  for (const vector of new Set([...KNOWN_VECTORS, ...mapped].map(canonicalVector))) {
    const playbooks = byVector.get(vector) ?? [];
    if (playbooks.length === 0) none.push(vector);
    else if (playbooks.every(({ match }) => isConditional(match, vector))) some.push(vector);
  }
  const outcome =
    fallback === null
      ? 'are not mitigated, because there is no default playbook'
      : `use the default playbook ${fallback.name}`;
  const host =
    fallback === null
      ? ''
      : '; if a report names neither protocol nor ports and the vector implies none, the rule matches all protocols of the host';
  return [
    ...(none.length === 0
      ? []
      : [`vectors without a playbook ${outcome}: ${none.join(', ')}, and any unknown vector${host}`]),
    ...(some.length === 0
      ? []
      : [`vectors ${outcome} if the conditions of their playbooks do not hold: ${some.join(', ')}`]),
  ];
}

/** True if a playbook does not apply to all reports of the vector. */
function isConditional(match: PlaybookMatch, vector: string): boolean {
  return (
    match.customers.length + match.sources.length + match.profiles.length > 0 ||
    match.requirePorts ||
    match.minBps !== null ||
    match.minPps !== null ||
    match.minConfidence !== null ||
    (match.protocol !== null && match.protocol !== impliedProtocol(vector, 4))
  );
}

/** Yields a file's steps for a POP (all if it is unknown) with their paths; those of its default playbook are last. */
export function* stepsOf(
  data: PlaybooksData,
  pop: string | undefined,
): Iterable<{ readonly step: StepData; readonly path: Path }> {
  for (const [i, playbook] of (data.playbooks ?? []).entries()) {
    if (!isForPop(playbook, pop)) continue;
    for (const [j, step] of playbook.steps.entries()) yield { step, path: ['playbooks', i, 'steps', j] };
  }
  for (const [j, step] of (data.default_playbook?.steps ?? []).entries()) {
    yield { step, path: ['default_playbook', 'steps', j] };
  }
}

function ttlChecks(
  { action, ttl_seconds: ttl }: StepData,
  at: Path,
  settings: DeepPartial<Settings>,
  found: Findings,
): void {
  const { min_ttl_seconds: min, max_ttl_seconds } = settings.timers ?? {};
  // A diversion or a blackhole may last as long as its target says.
  const max = ruleKind({ type: action }) === 'flowspec' ? max_ttl_seconds : undefined;
  if (ttl !== undefined && min !== undefined && ttl < min) {
    found.warning(at, `${ttl} is below timers.min_ttl_seconds, which is ${min}`, `write at least ${min}`);
  }
  if (ttl !== undefined && max !== undefined && ttl > max) {
    found.warning(at, `${ttl} is above timers.max_ttl_seconds, which is ${max}`, `write at most ${max}`);
  }
}

/** Warns that the guardrails refuse rules with these source ports. */
function refusedFor(ports: readonly number[], at: Path, found: Findings): void {
  found.warning(
    at,
    `its rules would name the protected source port ${ports.join(', ')}: all of them will be refused`,
    'remove this match, or narrow it to ports that are not protected',
  );
}

// Playbooks that never apply, because another one always matches first (core/decide/ban.ts).

/** A playbook that never applies. */
export interface Unreachable {
  /** Index among the playbooks of all files. */
  readonly index: number;
  /** Names of the playbooks that match first, at most one for each vector. */
  readonly behind: readonly string[];
}

/** Finds playbooks that come after a less specific one for each of their vectors, in the order of the files. */
export function unreachablePlaybooks(set: PlaybookSet): readonly Unreachable[] {
  return (set.data.playbooks ?? []).flatMap(({ name }, index) => {
    const playbook = set.byName.get(name);
    if (playbook === undefined || playbook.match.vectors.length === 0) return [];
    const before = playbook.match.vectors.map((vector) =>
      firstBefore(playbook, set.byVector.get(vector) ?? []),
    );
    const names = before.filter((one) => one !== undefined).map((one) => one.name);
    return names.length < before.length ? [] : [{ index, behind: [...new Set(names)] }];
  });
}

function firstBefore(playbook: Playbook, list: readonly Playbook[]): Playbook | undefined {
  const place = list.indexOf(playbook);
  return (
    list
      .slice(0, Math.max(0, place))
      // A playbook for all POPs may apply at others.
      .find(
        ({ match, pops }) =>
          (pops === undefined || playbook.pops !== undefined) && takesAllOf(match, playbook.match),
      )
  );
}

/** True if every attack that meets the conditions of `narrow` also meets those of `wide`; ignores vectors. */
function takesAllOf(wide: PlaybookMatch, narrow: PlaybookMatch): boolean {
  const within = <T>(all: readonly T[], some: readonly T[]): boolean =>
    all.length === 0 || (some.length > 0 && some.every((one) => all.includes(one)));
  const least = (low: number | null, high: number | null): boolean =>
    low === null || (high !== null && high >= low);
  return (
    within(wide.customers, narrow.customers) &&
    within(wide.sources, narrow.sources) &&
    within(wide.profiles, narrow.profiles) &&
    (wide.protocol === null || wide.protocol === narrow.protocol) &&
    (!wide.requirePorts || narrow.requirePorts) &&
    least(wide.minBps, narrow.minBps) &&
    least(wide.minPps, narrow.minPps) &&
    least(wide.minConfidence, narrow.minConfidence)
  );
}

// References to customers, profiles and detectors that do not exist.

/** The objects that playbooks can refer to. */
export interface Referents {
  readonly settings: DeepPartial<Settings>;
  /** Every customer_id in the inventory; undefined if unknown. */
  readonly customerIds: readonly string[] | undefined;
  /** The customers; undefined if the inventory is invalid. */
  readonly customers: readonly CustomerData[] | undefined;
}

/**
 * Checks one file of playbooks. Reports warnings only, because a playbook that never applies must not prevent a start.
 */
export function referenceChecks(data: PlaybooksData, to: Referents, found: Findings): void {
  for (const [i, playbook] of (data.playbooks ?? []).entries()) {
    if (!isForPop(playbook, to.settings.pop)) continue;
    const at: Path = ['playbooks', i, 'match'];
    customerChecks(playbook, at, to, found);
    profileChecks(playbook, at, to, found);
    sourceChecks(playbook, at, to, found);
  }
}

function customerChecks(
  { match }: PlaybookData,
  at: Path,
  { customerIds }: Referents,
  found: Findings,
): void {
  if (customerIds === undefined) return;
  for (const [id, path] of placed(match.customer, [...at, 'customer'])) {
    if (customerIds.includes(id)) continue;
    const fix = guessed(id, customerIds) ?? 'add it to inventory.yaml, or remove it here';
    found.warning(path, `customer "${id}" is not in the inventory: this never applies`, fix);
  }
}

/** Warns about profiles that no customer has. Customers without a profile are `normal`. */
function profileChecks({ match }: PlaybookData, at: Path, { customers }: Referents, found: Findings): void {
  if (match.profile === undefined || customers === undefined || customers.length === 0) return;
  const ids = [match.customer ?? []].flat();
  const meant = customers.filter(({ customer_id: id }) => ids.length === 0 || ids.includes(id));
  // Unknown customers are already reported.
  if (meant.length === 0) return;
  const profiles = new Set(meant.map(({ policy_profile: profile = USUAL_PROFILE }) => profile));
  for (const [profile, path] of placed(match.profile, [...at, 'profile'])) {
    if (profiles.has(profile)) continue;
    const whose = ids.length === 0 ? 'customer of the inventory' : 'customer of this playbook';
    found.warning(
      path,
      `no ${whose} has the profile "${profile}": this never applies`,
      `set policy_profile: ${profile} for the intended customers, or remove it here`,
    );
  }
}

/** Warns about a source that is probably a misspelled detector, although any name may be a source. */
function sourceChecks({ match }: PlaybookData, at: Path, { settings }: Referents, found: Findings): void {
  if (settings.detectors === undefined) return;
  const named = sourcesIn(settings.detectors).map(([source]) => source);
  const known = [...new Set([...KNOWN_DETECTORS, ...named, ...webhookSources(settings.detectors.webhooks)])];
  for (const [source, path] of placed(match.source, [...at, 'source'])) {
    const guess = slipFor(source, known);
    if (guess === undefined) continue;
    found.warning(
      path,
      `prefixd.yaml has no detector "${source}"`,
      `did you mean "${guess}"? Keep it if events are sent with source: ${source}`,
    );
  }
}

function guessed(word: string, known: readonly string[]): string | undefined {
  const guess = likely(word, known);
  return guess === undefined ? undefined : `did you mean "${guess}"?`;
}

/** Returns a word, or each word of a list, with its path. */
function placed<T extends string>(
  words: T | readonly T[] | undefined,
  path: Path,
): readonly (readonly [word: T, path: Path])[] {
  if (words === undefined) return [];
  return typeof words === 'string' ? [[words, path]] : words.map((word, i) => [word, [...path, i]]);
}
