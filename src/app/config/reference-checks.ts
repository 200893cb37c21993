/** Finds playbooks that wait for a customer, profile or detector that the other files do not have. */
import type { CustomerData } from '../../core/inventory-data.ts';
import type { PlaybookData, PlaybooksData } from '../../core/playbook-data.ts';
import type { ProfileName } from '../../core/profile.ts';
import { KNOWN_DETECTORS } from './checks.ts';
import { likely, slipFor } from './nearest.ts';
import type { Findings, Path } from './problem.ts';
import type { DeepPartial } from './salvage.ts';
import type { Settings } from './schema.ts';

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
