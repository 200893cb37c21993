/** Formats one mitigation in full: its fields, its rules on each neighbor, its holds and its history. */
import { type Fields, list, number, record, records, text } from './answer.ts';
import { countWords } from '../net/text.ts';
import type { CommandContext } from './command-context.ts';
import { drawingFor, fitted } from './drawing.ts';
import { actionText } from './shown-action.ts';
import { type Column, duration, pairs, table } from './tables.ts';

/** Lists the statuses of active mitigations, for the API's `status` parameter. */
export const LIVE = 'pending,active,escalated';

/** Returns true unless the mitigation is withdrawn, expired or rejected. */
export function isLive(one: Fields): boolean {
  return LIVE.split(',').includes(text(one.status));
}

/** Returns its status, or `ending` until the withdrawal is sent to every router. */
export function statusText(one: Fields): string {
  return one.ending === true ? 'ending' : text(one.status);
}

const STATES = ['sent', 'pending', 'unsupported', 'over_budget'] as const;

/** Counts the neighbors for each state of the rule: `2 sent, 1 unsupported`. */
export function enforcementText(one: Fields): string {
  const counts = record(one.enforcement);
  const parts = STATES.filter((state) => number(counts[state]) > 0).map(
    (state) => `${number(counts[state])} ${state}`,
  );
  return parts.length === 0 ? '-' : parts.join(', ');
}

/** Formats all fields of a mitigation, with its history at the end. */
export function mitigationText(context: CommandContext, one: Fields): string {
  const head = pairs(
    (
      [
        ['id', text(one.mitigation_id)],
        ['status', statusText(one)],
        ['victim', text(one.victim_ip)],
        ['customer', [text(one.customer_id), text(one.service_id)].filter(Boolean).join(' / ')],
        ['vector', text(one.vector)],
        ['action', actionText(one)],
        ['rule', text(one.rule)],
        ['neighbors', enforcementText(one)],
        ['protection', protectionText(record(one.protection))],
        ['decided at', text(one.origin)],
        ['pops', popsText(one)],
        ['created', text(one.created_at)],
        ['expires', expiryText(one)],
        ['away', isActive(one) ? awayText(record(one.away)) : ''],
        ['held by', isActive(one) ? list(one.held_by).map(text).join(', ') : ''],
        ['end', endText(one)],
        ['reason', text(one.reason)],
      ] as const
    ).filter(([, value]) => value !== ''),
    drawingFor(context),
  );
  const rules = records(one.rules);
  const holds = isActive(one) ? records(one.holds) : [];
  return [
    head,
    rules.length === 0 ? '' : `\n${table(RULE_COLUMNS, rules, drawingFor(context))}`,
    holds.length === 0 ? '' : `\n${table(HOLD_COLUMNS, holds.slice(0, HOLDS_SHOWN), drawingFor(context))}`,
    holds.length > HOLDS_SHOWN ? `and ${holds.length - HOLDS_SHOWN} more (-f json shows all)\n` : '',
    lifeText(context, one),
  ].join('');
}

/** Returns true if the mitigation is not ending or over: only then do its holds and expiry count. */
function isActive(one: Fields): boolean {
  return isLive(one) && one.ending !== true;
}

/** Returns the expiry of an active mitigation, else ''. */
function expiryText(one: Fields): string {
  if (!isActive(one)) return '';
  const at = text(one.expires_at);
  const left = (Date.parse(at) - Date.now()) / 1000;
  return Number.isFinite(left) && left > 0 ? `${at} (in ${duration(left)})` : at;
}

/** Returns the absence of its traffic: `since ..., until ... at least`; '' if its traffic takes its usual way. */
function awayText({ since, not_before: notBefore, clean_at: clean, lifted_until: lifted }: Fields): string {
  if (typeof since !== 'string') return '';
  if (typeof lifted === 'string')
    return `its blackhole is lifted until ${lifted}, to see whether the attack goes on`;
  const state = typeof clean === 'string' ? `; its scrubber reported clean traffic at ${clean}` : '';
  return `since ${since}, until ${text(notBefore)} at least${state}`;
}

/** Returns `requested at cloud: HTTP 503 (2 failed attempts)`, else ''. */
function protectionText({ state, scrubber, attempts, last_error: error }: Fields): string {
  if (typeof state !== 'string') return '';
  const failures = number(attempts);
  const why = failures === 0 ? '' : `: ${text(error)} (${countWords(failures, 'failed attempt')})`;
  return `${state} ${state === 'confirmed' ? 'by' : 'at'} ${text(scrubber)}${why}`;
}

/** Returns the POPs whose routers get its rule, unless that is only the one that answers. */
function popsText({ pops, pop }: Fields): string {
  const names = list(pops).map(text);
  if (names.length === 1 && names[0] === text(pop)) return '';
  return names.map((name) => (name === '*' ? 'all' : name)).join(', ');
}

/** Returns its end: `withdrawn by kim at 2026-01-31T12:00:00.000Z: false positive`. */
function endText(one: Fields): string {
  const { to, at, by, reason } = record(one.end);
  return typeof to === 'string' ? `${to} by ${text(record(by).name)} at ${text(at)}: ${text(reason)}` : '';
}

/**
 * Formats the history, oldest first, with times. Shows each reason once, where it first appeared. If the daemon is too old
 * for a history, shows the reasons only.
 */
function lifeText(context: CommandContext, one: Fields): string {
  const history = records(one.history);
  if (history.length === 0) {
    const why = list(one.why).map((line) => `${fitted(context, `  - ${text(line)}`)}\n`);
    return why.length === 0 ? '' : `\nwhy\n${why.join('')}`;
  }
  const omitted = text(record(one.history_omitted).text);
  const said = new Set<string>();
  const lines = history.map((entry, i) => {
    const fresh = list(entry.why)
      .map(text)
      .filter((line) => !said.has(line));
    for (const line of fresh) said.add(line);
    const why = fresh.map((line) => `${fitted(context, `  - ${line}`)}\n`).join('');
    // Omitted entries follow the first one.
    const gap = i === 0 && omitted !== '' ? `${fitted(context, `... ${omitted}`)}\n` : '';
    const head = fitted(context, `${text(entry.at)}  ${text(entry.text)}`);
    return `${head}\n${why}${gap}`;
  });
  return `\nhistory\n${lines.join('')}`;
}

const RULE_COLUMNS: readonly Column<Fields>[] = [
  { title: 'NEIGHBOR', value: (rule) => text(rule.neighbor), least: 8 },
  { title: 'STATE', value: (rule) => text(rule.state) },
  { title: 'RULE', value: (rule) => text(rule.rule), least: 20 },
  { title: 'WHY', value: (rule) => text(rule.why), least: 10, optional: true },
];

/** Bounds the table of holds: hundreds of alerts may hold one rule for a prefix. */
const HOLDS_SHOWN = 20;

const HOLD_COLUMNS: readonly Column<Fields>[] = [
  { title: 'HELD BY', value: (hold) => text(hold.source), least: 8 },
  { title: 'ALERT', value: (hold) => text(hold.alert_id), least: 8, optional: true },
  { title: 'VECTOR', value: (hold) => text(hold.vector), least: 8 },
  { title: 'VICTIM', value: (hold) => text(hold.victim_ip), least: 15, optional: true },
  { title: 'REPORTED', value: (hold) => text(hold.reported_at) },
  {
    title: 'UNTIL',
    value: (hold) => (hold.hold === 'until_released' ? 'the end is reported' : text(hold.until)),
  },
];
