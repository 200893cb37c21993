/** What playbooks ask for that the settings do not grant. */
import type { PlaybookMatch, PlaybookSet } from '../../core/playbook.ts';
import type { PlaybooksData, StepData } from '../../core/playbook-data.ts';
import { inRanges } from '../../core/ports.ts';
import { readRefinement } from '../../core/refinement.ts';
import { canonicalVector } from '../../core/vector-aliases.ts';
import { impliedProtocol, KNOWN_VECTORS, reflectorPort, VECTOR_PATTERN } from '../../core/vectors.ts';
import { looksLike, nearest } from './nearest.ts';
import type { Findings, Path } from './problem.ts';
import type { DeepPartial } from './salvage.ts';
import type { Settings } from './schema.ts';

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
