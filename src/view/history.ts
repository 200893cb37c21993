/** A mitigation's history in the API's form: what happened, when, by whom and why, oldest first. */
import { z } from 'zod';
import type { KeptReport, OmittedEntries, Life, LifeEntry } from '../core/state/life.ts';
import type { EventRecord } from '../core/types.ts';
import { actionWords, portWords } from '../core/rule-text.ts';
import { countWords, rateWords } from '../net/text.ts';
import { timeText } from '../net/time.ts';
import { ActionSchema, actionView } from './action-view.ts';
import { ActorSchema, EventStatusSchema, time } from './schemas.ts';
import { actorView, timeOrNull } from './values.ts';

/** The kinds of entries, the values of `what`. */
const HISTORY_KINDS = [
  'created',
  'rejected',
  'imported',
  'reported',
  'extended',
  'renewed',
  'shortened',
  'widened',
  'escalated',
  'released',
  'moved',
  'ending',
  'withdrawn',
  'expired',
] as const satisfies readonly LifeEntry['kind'][];

export const HistoryEntrySchema = z.object({
  at: time,
  what: z
    .enum(HISTORY_KINDS)
    .describe(
      '`imported`: another POP decided it; `reported`: a report that changed nothing; `renewed`: by the daemon, for its holds; `ending`: who ended it and why; `withdrawn`, `expired`: the withdrawal was sent to every established session',
    ),
  text: z.string().describe('The entry in one line'),
  by: ActorSchema,
  reason: z.string().nullable(),
  why: z.array(z.string()).describe('The reasons given at that time; empty for an older report'),
  report: z
    .object({
      event_id: z.uuid(),
      source: z.string(),
      action: z.enum(['ban', 'unban']),
      victim_ip: z.string(),
      vector: z.string(),
      bps: z.number().nullable(),
      pps: z.number().nullable(),
      confidence: z.number().nullable(),
      status: EventStatusSchema,
      reason: z.string().nullable().describe('The refusal, if it was refused'),
    })
    .nullable()
    .describe('The report that caused it, with its values and its answer'),
  change: z
    .object({
      expires_at: time,
      ...ActionSchema.shape,
      step: z.int(),
      dst_ports: z.array(z.int()),
      customer_id: z.string().nullable(),
      service_id: z.string().nullable(),
    })
    .partial()
    .describe('The new values at that time'),
});

export const HistoryOmittedSchema = z.object({
  decisions: z.int(),
  reports: z.int(),
  renewals: z.int(),
  from: time.nullable().describe('Time of the first of them'),
  to: time.nullable().describe('Time of the last of them'),
  max_bps: z.number().nullable().describe('Highest value in a report among them'),
  max_pps: z.number().nullable(),
  unknown_until: time
    .nullable()
    .describe('No history is known between its beginning and this time: an older version recorded it'),
  text: z.string().describe('The same in one line; empty when nothing is omitted'),
});

export type HistoryEntry = z.output<typeof HistoryEntrySchema>;
export type HistoryOmitted = z.output<typeof HistoryOmittedSchema>;

/** Returns the kept entries, oldest first. `events` are the remembered ones, with the reasons of their answers. */
export function historyView(life: Life, events: ReadonlyMap<string, EventRecord>): HistoryEntry[] {
  return [...life.turns, ...life.reports, ...life.renewals]
    .sort((a, b) => a.seq - b.seq || a.at - b.at)
    .map((entry) => entryView(entry, events));
}

/** Counts the entries that are not kept. */
export function omittedView({ leftOut, unknownUntil }: Life): HistoryOmitted {
  return {
    decisions: leftOut?.turns ?? 0,
    reports: leftOut?.reports ?? 0,
    renewals: leftOut?.renewals ?? 0,
    from: timeOrNull(leftOut?.from),
    to: timeOrNull(leftOut?.to),
    max_bps: leftOut?.maxBps ?? null,
    max_pps: leftOut?.maxPps ?? null,
    unknown_until: timeOrNull(unknownUntil),
    text: omittedWords(leftOut, unknownUntil),
  };
}

function entryView(entry: LifeEntry, events: ReadonlyMap<string, EventRecord>): HistoryEntry {
  const { at, kind, actor, report, reason } = entry;
  return {
    at: timeText(at),
    what: kind,
    text: entryWords(entry),
    by: actorView(actor),
    reason: reason ?? null,
    why: [...(entry.why ?? events.get(report?.eventId ?? '')?.why ?? [])],
    report: report === undefined ? null : reportView(report),
    change: changeOf(entry),
  };
}

function reportView(report: KeptReport): NonNullable<HistoryEntry['report']> {
  const { eventId, source, action, victim, vector, bps, pps, confidence, status, refusal } = report;
  return {
    event_id: eventId,
    source,
    action,
    victim_ip: victim,
    vector,
    bps,
    pps,
    confidence,
    status,
    reason: refusal,
  };
}

