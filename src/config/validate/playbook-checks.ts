/** What playbooks ask for that the settings do not grant. */
import type { CustomerData } from '../../core/policy/inventory-data.ts';
import type { PlaybookData, PlaybooksData, StepData } from '../../core/policy/playbook-data.ts';
import type { Playbook, PlaybookMatch, PlaybookSet } from '../../core/policy/playbook.ts';
import { inRanges } from '../../core/policy/ports.ts';
import type { ProfileName } from '../../core/policy/profile.ts';
import { readRefinement } from '../../core/policy/refinement.ts';
import {
  canonicalVector,
  impliedProtocol,
  KNOWN_VECTORS,
  reflectorPort,
  VECTOR_PATTERN,
} from '../../core/policy/vectors.ts';
import { likely, looksLike, nearest, slipFor } from '../nearest.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Findings, Path } from '../problem.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import { KNOWN_DETECTORS } from './settings-checks.ts';

/** Judges one file of playbooks by settings of which parts may be missing. */
export function playbookChecks(data: PlaybooksData, settings: DeepPartial<Settings>, found: Findings): void {
  const forbidsSource = settings.guardrails?.allow_src_prefix_match === false;
  const protectedPorts = (settings.guardrails?.protected?.ports ?? []).filter((port) => port !== undefined);
  for (const { step, path } of stepsOf(data)) {
    ttlChecks(step, [...path, 'ttl_seconds'], settings, found);
    if (step.match === undefined) continue;
    if (step.match.src_prefix !== undefined && forbidsSource) {
      found.problem(
        [...path, 'match', 'src_prefix'],
        'rules may not be narrowed by source (guardrails.allow_src_prefix_match is false)',
        'remove it: source addresses are easily forged',
      );
    }
    // What is wrong with it otherwise has been said.
    const { srcPorts } = readRefinement(step.match, () => undefined);
    const named = protectedPorts.filter((port) => inRanges(port, srcPorts));
    if (named.length > 0) refusedFor(named, [...path, 'match', 'src_ports'], found);
  }
  for (const [i, { match, steps }] of (data.playbooks ?? []).entries()) {
    if (steps[0]?.match?.src_ports !== undefined) continue;
    // An attack by reflectors is matched by the port that they answer from.
    const reflectors = [match.vector].flat().map((vector) => reflectorPort(canonicalVector(vector)));
    const named = protectedPorts.filter((port) => reflectors.includes(port));
    if (named.length > 0) refusedFor(named, ['playbooks', i, 'match', 'vector'], found);
  }
  vectorChecks(data, settings, found);
}

/** Vectors that nothing sends: neither built in nor in a vector map. A script of one's own may send them all the same. */
function vectorChecks(data: PlaybooksData, settings: DeepPartial<Settings>, found: Findings): void {
  // Which vectors are mapped is not known of settings that cannot be read.
  if (settings.detectors === undefined) return;
  const mapped = Object.values(settings.detectors).flatMap((detector) =>
    Object.values(detector?.vector_map ?? {}),
  );
  const sent = [...KNOWN_VECTORS, ...mapped.flatMap((vector) => (vector === undefined ? [] : [vector]))];
  const names = new Set(sent.map(canonicalVector));
  for (const [i, { match }] of (data.playbooks ?? []).entries()) {
    for (const [j, vector] of [match.vector].flat().entries()) {
      // What is no vector at all has been said.
      if (!VECTOR_PATTERN.test(vector) || names.has(canonicalVector(vector))) continue;
      const guess = nearest(vector, [...names]);
      const likely = guess !== undefined && looksLike(vector, guess);
      found.warning(
        ['playbooks', i, 'match', 'vector', ...(typeof match.vector === 'string' ? [] : [j])],
        `no detector sends the vector "${vector}" by itself, and no detectors.*.vector_map leads to it`,
        `${likely ? `did you mean "${guess}"?` : `the nearest known vector is "${guess}";`} keep it if a script of yours sends it`,
      );
    }
  }
}

/**
 * Which vectors that this program knows, or that a vector map leads to (`mapped`), no playbook is for, and what becomes of
 * them; in words, a line for each outcome. Empty when every vector has a playbook of its own.
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
      : `lead to the default playbook ${fallback.name}`;
  const host =
    fallback === null
      ? ''
      : '; where a report names neither protocol nor ports, and the vector implies none, its rule matches all protocols of the host';
  return [
    ...(none.length === 0
      ? []
      : [`vectors without a playbook ${outcome}: ${none.join(', ')}, and any that is not known${host}`]),
    ...(some.length === 0
      ? []
      : [`vectors ${outcome} where the conditions of their playbooks do not hold: ${some.join(', ')}`]),
  ];
}

/** True when a playbook leaves some reports of the vector to others. */
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

