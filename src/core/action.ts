/** The actions of a mitigation, and their order of strictness. */

/** The target of a redirect, as text: a configured scrubber, a VRF's route target, or an address. */
export type RedirectTarget =
  | { readonly scrubber: string }
  | { readonly vrf: string }
  | { readonly ip: string };

/**
 * The treatment of packets that match. Recorded in facts, so an absent rate is null. Rates are bits a second,
 * above 0.
 *
 * - police: lets a rate pass. `shared`: if a neighbor needs several rules for the match, they share the rate; absent:
 *   one rule has all of it.
 * - discard: lets nothing pass.
 * - redirect: sends the packets elsewhere, or with `copy` a copy of them; with a rate, only as many.
 * - divert: a unicast route for the victim's prefix, whose next hop is a scrubber's.
 * - blackhole: a unicast route for the victim's prefix that routers discard (RFC 7999).
 */
export type MitigationAction =
  | { readonly type: 'police'; readonly rateBps: number; readonly shared?: true }
  | { readonly type: 'discard'; readonly rateBps: null }
  | {
      readonly type: 'redirect';
      readonly rateBps: number | null;
      readonly target: RedirectTarget;
      readonly copy?: true;
    }
  | { readonly type: 'divert'; readonly rateBps: null; readonly scrubber: string }
  | { readonly type: 'blackhole'; readonly rateBps: null };

export type ActionType = MitigationAction['type'];

/** All actions, as an operator writes them. */
export const ACTION_TYPES = [
  'police',
  'discard',
  'redirect',
  'divert',
  'blackhole',
] as const satisfies readonly ActionType[];

export const DISCARD: MitigationAction = { type: 'discard', rateBps: null };

/** The kinds of routes that actions lead to: a FlowSpec rule, or a unicast route of one of two kinds. */
export const RULE_KINDS = ['flowspec', 'divert', 'blackhole'] as const;

export type RuleKind = (typeof RULE_KINDS)[number];

export function ruleKind({ type }: Pick<MitigationAction, 'type'>): RuleKind {
  return type === 'divert' || type === 'blackhole' ? type : 'flowspec';
}

/** The stricter first; redirect and divert are equally strict. */
const RANK: Readonly<Record<ActionType, number>> = {
  blackhole: 0,
  discard: 1,
  police: 2,
  redirect: 3,
  divert: 3,
};

/** Orders the stricter action first. 0: equally strict. */
export function compareStrictness(a: MitigationAction, b: MitigationAction): number {
  return RANK[a.type] - RANK[b.type] || finite(passedBps(a)) - finite(passedBps(b));
}

function finite(rate: number): number {
  return Number.isFinite(rate) ? rate : Number.MAX_VALUE;
}

/** Returns the bits a second that reach the victim or the redirect's target; Infinity for all. */
export function passedBps(action: MitigationAction): number {
  switch (action.type) {
    case 'police':
      return action.rateBps;
    case 'discard':
    case 'blackhole':
      return 0;
    case 'redirect':
    case 'divert':
      return action.rateBps ?? Number.POSITIVE_INFINITY;
  }
}

/** Returns true if several rules share the action's rate. */
export function isShared(action: MitigationAction): boolean {
  return action.type === 'police' && action.shared === true;
}

/** Returns a key that is equal exactly for equal actions. */
export function actionKey(action: MitigationAction): string {
  const { type, rateBps } = action;
  switch (type) {
    case 'police':
      return `${type} ${rateBps}${isShared(action) ? ' shared' : ''}`;
    case 'redirect': {
      const [[kind = '', name = ''] = []] = Object.entries(action.target);
      return `${type} ${rateBps ?? ''} ${kind} ${name}${action.copy === true ? ' copy' : ''}`;
    }
    case 'divert':
      return `${type} ${action.scrubber}`;
    default:
      return type;
  }
}

export function sameAction(a: MitigationAction, b: MitigationAction): boolean {
  return actionKey(a) === actionKey(b);
}

/** Returns the action without the sharing of its rate. */
export function unshared(action: MitigationAction): MitigationAction {
  return action.type === 'police' ? { type: 'police', rateBps: action.rateBps } : action;
}

/** Returns the scrubber that the action sends traffic to; undefined for none. */
export function scrubberOf(action: MitigationAction): string | undefined {
  if (action.type === 'divert') return action.scrubber;
  return action.type === 'redirect' && 'scrubber' in action.target ? action.target.scrubber : undefined;
}

/** Returns the key of the one unicast route that a router holds for a prefix. */
export function unicastKey(dstPrefix: string): string {
  return `unicast|${dstPrefix}`;
}
