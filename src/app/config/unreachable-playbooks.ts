/** Finds playbooks that never apply, because another one always comes first (core/choose-playbook.ts). */
import type { Playbook, PlaybookMatch, PlaybookSet } from '../../core/playbook.ts';

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
