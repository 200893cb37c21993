/** Implements `scrubbers`. */
import type { Command } from 'commander';
import { countWords } from '../../net/text.ts';
import { type Fields, list, number, record, records, text } from '../answer.ts';
import { withClient } from '../client.ts';
import type { CliCommand } from '../command.ts';
import type { CommandContext } from '../command-context.ts';
import { drawingFor } from '../drawing.ts';
import { type Column, json, pairs, table } from '../tables.ts';

export function registerScrubbers(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  program
    .command('scrubbers')
    .description('show scrubbers and blackholing, and how many mitigations use them')
    .details(
      'Shows where mitigations can send traffic, as configured, which prefixes cloud scrubbers are asked to protect, and whether victims may be blackholed.',
    )
    .examples('prefixd scrubbers', 'prefixd scrubbers -f json')
    .action(async (_options, command: Command) => {
      const context = contextFor(command);
      const answer = await withClient(context, (client) => client.get('/v1/scrubbers'));
      context.io.stdout.write(
        context.options.format === 'json' ? json(answer) : scrubbersText(context, record(answer)),
      );
    });
}

function scrubbersText(context: CommandContext, { scrubbers, protections, blackhole }: Fields): string {
  const rows = records(scrubbers);
  const asked = records(protections);
  const drawing = drawingFor(context);
  const shown = rows.length === 0 ? 'No scrubbers are configured.\n' : table(COLUMNS, rows, drawing);
  const requested = asked.length === 0 ? '' : `\n${table(PROTECTION_COLUMNS, asked, drawing)}`;
  return `${shown}${requested}\n${pairs([['blackholing', blackholeText(record(blackhole))]], drawing)}`;
}

const COLUMNS: readonly Column<Fields>[] = [
  { title: 'NAME', value: (one) => text(one.name) },
  { title: 'HEALTH', value: healthText, least: 8 },
  { title: 'REDIRECTED', value: (one) => text(one.redirected), right: true },
  { title: 'DIVERTED', value: divertedText, right: true },
  { title: 'REDIRECT TO', value: redirectText, least: 11 },
  { title: 'DIVERT TO', value: (one) => nextHops(record(one.divert)), least: 9 },
  { title: 'COMMUNITIES', value: (one) => communities(record(one.divert)), least: 11, optional: true },
];

/** Returns `healthy`, `unhealthy: no answer within 3 s`, or `-` for a scrubber that is not probed. */
function healthText({ healthy, unhealthy_reason: why }: Fields): string {
  if (healthy === true) return 'healthy';
  return healthy === false ? `unhealthy: ${text(why)}` : '-';
}
const PROTECTION_COLUMNS: readonly Column<Fields>[] = [
  { title: 'SCRUBBER', value: (one) => text(one.scrubber) },
  { title: 'PREFIX', value: (one) => text(one.prefix) },
  { title: 'STATE', value: (one) => text(one.state) },
  { title: 'SINCE', value: (one) => text(one.since) },
  { title: 'ATTEMPTS', value: (one) => text(one.attempts), right: true },
  { title: 'NEXT', value: (one) => text(one.next_attempt_at) || '-', optional: true },
  { title: 'ERROR', value: (one) => text(one.last_error) || '-', least: 10 },
];

/** Returns the number of diversions and its limit: `1 of 10`. */
function divertedText({ diverted, max_diverted: limit }: Fields): string {
  return typeof limit === 'number' ? `${number(diverted)} of ${limit}` : text(diverted);
}

/** Returns the redirect's targets: `192.0.2.50, VRF 65010:666`. */
function redirectText(one: Fields): string {
  const { ipv4, ipv6, vrf } = record(one.redirect);
  const targets = [text(ipv4), text(ipv6), text(vrf) === '' ? '' : `VRF ${text(vrf)}`];
  return targets.filter(Boolean).join(', ') || '-';
}

function nextHops({ next_hop_v4: v4, next_hop_v6: v6 }: Fields): string {
  return [text(v4), text(v6)].filter(Boolean).join(', ') || '-';
}

function communities(target: Fields): string {
  return list(target.communities).map(text).join(', ') || '-';
}

/** Returns `allowed for acme; next hops 192.0.2.1, 100::1; communities 65010:666; 1 active mitigation`. */
function blackholeText(blackhole: Fields): string {
  const active = countWords(number(blackhole.active), 'active mitigation');
  if (blackhole.allowed !== true) return `not allowed; ${active}`;
  const customers = list(blackhole.customers).map(text).join(', ') || 'all customers';
  return `allowed for ${customers}; next hops ${nextHops(blackhole)}; communities ${communities(blackhole)}; ${active}`;
}
