/** Applies a fact to a mitigation. The state keeps the result; decisions answer with it. */
import type { Fact, MitigationChange } from '../facts.ts';
import { holdsOf, activeHolds, withHold, withoutHolds } from './holds.ts';
import type { Ending, Mitigation } from '../types.ts';

export type MitigationFact = Exclude<
  Extract<Fact, { type: `mitigation.${string}` }>,
  { type: 'mitigation.created' | 'mitigation.rejected' | 'mitigation.imported' }
>;

/** Returns the mitigation after a fact about it that was decided at `at`. */
export function evolveMitigation(mitigation: Mitigation, fact: MitigationFact, at: number): Mitigation {
  switch (fact.type) {
    case 'mitigation.extended':
    case 'mitigation.widened':
      return changed(mitigation, fact.change, at);
    case 'mitigation.escalated':
      return { ...changed(mitigation, fact.change, at), status: 'escalated' };
    case 'mitigation.released':
      return released(mitigation, fact, at);
    case 'mitigation.moved':
      return { ...mitigation, customerId: fact.customerId, serviceId: fact.serviceId };
    case 'mitigation.ending':
      return leaving(mitigation, fact.ending, at);
    case 'mitigation.withdrawn':
      return ended(mitigation, 'withdrawn', at);
    case 'mitigation.expired':
      return ended(mitigation, 'expired', at);
  }
}

/** Returns the mitigation after a change that was decided at `at`. */
export function changed(mitigation: Mitigation, change: MitigationChange, at: number): Mitigation {
  const { hold, ...rest } = change;
  const after = { ...mitigation, ...rest, updatedAt: at };
  return hold === undefined
    ? after
    : { ...after, holds: withHold(holdsOf(mitigation), hold, at), release: null };
}

function released(
  mitigation: Mitigation,
  fact: Extract<MitigationFact, { type: 'mitigation.released' }>,
  at: number,
): Mitigation {
  const { expiresAt = mitigation.expiresAt, renewAt = mitigation.renewAt } = fact;
  const holds = withoutHolds(holdsOf(mitigation), fact.holds);
  const isLast = activeHolds({ ...mitigation, holds }, at).length === 0;
  return {
    ...mitigation,
    holds,
    expiresAt,
    ...(renewAt === undefined ? {} : { renewAt }),
    ...(isLast ? { release: fact.release } : {}),
    updatedAt: at,
  };
}

function leaving(mitigation: Mitigation, ending: Ending, at: number): Mitigation {
  return { ...mitigation, ending, updatedAt: at };
}

function ended(mitigation: Mitigation, status: 'withdrawn' | 'expired', at: number): Mitigation {
  return { ...mitigation, status, updatedAt: at, endedAt: at };
}
