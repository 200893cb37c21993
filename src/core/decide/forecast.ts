/**
 * Predicts what each neighbor can do with a rule, before the rule is decided. The policy brings the function
 * (control/neighbor-forecast.ts builds it from the neighbors' configuration), so that core knows nothing about BGP.
 */
import { type MitigationAction, ruleKind } from '../action.ts';
import type { Match } from '../types.ts';
import { countWords } from '../../net/text.ts';

/**
 * One neighbor's answer: the number of routes that the rule needs there, at least one; or why it cannot enforce the
 * rule.
 */
export type NeighborForecast =
  | { readonly neighbor: string; readonly ok: true; readonly routes: number }
  | { readonly neighbor: string; readonly ok: false; readonly why: string };

/** One entry for each configured neighbor, in the order of the configuration. */
export type Prediction = readonly NeighborForecast[];

/** Predicts for a match and an action. Pure: the answer is the same while the policy is in force. Ignores sessions. */
export type Forecast = (match: Match, action: MitigationAction) => Prediction;

/**
 * Returns how many more routes a neighbor has room for, beside the rules that would keep their place next to one with
 * this action. Infinity when unknown.
 */
export type Room = (neighbor: string, action: MitigationAction) => number;

/** A sentence names at most this many neighbors. */
const NAMED = 4;

/** Returns the prediction under a policy; empty when the policy knows no neighbors, which means no objection. */
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

/** Explains why no neighbor can enforce a rule: `edge1, edge2: arista: ...; edge3: ...`. Equal reasons are grouped. */
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
 * Explains why some neighbors cannot enforce a rule that others can, a line for each kind; empty when all can.
 * `room`: see Room.
 */
export function shortfallWords(
  prediction: Prediction,
  action: MitigationAction,
  room: Room | undefined,
): readonly string[] {
  const unable = prediction.filter(({ ok }) => !ok);
  const full = prediction.filter(
    (one) => one.ok && room !== undefined && room(one.neighbor, action) < one.routes,
  );
  const lines: string[] = [];
  if (unable.length > 0) {
    lines.push(
      `not enforced by ${unable.length} of ${countWords(prediction.length, 'neighbor')}: ${unenforceableWords(unable)}`,
    );
  }
  if (full.length > 0) {
    const names = namesText(full.map(({ neighbor }) => neighbor));
    const limit = ruleKind(action) === 'flowspec' ? 'max_rules' : 'max_unicast';
    lines.push(`no room on ${names}: ${limit} is used up by stricter or older rules; the rule waits there`);
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
