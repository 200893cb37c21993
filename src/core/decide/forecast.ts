/**
 * What would become of a rule on each neighbor, asked before it is decided. The answer comes with the policy
 * (control/neighbor-forecast.ts makes it of the neighbors' configuration), so that the core knows nothing of BGP.
 */
import type { Match, MitigationAction } from '../types.ts';
import { countWords } from '../../net/text.ts';

/** One neighbor's part: how many routes the rule takes there, at least one; or why the neighbor cannot enforce it. */
export type NeighborForecast =
  | { readonly neighbor: string; readonly ok: true; readonly routes: number }
  | { readonly neighbor: string; readonly ok: false; readonly why: string };

/** One entry for each configured neighbor, in the order of the configuration. */
export type Prediction = readonly NeighborForecast[];

/** Pure: the same question has the same answer for as long as the policy is in force. Says nothing of sessions. */
export type Forecast = (match: Match, action: MitigationAction) => Prediction;

/**
 * How many more routes a neighbor has room for, next to the rules that would keep their place beside one that lets
 * `rateBps` bits a second pass (0: discard). Infinity when that is not known.
 */
export type Room = (neighbor: string, rateBps: number) => number;

/** How many neighbors a sentence names. */
const NAMED = 4;

/** The prediction under a policy; empty when the policy knows no neighbors, which means that nothing stands against it. */
export function predict(
  { forecast }: { readonly forecast?: Forecast },
  match: Match,
  action: MitigationAction,
): Prediction {
  return forecast?.(match, action) ?? [];
}

/** True when at least one neighbor can enforce the rule, or nothing is known of neighbors. */
export function isEnforceable(prediction: Prediction): boolean {
  return prediction.length === 0 || prediction.some(({ ok }) => ok);
}

/** Why no neighbor can enforce a rule: `edge1, edge2: arista: ...; edge3: ...`. Neighbors with one reason share it. */
export function unenforceableWords(prediction: Prediction): string {
  const neighborsOf = new Map<string, string[]>();
  for (const one of prediction) {
    if (one.ok) continue;
    const names = neighborsOf.get(one.why);
    if (names === undefined) neighborsOf.set(one.why, [one.neighbor]);
    else names.push(one.neighbor);
  }
  const reasons = [...neighborsOf].map(([why, names]) => `${namesText(names)}: ${why}`);
  return listText(reasons, '; ', 'reasons');
}

/**
 * What keeps some neighbors from enforcing a rule that others can enforce, a line for each kind; empty when nothing does.
 * `room`: see Room.
 */
export function shortfallWords(
  prediction: Prediction,
  action: MitigationAction,
  room: Room | undefined,
): readonly string[] {
  const unable = prediction.filter(({ ok }) => !ok);
  const full = prediction.filter(
    (one) => one.ok && room !== undefined && room(one.neighbor, action.rateBps ?? 0) < one.routes,
  );
  const lines: string[] = [];
  if (unable.length > 0) {
    lines.push(
      `not enforced by ${unable.length} of ${countWords(prediction.length, 'neighbor')}: ${unenforceableWords(unable)}`,
    );
  }
  if (full.length > 0) {
    const names = namesText(full.map(({ neighbor }) => neighbor));
    lines.push(`no room on ${names}: max_rules is used up by stricter or older rules; the rule waits there`);
  }
  return lines;
}

/** `edge1, edge2 and 3 more neighbors`. */
function namesText(names: readonly string[]): string {
  return listText(names, ', ', 'neighbors');
}

function listText(items: readonly string[], separator: string, what: string): string {
  if (items.length <= NAMED) return items.join(separator);
  return `${items.slice(0, NAMED).join(separator)} and ${items.length - NAMED} more ${what}`;
}
