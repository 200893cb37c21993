/** The actions of a rule, and their order of strictness. */

/**
 * The router's action on the packets of a match. Recorded in facts, so an absent rate is null.
 *
 * - police: lets a rate pass (bits a second, above 0). `shared`: if a neighbor needs several rules for the match, they
 *   share the rate; absent: one rule has all of it.
 * - discard: lets nothing pass.
 */
export type MitigationAction =
  | { readonly type: 'police'; readonly rateBps: number; readonly shared?: true }
  | { readonly type: 'discard'; readonly rateBps: null };

export type ActionType = MitigationAction['type'];

export const DISCARD: MitigationAction = { type: 'discard', rateBps: null };

/** Returns the bits a second that the action lets pass: the measure of strictness, 0 for the strictest. */
export function passedBps(action: MitigationAction): number {
  return action.type === 'discard' ? 0 : action.rateBps;
}

/** Orders the stricter action first. 0: equally strict. */
export function compareStrictness(a: MitigationAction, b: MitigationAction): number {
  return passedBps(a) - passedBps(b);
}

/** Returns true if several rules share the action's rate. */
export function isShared(action: MitigationAction): boolean {
  return action.type === 'police' && action.shared === true;
}

export function sameAction(a: MitigationAction, b: MitigationAction): boolean {
  return a.type === b.type && a.rateBps === b.rateBps && isShared(a) === isShared(b);
}

/** Returns the action without the sharing of its rate. */
export function unshared(action: MitigationAction): MitigationAction {
  return action.type === 'police' ? { type: 'police', rateBps: action.rateBps } : action;
}