function changeOf({ expiresAt, action, step, ports, owner }: LifeEntry): HistoryEntry['change'] {
  return {
    ...(expiresAt === undefined ? {} : { expires_at: timeText(expiresAt) }),
    ...(action === undefined ? {} : actionView(action)),
    ...(step === undefined ? {} : { step }),
    ...(ports === undefined ? {} : { dst_ports: [...ports] }),
    ...(owner === undefined ? {} : { customer_id: owner.customerId, service_id: owner.serviceId }),
  };
}

/** Describes an entry in one line: what happened, and what was reported. */
function entryWords(entry: LifeEntry): string {
  const { report, kind } = entry;
  const what = kindWords(entry);
  if (report === undefined) return what;
  const said = reportWords(report);
  // A report whose answer differs from this entry also concerned another mitigation.
  const answered =
    kind === 'reported' || report.status === 'rejected'
      ? `; answered ${[report.status, ...(report.refusal === null ? [] : [report.refusal])].join(': ')}`
      : '';
  return what === '' ? `${said}${answered}` : `${what}; ${said}${answered}`;
}

function kindWords(entry: LifeEntry): string {
  const { kind, actor, report, reason = '', expiresAt, action, step, ports, owner, to } = entry;
  const until = expiresAt === undefined ? '' : ` until ${timeText(expiresAt)}`;
  const does = action === undefined ? '' : `: ${actionWords(action)}`;
  switch (kind) {
    case 'created': {
      const own = actor.kind === 'operator' ? ` (${reason})` : '';
      return `created${report === undefined ? ` by ${actorWords(actor)}${own}` : ''}${does},${until}`;
    }
    case 'imported':
      return `taken over from ${actorWords(actor)}${does},${until}`;
    case 'rejected':
      return `refused: ${reason}`;
    case 'reported':
      return '';
    case 'extended':
      if (until === '') return 'its hold changed';
      return `extended${report === undefined ? ` by ${actorWords(actor)}` : ''}${until}`;
    case 'renewed':
      return `renewed for its holds,${until}`;
    case 'shortened':
      return `shortened ${actor.via === undefined ? 'to the maximum TTL' : `by ${actorWords(actor)}`},${until}`;
    case 'widened': {
      const covers = ports === undefined || ports.length === 0 ? '' : ` to ${portWords(ports)}`;
      return `widened${covers}${does}${until === '' ? '' : `,${until}`}`;
    }
    case 'escalated':
      return `escalated${step === undefined ? '' : ` to step ${step + 1}`}${does}${until === '' ? '' : `,${until}`}`;
    case 'released':
      return until === ''
        ? `released (${reason}); it stays active`
        : `released (${reason}); kept${until} in case the attack returns`;
    case 'moved':
      return `moved to customer ${owner?.customerId ?? '(none)'}, service ${owner?.serviceId ?? '(none)'} by ${actorWords(actor)}`;
    case 'ending':
      if (to === 'expired') return `expires: ${reason}`;
      // A detector's reason contains its name; its token may have any name.
      return `withdrawn${actor.kind === 'detector' ? '' : ` by ${actorWords(actor)}`}: ${reason}`;
    case 'withdrawn':
    case 'expired':
      return 'ended: the withdrawal was sent to every established session';
  }
}

/** Formats `kim (via noc)`: the stated name, and the name of the token or certificate. */
function actorWords({ name, via }: LifeEntry['actor']): string {
  return via === undefined || via === name ? name : `${name} (via ${via})`;
}

/** `fnm reported udp_flood: 4.72 Gbit/s, 1180400 packets/s, confidence 0.9`. */
function reportWords({ source, action, vector, bps, pps, confidence }: KeptReport): string {
  const values = [
    ...(bps === null ? [] : [rateWords(bps)]),
    ...(pps === null ? [] : [`${pps} packets/s`]),
    ...(confidence === null ? [] : [`confidence ${confidence}`]),
  ];
  const said = action === 'unban' ? `the end of ${vector}` : vector;
  return `${source} reported ${said}${values.length === 0 ? '' : `: ${values.join(', ')}`}`;
}

function omittedWords(leftOut: OmittedEntries | undefined, unknownUntil: number | undefined): string {
  const sentences: string[] = [];
  if (leftOut !== undefined) {
    const { turns, reports, renewals, from, to, maxBps, maxPps } = leftOut;
    const counts = [
      ...(turns === 0 ? [] : [countWords(turns, 'earlier decision')]),
      ...(reports === 0 ? [] : [countWords(reports, 'earlier report')]),
      ...(renewals === 0 ? [] : [countWords(renewals, 'earlier renewal')]),
    ];
    const most = [
      ...(maxBps === null ? [] : [rateWords(maxBps)]),
      ...(maxPps === null ? [] : [`${maxPps} packets/s`]),
    ];
    const peak = most.length === 0 ? '' : `; reports of at most ${most.join(' and ')}`;
    sentences.push(
      `${counts.join(', ')} not shown (${timeText(from)} to ${timeText(to)}${peak}); see the audit log`,
    );
  }
  if (unknownUntil !== undefined) {
    sentences.push(
      `between its beginning and ${timeText(unknownUntil)} no history was kept; see the audit log`,
    );
  }
  return sentences.join('. ');
}
