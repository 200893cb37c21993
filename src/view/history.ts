/** A mitigation's life as everybody outside sees it: what happened when, on whose behalf and why, oldest first. */
import { z } from 'zod';
import type { KeptReport, LeftOut, Life, LifeEntry } from '../core/state/life.ts';
import type { EventRecord } from '../core/types.ts';
import { actionWords, portWords } from '../core/text.ts';
import { countWords, rateWords } from '../net/text.ts';
import { timeText } from '../net/time.ts';
import { ActorSchema, EventStatusSchema, time } from './schemas.ts';
import { actorView, timeOrNull } from './values.ts';

/** The kinds of entries, as `what` names them. */
const HISTORY_KINDS = [
  'created',
  'rejected',
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
      '`reported`: a report that changed nothing; `renewed`: by the daemon, for those that hold it; `ending`: by whom and why it ends; `withdrawn`, `expired`: every established session has been told',
    ),
  text: z.string().describe('The entry in one line'),
  by: ActorSchema,
  reason: z.string().nullable(),
  why: z.array(z.string()).describe('As it was said at that time; of an older report empty'),
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
      reason: z.string().nullable().describe('The refusal, where it was refused'),
    })
    .nullable()
    .describe('The report that led to it, with its values and its answer'),
  change: z
    .object({
      expires_at: time,
      action_type: z.enum(['police', 'discard']),
      rate_bps: z.number().nullable(),
      step: z.int(),
      dst_ports: z.array(z.int()),
      customer_id: z.string().nullable(),
      service_id: z.string().nullable(),
    })
    .partial()
    .describe('What it was set to at that time'),
});

export const HistoryOmittedSchema = z.object({
  decisions: z.int(),
  reports: z.int(),
  renewals: z.int(),
  from: time.nullable().describe('When the first of them happened'),
  to: time.nullable().describe('When the last of them happened'),
  max_bps: z.number().nullable().describe('Highest that a report among them said'),
  max_pps: z.number().nullable(),
  unknown_until: time
    .nullable()
    .describe('What happened before, after its beginning, was recorded by a version that kept no history'),
  text: z.string().describe('The same in one line; empty when nothing is left out'),
});

export type HistoryEntry = z.output<typeof HistoryEntrySchema>;
export type HistoryOmitted = z.output<typeof HistoryOmittedSchema>;

/** The entries that are kept, oldest first. `events` are those that are remembered, with the reasons of their answers. */
export function historyView(life: Life, events: ReadonlyMap<string, EventRecord>): HistoryEntry[] {
  return [...life.turns, ...life.reports, ...life.renewals]
    .sort((a, b) => a.seq - b.seq || a.at - b.at)
    .map((entry) => entryView(entry, events));
}

/** What is not among them, in numbers. */
export function omittedView({ leftOut, unknownUntil }: Life): HistoryOmitted {
  return {
    decisions: leftOut?.turns ?? 0,
    reports: leftOut?.reports ?? 0,
    renewals: leftOut?.renewals ?? 0,
    from: timeOrNull(leftOut?.from ?? null),
    to: timeOrNull(leftOut?.to ?? null),
    max_bps: leftOut?.maxBps ?? null,
    max_pps: leftOut?.maxPps ?? null,
    unknown_until: timeOrNull(unknownUntil ?? null),
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
    ...(action === undefined ? {} : { action_type: action.type, rate_bps: action.rateBps }),
    ...(step === undefined ? {} : { step }),
    ...(ports === undefined ? {} : { dst_ports: [...ports] }),
    ...(owner === undefined ? {} : { customer_id: owner.customerId, service_id: owner.serviceId }),
  };
}

/** One line: what happened, and what was reported. */
function entryWords(entry: LifeEntry): string {
  const { report, kind } = entry;
  const what = whatWords(entry);
  if (report === undefined) return what;
  const said = reportWords(report);
  // A report that did something else than it was answered with concerned another mitigation, too.
  const answered =
    kind === 'reported' || report.status === 'rejected'
      ? `; answered ${[report.status, ...(report.refusal === null ? [] : [report.refusal])].join(': ')}`
      : '';
  return what === '' ? `${said}${answered}` : `${what}; ${said}${answered}`;
}

function whatWords(entry: LifeEntry): string {
  const { kind, actor, report, reason = '', expiresAt, action, step, ports, owner, to } = entry;
  const until = expiresAt === undefined ? '' : ` until ${timeText(expiresAt)}`;
  const does = action === undefined ? '' : `: ${actionWords(action)}`;
  switch (kind) {
    case 'created': {
      const own = actor.kind === 'operator' ? ` (${reason})` : '';
      return `created${report === undefined ? ` by ${actorWords(actor)}${own}` : ''}${does},${until}`;
    }
    case 'rejected':
      return `refused: ${reason}`;
    case 'reported':
      return '';
    case 'extended':
      return until === '' ? 'its hold changed' : `extended${until}`;
    case 'renewed':
      return `renewed for those that hold it,${until}`;
    case 'shortened':
      return `cut to the longest TTL allowed,${until}`;
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
      // A detector's reason names it; its token may be called anything.
      return `withdrawn${actor.kind === 'detector' ? '' : ` by ${actorWords(actor)}`}: ${reason}`;
    case 'withdrawn':
    case 'expired':
      return 'ended: every established session has been told';
  }
}

/** `kim (via noc)`: who somebody says to be, and whose token or certificate it was. */
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

function omittedWords(leftOut: LeftOut | undefined, unknownUntil: number | undefined): string {
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
      `${counts.join(', ')} not shown (${timeText(from)} to ${timeText(to)}${peak}); the audit log has them`,
    );
  }
  if (unknownUntil !== undefined) {
    sentences.push(
      `between its beginning and ${timeText(unknownUntil)} no history was kept; the audit log has it`,
    );
  }
  return sentences.join('. ');
}
