/** Defines alerts and creates them from facts. */
import type { Fact, RecordedFact } from '../core/facts.ts';
import { failureWords } from '../core/policy/guardrails.ts';
import { popActor } from '../core/intent.ts';
import { actionWords } from '../core/rule-text.ts';
import type { Actor, Mitigation } from '../core/types.ts';
import { countWords } from '../net/text.ts';
import type { ProtectionStatus } from '../view/protection-view.ts';
import type { HttpRequest } from './post.ts';

/** Facts that never raise an alert. */
const QUIET = [
  'event.received',
  'mitigation.ending',
  'mitigation.released',
  'mitigation.moved',
  'import.ended',
] as const;

type QuietFact = Extract<Fact, { type: (typeof QUIET)[number] }>;

/** A neighbor that does not enforce a mitigation, because it cannot or has no room. */
export interface UnenforcedNeighbor {
  readonly neighbor: string;
  readonly state: 'unsupported' | 'over_budget';
  /** Reason as text. */
  readonly why: string;
}

export interface Alert {
  readonly event: AlertKind;
  /** Number of the fact; undefined for alerts that no fact causes, such as `mitigation.unenforced`. */
  readonly seq: number | undefined;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly pop: string;
  /** The mitigation after the fact; undefined if the fact concerns none, or if it is no longer remembered. */
  readonly mitigation: Mitigation | undefined;
  /** The alert's subject: a mitigation's id, a prefix, or an action. */
  readonly subject: string;
  readonly actor: Actor | undefined;
  /** One line for a person. */
  readonly summary: string;
  /** Identifies the incident if the subject does not; see refusal-digest.ts. */
  readonly incident?: string;
  /** True at the end of the incident. Only destinations with incidents receive such an alert. */
  readonly resolves?: true;
  /** Number of refusals by a quota in this alert. */
  readonly refused?: { readonly reports: number; readonly victims: number };
  /** The neighbors of `mitigation.unenforced`. */
  readonly neighbors?: readonly UnenforcedNeighbor[];
}

/** An HTTP request for a destination: always with a body. */
export interface AlertRequest extends HttpRequest {
  readonly body: string;
}

/** Returns a fact's alert; undefined if the fact is not in `wanted`. `find` returns a mitigation after the fact. */
export function alertOf(
  { seq, at, fact }: RecordedFact,
  wanted: ReadonlySet<AlertEvent>,
  pop: string,
  find: (id: string) => Mitigation | undefined,
): Alert | undefined {
  // A refusal may be wanted as an unenforced mitigation; `isWanted` decides, once its reason is known.
  if (isQuiet(fact) || !(wanted.has(fact.type) || fact.type === 'mitigation.rejected')) return undefined;
  const alert = alertAbout(fact, { event: fact.type, seq, at, pop }, find);
  return isWanted(alert, wanted) ? alert : undefined;
}

function alertAbout(
  fact: Exclude<Fact, QuietFact>,
  common: Common,
  find: (id: string) => Mitigation | undefined,
): Alert {
  switch (fact.type) {
    case 'mitigation.created':
    case 'mitigation.rejected':
    case 'mitigation.imported':
      return aboutMitigation(common, fact.mitigation, fact.mitigation.id);
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated':
    case 'mitigation.withdrawn':
    case 'mitigation.expired':
      return aboutMitigation(common, find(fact.id), fact.id);
    case 'import.refused': {
      const { origin, mitigationId, victim, vector, detail } = fact;
      const what = `Mitigation of POP ${origin.pop} refused: ${vector} on ${victim}`;
      return aboutAction(common, mitigationId, popActor(origin.pop), what, detail);
    }
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
    case 'scrubber.down':
      return aboutScrubber(common, fact.scrubber, failureWords(fact.scrubber, fact));
    case 'scrubber.up':
      return aboutScrubber(common, fact.scrubber, `scrubber ${fact.scrubber} answers its health probe again`);
    case 'policy.loaded':
      return aboutAction(common, 'configuration', fact.actor, 'Configuration loaded', fact.summary);
  }
}

/**
 * Returns true if an alert is wanted where these events are. `mitigation.unenforced` includes the refusals that leave
 * a victim unprotected.
 */
export function isWanted(alert: Alert, wanted: ReadonlySet<AlertEvent>): boolean {
  const { event, mitigation } = alert;
  if (event === TEST_ALERT) return true;
  const included = leavesUnprotected(alert) && wanted.has('mitigation.unenforced');
  if (!wanted.has(event) && !included) return false;
  // Its own POP tells of it; the others would all tell the same.
  const isOthers = mitigation?.origin !== undefined && CHANGES_OF_MITIGATIONS.has(event);
  return !isOthers || wanted.has('mitigation.imported');
}

/** Returns true for a refusal only because a quota is used up or no neighbor can enforce a rule. */
export function leavesUnprotected({ event, mitigation }: Alert): boolean {
  if (event !== 'mitigation.rejected' || mitigation === undefined) return false;
  return mitigation.reason.startsWith('quota_') || mitigation.reason === 'not_enforceable';
}

