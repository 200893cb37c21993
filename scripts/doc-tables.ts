/** The tables in docs/detectors.md that are made from the program itself. */
import { z } from 'zod';
import { ruleText } from '../src/app/simulate.ts';
import { defaultConfig } from '../src/config/default.ts';
import { choosePlaybook } from '../src/core/decide/ban.ts';
import { draftRule } from '../src/core/decide/rule.ts';
import type { Playbook, Step } from '../src/core/policy/playbook.ts';
import {
  AMPLIFICATION_WORDS,
  impliedProtocol,
  KNOWN_VECTORS,
  protocolWords,
  reflectorPort,
  servicesOf,
  singleAliases,
} from '../src/core/policy/vectors.ts';
import { actionWords } from '../src/core/rule-text.ts';
import { genericEventSchema } from '../src/intake/generic.ts';
import { rateWords, secondsWords } from '../src/net/text.ts';

/** Whose rules the table of playbooks shows. */
const VICTIM = '203.0.113.10';

/** The page with its tables as the program has them. Throws Error when the page has no place for one of them. */
export async function withTables(page: string): Promise<string> {
  const tables = { vectors: vectorTable(), playbooks: await playbookTable(), 'event fields': eventTable() };
  return Object.entries(tables).reduce((text, [name, table]) => withTable(text, name, table), page);
}

function withTable(page: string, name: string, table: string): string {
  const [begin, end] = [`<!-- made by npm run docs: ${name} -->`, `<!-- end of ${name} -->`];
  const [before, rest] = [page.indexOf(begin), page.indexOf(end)];
  if (before < 0 || rest < before) throw new Error(`the page lacks ${begin} and ${end}`);
  return `${page.slice(0, before)}${begin}\n\n${table}\n${page.slice(rest)}`;
}

function vectorTable(): string {
  const rows = KNOWN_VECTORS.map((vector) => {
    const protocol = impliedProtocol(vector, 4);
    const port = reflectorPort(vector);
    const services = servicesOf(vector);
    const names = [
      ...(services.length === 0 ? [] : [`a word from below after ${listed(services)}`]),
      ...(singleAliases(vector).length === 0 ? [] : [listed(singleAliases(vector))]),
    ];
    return row([
      `\`${vector}\``,
      protocol === null ? '-' : protocolWords(protocol),
      port === undefined ? '-' : String(port),
      names.length === 0 ? '-' : names.join('; '),
    ]);
  });
  return [
    '| vector | protocol | source port | aliases |',
    '|---|---|---|---|',
    ...rows,
    '',
    `Words after the name of a service: ${listed(AMPLIFICATION_WORDS)}.`,
    '',
  ].join('\n');
}

/** Decides on each vector with the bundled playbooks, for a host without services. */
async function playbookTable(): Promise<string> {
  const result = await defaultConfig();
  if (!result.ok) throw new Error(`the bundled playbooks cannot be read: ${JSON.stringify(result.problems)}`);
  const set = result.config.policy.playbooks;
  const rows = KNOWN_VECTORS.map((vector) => {
    const protocol = impliedProtocol(vector, 4);
    const { playbook } = choosePlaybook(set, {
      vector,
      protocol,
      source: 'table',
      bps: null,
      pps: null,
      confidence: null,
      ports: [],
      customerId: null,
      profile: 'normal',
    });
    if (playbook === undefined) return row([`\`${vector}\``, '-', '-', '-']);
    const [first] = playbook.steps;
    const name = playbook === set.fallback ? 'default' : `\`${playbook.name}\``;
    const matches = first === undefined ? '-' : matchOf(vector, protocol, first);
    return row([`\`${vector}\``, name, matches, stepsOf(playbook, protocol)]);
  });
  return [
    '| vector | playbook | the rule matches | steps |',
    '|---|---|---|---|',
    ...rows,
    row([
      'any other',
      'default',
      'the protocol that the report or the name tells, else everything',
      set.fallback === null ? '-' : stepsOf(set.fallback, null),
    ]),
    '',
  ].join('\n');
}

/** Returns the match of a step's rule without the destination, in operator notation. */
function matchOf(vector: string, protocol: number | null, { action, refinement }: Step): string {
  const allowedPorts = { udp: [], tcp: [] };
  const { rule, why } = draftRule({
    ...{ victim: VICTIM, vector, protocol, ports: [], allowedPorts, refinement },
    action: action.type,
  });
  if (rule === undefined) throw new Error(`${vector}: ${why.join('; ')}`);
  const text = ruleText({ match: rule.match, action });
  const [, match = ''] = /^match dst \S+ ?(.*) then /.exec(text) ?? [];
  return match === '' ? 'everything, unless the report names a protocol or ports' : `\`${match}\``;
}

/** `protocol` is the one that the vector implies; null where the rule may be for all of them. */
function stepsOf({ steps }: Playbook, protocol: number | null): string {
  return steps
    .map(({ action, ttlSeconds, confidence, persistenceSeconds, refinement, wholeHostRateBps }) => {
      const conditions = [
        ...(confidence === null ? [] : [`confidence ${confidence}`]),
        ...(persistenceSeconds === null ? [] : [secondsWords(persistenceSeconds)]),
      ];
      const from = conditions.length === 0 ? '' : `from ${conditions.join(' and ')} on: `;
      const mayBeWide = protocol === null && !refinement.fragments && wholeHostRateBps !== undefined;
      const wide = mayBeWide ? ` (${rateWords(wholeHostRateBps)} where it matches the whole host)` : '';
      return `${from}${actionWords(action)}${wide}${ttlSeconds === null ? '' : `, TTL ${secondsWords(ttlSeconds)}`}`;
    })
    .join('; ');
}

/** The fields of `POST /v1/events` from the schema that reads them. */
function eventTable(): string {
  const { properties = {}, required = [] } = z.toJSONSchema(genericEventSchema, {
    io: 'input',
    unrepresentable: 'any',
  });
  const rows = Object.entries(properties).map(([name, schema]) => {
    const meaning = typeof schema === 'object' ? (schema.description ?? '') : '';
    const must = name === 'victim_ip' ? 'yes, or `victim_prefix`' : 'yes';
    return row([`\`${name}\``, required.includes(name) ? must : '', meaning]);
  });
  return ['| field | required | meaning |', '|---|---|---|', ...rows, ''].join('\n');
}

function row(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function listed(names: readonly string[]): string {
  return names.map((name) => `\`${name}\``).join(', ');
}
