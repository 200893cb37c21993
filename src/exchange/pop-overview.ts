/** Puts together what is known of all POPs: for lists, and for limits that count them all. */
import type { Elsewhere } from '../core/commands.ts';
import { isImported } from '../core/intent.ts';
import type { Policy } from '../core/policy/policy.ts';
import type { StateView } from '../core/state/state.ts';
import type { IntentReader } from './intent-reader.ts';
import type { Heartbeat, KnownPop } from './types.ts';

/** A POP that was not heard of for this long is stale (ms). */
export const STALE_MS = 5_000;

/** Counts the active mitigations here that other POPs decided, by POP. */
export function importedByPop(state: StateView): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const id of state.live) {
    const mitigation = state.mitigations.get(id);
    if (mitigation === undefined || !isImported(mitigation)) continue;
    const { pop } = mitigation.origin;
    counts.set(pop, (counts.get(pop) ?? 0) + 1);
  }
  return counts;
}

/** Counts the active mitigations that this POP decided itself. */
export function ownActive(state: StateView): number {
  const imported = [...importedByPop(state).values()].reduce((sum, count) => sum + count, 0);
  return Math.max(0, state.activeTotal(false) - imported);
}

/** Returns the names of the other POPs in order: those in the database, and those that are accepted and not there. */
export function otherNames(
  pops: IntentReader['pops'],
  { pop, exchange }: Pick<Policy, 'pop' | 'exchange'>,
): readonly string[] {
  const names = new Set([...pops.keys(), ...(exchange?.accept ?? [])]);
  names.delete(pop);
  return [...names].sort();
}

/** Lists the other POPs by name. `now`: milliseconds since the epoch. */
export function otherPops(
  pops: IntentReader['pops'],
  policy: Pick<Policy, 'pop' | 'exchange'>,
  imported: ReadonlyMap<string, number>,
  now: number,
): readonly KnownPop[] {
  const accept = policy.exchange?.accept ?? [];
  return otherNames(pops, policy).map((name): KnownPop => {
    const record = pops.get(name);
    const currentAt = record?.currentAt;
    return {
      name,
      isSelf: false,
      isAccepted: accept.includes(name),
      lagMs: currentAt === undefined ? undefined : Math.max(0, now - currentAt),
      heartbeat: record?.heartbeat,
      imported: imported.get(name) ?? 0,
      unreadable: record?.unreadable ?? 0,
    };
  });
}

/** Returns this POP's own entry. `beatAt`: its last heartbeat (ms); undefined: none since it is not connected. */
export function ownPop(heartbeat: Heartbeat, beatAt: number | undefined, now: number): KnownPop {
  return {
    name: heartbeat.name,
    isSelf: true,
    isAccepted: true,
    lagMs: beatAt === undefined ? undefined : Math.max(0, now - beatAt),
    heartbeat,
    imported: 0,
    unreadable: 0,
  };
}

/** Returns what a limit on all POPs counts of the others; undefined if there are none. */
export function elsewhereOf(others: readonly KnownPop[]): Elsewhere | undefined {
  const accepted = others.filter(({ isAccepted }) => isAccepted);
  if (accepted.length === 0) return undefined;
  // What was imported from a POP is counted here already.
  const active = accepted.reduce(
    (sum, { heartbeat, imported }) => sum + Math.max(0, (heartbeat?.active ?? 0) - imported),
    0,
  );
  const stale = accepted.flatMap(({ name, lagMs }) =>
    lagMs === undefined || lagMs > STALE_MS ? [name] : [],
  );
  return { active, stale };
}