/** The steps of a file, those of its default playbook last, each with its place. */
export function* stepsOf(data: PlaybooksData): Iterable<{ readonly step: StepData; readonly path: Path }> {
  for (const [i, playbook] of (data.playbooks ?? []).entries()) {
    for (const [j, step] of playbook.steps.entries()) yield { step, path: ['playbooks', i, 'steps', j] };
  }
  for (const [j, step] of (data.default_playbook?.steps ?? []).entries()) {
    yield { step, path: ['default_playbook', 'steps', j] };
  }
}

function ttlChecks(
  { ttl_seconds: ttl }: StepData,
  at: Path,
  settings: DeepPartial<Settings>,
  found: Findings,
): void {
  const { min_ttl_seconds: min, max_ttl_seconds: max } = settings.timers ?? {};
  if (ttl !== undefined && min !== undefined && ttl < min) {
    found.warning(at, `${ttl} is below timers.min_ttl_seconds, which is ${min}`, `write at least ${min}`);
  }
  if (ttl !== undefined && max !== undefined && ttl > max) {
    found.warning(at, `${ttl} is above timers.max_ttl_seconds, which is ${max}`, `write at most ${max}`);
  }
}

/** Rules that name these ports as the source's pass no guardrail. */
function refusedFor(ports: readonly number[], at: Path, found: Findings): void {
  found.warning(
    at,
    `its rules name source port ${ports.join(', ')}, which is protected: each of them will be refused`,
    'do without this match, or narrow it to ports that are not protected',
  );
}

// Finds playbooks that never apply, because another one always comes first (core/decide/ban.ts).

/** A playbook whose attacks all find another. */
export interface Unreachable {
  /** Index among the playbooks of all files. */
  readonly index: number;
  /** Names of the playbooks that come first, one for each vector at most. */
  readonly behind: readonly string[];
}

/** Playbooks that come behind a less demanding one for each of their vectors, in the order of the files. */
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
  return list.slice(0, Math.max(0, place)).find(({ match }) => takesAllOf(match, playbook.match));
}

/** True when every attack that meets the conditions of `narrow` meets those of `wide`, vectors aside. */
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

// Finds playbooks that wait for a customer, profile or detector that the other files do not have.

/** What playbooks may refer to. */
export interface Referents {
  readonly settings: DeepPartial<Settings>;
  /** Every customer_id that is written in the inventory; undefined when that cannot be known. */
  readonly customerIds: readonly string[] | undefined;
  /** The customers, when the inventory is sound; undefined otherwise. */
  readonly customers: readonly CustomerData[] | undefined;
}

/** Judges one file of playbooks. A playbook that can never apply is no reason to refuse to start: all are warnings. */
export function referenceChecks(data: PlaybooksData, to: Referents, found: Findings): void {
  for (const [i, playbook] of (data.playbooks ?? []).entries()) {
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
    found.warning(path, `no customer "${id}" is in the inventory: this never applies`, fix);
  }
}

/** Customers without a profile are `normal`. */
function profileChecks({ match }: PlaybookData, at: Path, { customers }: Referents, found: Findings): void {
  if (match.profile === undefined || customers === undefined || customers.length === 0) return;
  const ids = [match.customer ?? []].flat();
  const meant = customers.filter(({ customer_id: id }) => ids.length === 0 || ids.includes(id));
  // Customers that do not exist have been reported.
  if (meant.length === 0) return;
  const profiles = new Set(meant.map(({ policy_profile: profile = 'normal' }): ProfileName => profile));
  for (const [profile, path] of placed(match.profile, [...at, 'profile'])) {
    if (profiles.has(profile)) continue;
    const whose = ids.length === 0 ? 'customer of the inventory' : 'customer of this playbook';
    found.warning(
      path,
      `no ${whose} has the profile "${profile}": this never applies`,
      `set policy_profile: ${profile} for those that are meant, or remove it here`,
    );
  }
}

/** Any name may be a source; one that differs from a detector's by a slip most likely is none. */
function sourceChecks({ match }: PlaybookData, at: Path, { settings }: Referents, found: Findings): void {
  if (settings.detectors === undefined) return;
  const known = [...new Set([...KNOWN_DETECTORS, ...Object.keys(settings.detectors)])];
  for (const [source, path] of placed(match.source, [...at, 'source'])) {
    const guess = slipFor(source, known);
    if (guess === undefined) continue;
    found.warning(
      path,
      `no detector of prefixd.yaml is called "${source}"`,
      `did you mean "${guess}"? Keep it if events are sent with source: ${source}`,
    );
  }
}

function guessed(word: string, known: readonly string[]): string | undefined {
  const guess = likely(word, known);
  return guess === undefined ? undefined : `did you mean "${guess}"?`;
}

/** One word or a list of them, each with its place. */
function placed<T extends string>(
  words: T | readonly T[] | undefined,
  path: Path,
): readonly (readonly [word: T, path: Path])[] {
  if (words === undefined) return [];
  return typeof words === 'string' ? [[words, path]] : words.map((word, i) => [word, [...path, i]]);
}