/** Returns the alert of `prefixd alerts test`. It is marked as a test and concerns nothing. */
export function testAlert(actor: Actor, at: number, pop: string): Alert {
  const summary = `[test] This is a test message of prefixd, sent by ${actor.name} (pop ${pop}). Nothing has happened`;
  return {
    event: TEST_ALERT,
    seq: undefined,
    at,
    pop,
    mitigation: undefined,
    subject: 'test',
    actor,
    summary,
  };
}

function isQuiet(fact: Fact): fact is QuietFact {
  return QUIET.some((type) => type === fact.type);
}

/** Most neighbors that a summary names. */
const NAMED = 4;

/** Returns the alert of a mitigation that is not enforced on these neighbors (at least one). */
export function unenforcedAlert(
  id: string,
  mitigation: Mitigation | undefined,
  neighbors: readonly UnenforcedNeighbor[],
  at: number,
  pop: string,
): Alert {
  const alert = aboutMitigation({ event: 'mitigation.unenforced', seq: undefined, at, pop }, mitigation, id);
  const named = neighbors.slice(0, NAMED).map(({ neighbor, why }) => `${neighbor}: ${why}`);
  const surplus = neighbors.length - NAMED;
  const more = surplus > 0 ? ` and ${countWords(surplus, 'more neighbor', 'more neighbors')}` : '';
  return { ...alert, summary: `${alert.summary}: ${named.join('; ')}${more}`, neighbors };
}

/** Returns the alert of a request to a scrubber that has failed, or no longer fails. */
export function requestAlert(
  { scrubber, prefix, request, attempts, lastError = 'no reason' }: ProtectionStatus,
  mitigation: Mitigation | undefined,
  { at, isOver }: { readonly at: number; readonly isOver: boolean },
  pop: string,
): Alert {
  const subject = `${scrubber} ${prefix}`;
  const state =
    request === 'start'
      ? `has not confirmed that it protects ${prefix}`
      : `may still protect ${prefix}: it has not confirmed the stop`;
  return {
    event: 'scrubber.request_failed',
    seq: undefined,
    at,
    pop,
    mitigation,
    subject,
    actor: undefined,
    summary: `Scrubber ${scrubber} ${state} (pop ${pop}): ${lastError} (${countWords(attempts, 'attempt')})`,
    incident: `request:${request}:${subject}`,
    ...(isOver ? { resolves: true } : {}),
  };
}

type Common = Pick<Alert, 'event' | 'seq' | 'at' | 'pop'>;

const VERBS: Readonly<Partial<Record<AlertKind, string>>> = {
  'mitigation.created': 'Mitigation started',
  'mitigation.imported': 'Mitigation of another POP taken over',
  'mitigation.rejected': 'Mitigation refused',
  'mitigation.extended': 'Mitigation extended',
  'mitigation.widened': 'Mitigation widened',
  'mitigation.escalated': 'Mitigation escalated',
  'mitigation.withdrawn': 'Mitigation withdrawn',
  'mitigation.expired': 'Mitigation expired',
  'mitigation.unenforced': 'Mitigation not enforced everywhere',
};

function aboutMitigation(common: Common, mitigation: Mitigation | undefined, id: string): Alert {
  const verb = VERBS[common.event] ?? common.event;
  if (mitigation === undefined) {
    return {
      ...common,
      mitigation,
      subject: id,
      actor: undefined,
      summary: `${verb}: ${id} (pop ${common.pop})`,
    };
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
  return { ...common, mitigation: undefined, subject, actor, summary };
}

function aboutScrubber(common: Common, subject: string, words: string): Alert {
  const summary = `${words.replace(/^s/, 'S')} (pop ${common.pop})`;
  return {
    ...common,
    mitigation: undefined,
    subject,
    actor: undefined,
    summary,
    incident: `scrubber ${subject}`,
  };
}

// Events.

/** Events that can raise an alert, in the order of the documentation. Configuration and facts use the same names. */
export const ALERT_EVENTS = [
  'mitigation.created',
  'mitigation.rejected',
  'mitigation.extended',
  'mitigation.widened',
  'mitigation.escalated',
  'mitigation.withdrawn',
  'mitigation.expired',
  'mitigation.unenforced',
  'scrubber.request_failed',
  'mitigation.imported',
  'import.refused',
  'safelist.added',
  'safelist.removed',
  'control.paused',
  'control.resumed',
  'peer.disabled',
  'peer.enabled',
  'scrubber.down',
  'scrubber.up',
  'policy.loaded',
] as const;

export type AlertEvent = (typeof ALERT_EVENTS)[number];

/** The event of the message that `prefixd alerts test` sends. */
export const TEST_ALERT = 'alert.test';

export type AlertKind = AlertEvent | typeof TEST_ALERT;

/** Changes and ends of mitigations, which have a new value but no other subject. */
const CHANGES_OF_MITIGATIONS: ReadonlySet<AlertKind> = new Set<AlertKind>([
  'mitigation.extended',
  'mitigation.widened',
  'mitigation.escalated',
  'mitigation.withdrawn',
  'mitigation.expired',
]);
