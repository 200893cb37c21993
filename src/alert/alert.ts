/** What is worth telling somebody: facts that the configuration names, with what they are about. */
import type { Fact, RecordedFact } from '../core/facts.ts';
import { actionWords } from '../core/text.ts';
import type { Actor, Mitigation } from '../core/types.ts';

/** Facts that tell nobody anything yet. */
const QUIET = ['event.received', 'mitigation.ending', 'mitigation.released', 'mitigation.moved'] as const;

type QuietFact = Extract<Fact, { type: (typeof QUIET)[number] }>;

/** A neighbor that does not enforce a mitigation: it cannot, or it has no room. */
export interface UnenforcedNeighbor {
  readonly neighbor: string;
  readonly state: 'unsupported' | 'over_budget';
  /** In words. */
  readonly why: string;
}

/** Where alerts go. `webhookUrl`, `routingKey` and `secret` are secrets. */
export type AlertDestination =
  | { readonly type: 'slack'; readonly webhookUrl: string }
  | { readonly type: 'pagerduty'; readonly routingKey: string }
  /** Unsigned when `secret` is null. */
  | { readonly type: 'webhook'; readonly url: string; readonly secret: string | null };

export interface Alert {
  readonly event: AlertEvent;
  /** Number of the fact; null for `mitigation.unenforced`, which is none. */
  readonly seq: number | null;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly pop: string;
  /** As it is after the fact; null when the fact is about none, or it is not remembered any more. */
  readonly mitigation: Mitigation | null;
  /** What the alert is about: a mitigation's id, a prefix, or what was done. */
  readonly subject: string;
  readonly actor: Actor | null;
  /** One line for a person. */
  readonly summary: string;
  /** What an incident is known by where it is not the subject; see refusals.ts. */
  readonly incident?: string;
  /** The incident is over. For destinations that keep incidents; the others are not told. */
  readonly resolves?: true;
  /** Of refusals by a quota: how many this alert is about. */
  readonly refused?: { readonly reports: number; readonly victims: number };
  /** Of `mitigation.unenforced`. */
  readonly neighbors?: readonly UnenforcedNeighbor[];
}

/** A request as a destination wants it. `body` is JSON. */
export interface AlertRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The alert of a fact; null when it is none that was asked for. `find` gives a mitigation as it is after the fact. */
export function alertOf(
  { seq, at, fact }: RecordedFact,
  wanted: ReadonlySet<AlertEvent>,
  pop: string,
  find: (id: string) => Mitigation | undefined,
): Alert | null {
  if (isQuiet(fact) || !wanted.has(fact.type)) return null;
  const common = { event: fact.type, seq, at, pop };
  switch (fact.type) {
    case 'mitigation.created':
    case 'mitigation.rejected':
      return aboutMitigation(common, fact.mitigation, fact.mitigation.id);
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated':
    case 'mitigation.withdrawn':
    case 'mitigation.expired':
      return aboutMitigation(common, find(fact.id) ?? null, fact.id);
    case 'safelist.added': {
      const { prefix, reason, addedBy } = fact.entry;
      return aboutAction(common, prefix, addedBy, `${prefix} added to the safelist`, reason);
    }
    case 'safelist.removed':
      return aboutAction(common, fact.prefix, fact.actor, `${fact.prefix} removed from the safelist`, '');
    case 'control.paused':
      return aboutAction(common, 'announcements', fact.actor, 'Announcements paused', fact.reason);
    case 'control.resumed':
      return aboutAction(common, 'announcements', fact.actor, 'Announcements resumed', fact.reason);
    case 'peer.disabled':
      return aboutAction(common, fact.peer, fact.actor, `Neighbor ${fact.peer} disabled`, fact.reason);
    case 'peer.enabled':
      return aboutAction(common, fact.peer, fact.actor, `Neighbor ${fact.peer} enabled`, fact.reason);
    case 'policy.loaded':
      return aboutAction(common, 'configuration', fact.actor, 'Configuration loaded', fact.summary);
  }
}

function isQuiet(fact: Fact): fact is QuietFact {
  return QUIET.some((type) => type === fact.type);
}

/** How many neighbors the summary names. */
const NAMED = 4;

/** The alert of a mitigation that is not enforced on these neighbors, at least one. */
export function unenforcedAlert(
  id: string,
  mitigation: Mitigation | null,
  neighbors: readonly UnenforcedNeighbor[],
  at: number,
  pop: string,
): Alert {
  const alert = aboutMitigation({ event: 'mitigation.unenforced', seq: null, at, pop }, mitigation, id);
  const named = neighbors.slice(0, NAMED).map(({ neighbor, why }) => `${neighbor}: ${why}`);
  const more = neighbors.length > NAMED ? ` and ${neighbors.length - NAMED} more neighbors` : '';
  return { ...alert, summary: `${alert.summary}: ${named.join('; ')}${more}`, neighbors };
}

type Common = Pick<Alert, 'event' | 'seq' | 'at' | 'pop'>;

const VERBS: Readonly<Partial<Record<AlertEvent, string>>> = {
  'mitigation.created': 'Mitigation started',
  'mitigation.rejected': 'Mitigation refused',
  'mitigation.extended': 'Mitigation extended',
  'mitigation.widened': 'Mitigation widened',
  'mitigation.escalated': 'Mitigation escalated',
  'mitigation.withdrawn': 'Mitigation withdrawn',
  'mitigation.expired': 'Mitigation expired',
  'mitigation.unenforced': 'Mitigation not enforced everywhere',
};

function aboutMitigation(common: Common, mitigation: Mitigation | null, id: string): Alert {
  const verb = VERBS[common.event] ?? common.event;
  if (mitigation === null) {
    return { ...common, mitigation, subject: id, actor: null, summary: `${verb}: ${id} (pop ${common.pop})` };
  }
  const { victim, vector, action, customerId, dryRun, ending, createdBy, reason } = mitigation;
  const owner = customerId === null ? '' : `, customer ${customerId}`;
  const why = ending?.reason ?? (common.event === 'mitigation.rejected' ? reason : '');
  return {
    ...common,
    mitigation,
    subject: id,
    actor: ending?.actor ?? createdBy,
    summary: `${dryRun ? '[dry run] ' : ''}${verb}: ${vector} on ${victim}, ${actionWords(action)}${owner} (pop ${common.pop})${why === '' ? '' : `: ${why}`}`,
  };
}

function aboutAction(common: Common, subject: string, actor: Actor, what: string, reason: string): Alert {
  const summary = `${what} by ${actor.name} (pop ${common.pop})${reason === '' ? '' : `: ${reason}`}`;
  return { ...common, mitigation: null, subject, actor, summary };
}

// What can raise an alert, by the name that the configuration, the alerts and the facts share.

/** In the order of the documentation. */
export const ALERT_EVENTS = [
  'mitigation.created',
  'mitigation.rejected',
  'mitigation.extended',
  'mitigation.widened',
  'mitigation.escalated',
  'mitigation.withdrawn',
  'mitigation.expired',
  'mitigation.unenforced',
  'safelist.added',
  'safelist.removed',
  'control.paused',
  'control.resumed',
  'peer.disabled',
  'peer.enabled',
  'policy.loaded',
] as const;

export type AlertEvent = (typeof ALERT_EVENTS)[number];
