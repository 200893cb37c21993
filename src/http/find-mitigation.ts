/** Finds the mitigation that a caller means by its id, or by the beginning of its id, among those that it sees. */
import { type CallerScope, seesMitigation } from '../access/caller-scope.ts';
import type { Mitigation } from '../core/types.ts';
import type { ForeignIntent } from '../exchange/types.ts';
import type { HttpDependencies } from './dependencies.ts';
import { HttpProblem } from './http-problem.ts';

/** An id's prefix that people may give instead of the whole id. */
const SHORT_ID = /^[0-9a-f][0-9a-f-]{3,34}$/;

/** A mitigation of this POP or of another, as far as a scope concerns it. */
export type FoundMitigation = Pick<Mitigation, 'id' | 'customerId' | 'pop' | 'pops' | 'action' | 'origin'>;

/**
 * Returns the mitigation with this id, or the only one whose id begins with it (at least 4 characters). Throws
 * HttpProblem 404 for an unknown or malformed id, and 409 if several ids begin with it. What the caller does not see does
 * not exist.
 */
export function findMitigation<One extends FoundMitigation>(
  mitigations: ReadonlyMap<string, One>,
  text: string,
  scope: CallerScope | undefined,
): One {
  const id = text.toLowerCase();
  const isSeen = (one: One): boolean => scope === undefined || seesMitigation(scope, one);
  const known = mitigations.get(id);
  if (known !== undefined && isSeen(known)) return known;
  const alike: One[] = [];
  if (SHORT_ID.test(id)) {
    for (const mitigation of mitigations.values()) {
      if (mitigation.id.startsWith(id) && isSeen(mitigation)) alike.push(mitigation);
    }
  }
  const [only, ...others] = alike;
  if (only === undefined) throw new HttpProblem(404, 'There is no mitigation with this id');
  if (others.length === 0) return only;
  throw new HttpProblem(
    409,
    `${alike.length} mitigations have an id that begins with ${id}: give more characters`,
  );
}

/** Does the same for mitigations that are here or at another POP. */
export function findAnywhere(
  { engine, exchange }: Pick<HttpDependencies, 'engine' | 'exchange'>,
  text: string,
  scope: CallerScope | undefined,
): FoundMitigation {
  const all = new Map<string, FoundMitigation>(engine.state.mitigations);
  for (const one of exchange?.elsewhere() ?? []) {
    if (!all.has(one.intent.id)) all.set(one.intent.id, foreignMitigation(one));
  }
  return findMitigation(all, text, scope);
}

/** Returns another POP's mitigation as its own daemon has it. */
export function foreignMitigation({ pop, intent }: ForeignIntent): FoundMitigation {
  const { id, customerId, action, pops } = intent;
  return { id, customerId, action, pop, pops };
}
