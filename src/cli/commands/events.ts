/** Implements `events send | list`. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { countWords, errorText, rateWords } from '../../net/text.ts';
import { list, record, records, text } from '../answer.ts';
import type { Fields } from '../answer.ts';
import { withClient } from '../client.ts';
import type { ApiClient } from '../client.ts';
import type { CommandContext } from '../command-context.ts';
import { CliError, Exit, readInput, UsageError } from '../command-context.ts';
import { drawingFor, fitted, idCell, timeCell } from '../drawing.ts';
import { json, table } from '../tables.ts';
import type { Column } from '../tables.ts';
import { FOLLOW_EVERY_MS, repeat, rowWriter } from '../watch.ts';
import { readNumber, readPorts, readProtocol, readRate } from '../options.ts';

/** The events in one call; the API accepts at most 1 MiB. */
const BATCH = 500;

export function registerEvents(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  const events = program
    .command('events')
    .description('report attacks, and list or follow the reports (events)')
    .examples('prefixd events', 'prefixd events --follow', 'prefixd events send attacks.jsonl');

  events
    .command('send [file]')
    .description('report one attack by options, or events as JSON from a file ("-" for standard input)')
    .details(
      'A file contains one event, a list of events, or one event per line (docs/detectors.md).',
      'Prints the decision on each event and its reasons. A ban can announce a real rule.',
    )
    .option('--victim <address>', 'address or prefix under attack')
    .option('--vector <vector>', 'kind of attack: udp_flood, syn_flood, dns_amplification, ...')
    .option('--source <name>', 'name of the detector (default: cli)')
    .option('--protocol <protocol>', 'protocol by name or number: tcp, udp, icmp, 47, ...')
    .option('--bps <rate>', 'bits per second: 5mbps, 1.5gbps')
    .option('--pps <number>', 'packets per second')
    .option('--confidence <number>', 'confidence from 0 to 1')
    .option('--port <ports>', 'destination ports under attack, comma-separated')
    .option('--event-id <text>', 'your own id of this attack')
    .option('--unban', 'report that the attack has ended')
    .requires(([file], { victim, vector }) => {
      if (file !== undefined || (victim !== undefined && vector !== undefined)) return '';
      const missing = [victim === undefined ? '--victim' : '', vector === undefined ? '--vector' : ''];
      return `${missing.filter(Boolean).join(' and ')}, or a file of events ("-" for standard input)`;
    })
    .examples(
      'prefixd events send --victim 203.0.113.10 --vector udp_flood --bps 1.5gbps --confidence 0.9',
      'prefixd events send --victim 203.0.113.10 --vector udp_flood --unban',
      'prefixd events send - < attacks.jsonl',
    )
    .action(async (file: string | undefined, options: SendOptions, command: Command) => {
      await send(contextFor(command), file, options);
    });

  events
    .command('list', { isDefault: true })
    .description('list reports, newest first (default)')
    .details(
      'Shows the decision on each report. With --follow, keeps running while the daemon restarts;',
      'with -f json, then prints one JSON line per report.',
    )
    .option('--victim <address>', 'show only reports about this victim')
    .option('--source <name>', 'show only reports from this detector')
    .option('--vector <vector>', 'show only reports of this vector')
    .option('--limit <number>', 'show at most N reports (default: 100)')
    .option('--follow', 'keep running and show new reports as they arrive; oldest first')
    .examples(
      'prefixd events list --victim 203.0.113.10',
      'prefixd events list --follow --source fastnetmon',
      'prefixd events list --follow -f json',
    )
    .action(async (options: EventListOptions, command: Command) => {
      await listEvents(contextFor(command), options);
    });
}

interface EventListOptions {
  readonly victim?: string;
  readonly source?: string;
  readonly vector?: string;
  readonly limit?: string;
  readonly follow?: true;
}

async function listEvents(context: CommandContext, options: EventListOptions): Promise<void> {
  const query = new URLSearchParams();
  if (options.victim !== undefined) query.set('victim_ip', options.victim);
  if (options.source !== undefined) query.set('source', options.source);
  if (options.vector !== undefined) query.set('vector', options.vector);
  await withClient(context, async (client) => {
    const limited = new URLSearchParams(query);
    if (options.limit !== undefined) limited.set('limit', options.limit);
    const answer = await client.get(`/v1/events${limited.size === 0 ? '' : `?${limited.toString()}`}`);
    const rows = records(record(answer).events);
    if (options.follow === true) return followEvents(context, client, query, rows.toReversed());
    if (context.options.format === 'json') return void context.io.stdout.write(json(answer));
    if (rows.length === 0) return void context.io.stdout.write('No matching events.\n');
    context.io.stdout.write(table(columnsFor(context), rows, drawingFor(context)));
  });
}

interface SendOptions {
  readonly victim?: string;
  readonly vector?: string;
  readonly source?: string;
  readonly protocol?: string;
  readonly bps?: string;
  readonly pps?: string;
  readonly confidence?: string;
  readonly port?: string;
  readonly eventId?: string;
  readonly unban?: true;
}

async function send(context: CommandContext, file: string | undefined, options: SendOptions): Promise<void> {
  if (file !== undefined && Object.keys(options).length > 0) {
    throw new UsageError('use either a file of events or options for one event, not both');
  }
  const events = file === undefined ? [eventOf(options)] : readEvents(await read(context, file), file);
  const results = await withClient(context, (client) => post(client, events));
  if (context.options.format === 'json') {
    context.io.stdout.write(json(results.length === 1 ? results[0] : results));
  } else {
    context.io.stdout.write(fitted(context, results.map(answerText).join('')));
  }
  const failed = results.filter((result) => text(result.error) !== '').length;
  if (failed > 0)
    throw new CliError(Exit.InvalidInput, `${failed} of ${countWords(results.length, 'event')} refused`);
}

function eventOf(options: SendOptions): Fields {
  const { victim, vector, source, protocol, bps, pps, confidence, port, eventId, unban } = options;
  return {
    source: source ?? 'cli',
    victim_ip: victim,
    vector,
    ...(eventId === undefined ? {} : { event_id: eventId }),
    ...(protocol === undefined ? {} : { protocol: readProtocol(protocol) }),
    ...(bps === undefined ? {} : { bps: readRate(bps) }),
    ...(pps === undefined ? {} : { pps: readNumber('--pps', pps) }),
    ...(confidence === undefined ? {} : { confidence: readNumber('--confidence', confidence) }),
    ...(port === undefined ? {} : { top_dst_ports: readPorts(port) }),
    action: unban === true ? 'unban' : 'ban',
  };
}

/** Reads a file, or standard input for "-". */
export async function read(context: CommandContext, file: string): Promise<string> {
  if (file === '-') return readInput(context.io);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = errorText(error);
    throw new CliError(Exit.InvalidInput, `cannot read ${file}: ${why}`);
  }
}

/** Reads JSON: one event, a list of events, or one event per line. */
export function readEvents(content: string, file: string): readonly Fields[] {
  const whole = tryJson(content);
  if (whole !== undefined) return (Array.isArray(whole) ? whole : [whole]).map(record);
  return content.split('\n').flatMap((line, i) => {
    if (line.trim() === '') return [];
    const event = tryJson(line);
    if (event === undefined) throw new CliError(Exit.InvalidInput, `${file}:${i + 1}: this line is not JSON`);
    return [record(event)];
  });
}

function tryJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}

async function post(client: ApiClient, events: readonly Fields[]): Promise<readonly Fields[]> {
  const [only] = events;
  if (events.length === 1 && only !== undefined) return [record(await client.post('/v1/events', only))];
  const results: Fields[] = [];
  for (let i = 0; i < events.length; i += BATCH) {
    const answer = await client.post('/v1/events/batch', events.slice(i, i + BATCH));
    results.push(...records(record(answer).results));
  }
  return results;
}

function answerText(result: Fields): string {
  const error = text(result.error);
  if (error !== '') return `refused: ${error}\n`;
  const mitigation = text(result.mitigation_id);
  const why = list(result.why).map((step) => `  - ${text(step)}\n`);
  return `${text(result.status)}${mitigation === '' ? '' : ` ${mitigation}`}\n${why.join('')}`;
}

/** Defines the columns. The victim is never cut; a narrow terminal drops columns from the last on. */
function columnsFor(context: CommandContext): readonly Column<Fields>[] {
  return [
    { title: 'RECEIVED', value: (event) => timeCell(context, event.received_at) },
    { title: 'VICTIM', value: (event) => text(event.victim_ip) },
    { title: 'STATUS', value: (event) => text(event.status), least: 12 },
    { title: 'VECTOR', value: (event) => text(event.vector), optional: true },
    { title: 'SOURCE', value: (event) => text(event.source), least: 8, optional: true },
    { title: 'RATE', value: (event) => rateText(event.bps), right: true, optional: true },
    { title: 'ACTION', value: (event) => text(event.action), optional: true },
    { title: 'MITIGATION', value: (event) => idCell(context, event.mitigation_id), optional: true },
    { title: 'REASON', value: (event) => text(event.reason), optional: true },
  ];
}

function rateText(bps: unknown): string {
  return typeof bps === 'number' ? rateWords(bps) : '-';
}

const FOLLOWED_PAGE = 200;

/** Writes `first`, then new reports every 2 seconds. Keeps trying while the daemon is unreachable. */
async function followEvents(
  context: CommandContext,
  client: ApiClient,
  query: URLSearchParams,
  first: readonly Fields[],
): Promise<never> {
  const write = rowWriter(context, columnsFor(context));
  write(first);
  let last = text(first.at(-1)?.event_id);
  return repeat(context, FOLLOW_EVERY_MS, async () => {
    const { events, complete } = await eventsSince(client, query, last);
    if (!complete) {
      context.io.stderr.write(
        'prefixd: some reports may be missing here: more arrived than the daemon keeps\n',
      );
    }
    last = text(events.at(-1)?.event_id) || last;
    write(events);
  });
}

/** Returns the reports after `last`, oldest first; not `complete` if the daemon no longer has `last`. */
async function eventsSince(
  client: ApiClient,
  query: URLSearchParams,
  last: string,
): Promise<{ readonly events: readonly Fields[]; readonly complete: boolean }> {
  const found: Fields[] = [];
  let cursor: unknown;
  do {
    const asked = new URLSearchParams(query);
    asked.set('limit', String(FOLLOWED_PAGE));
    if (typeof cursor === 'string') asked.set('cursor', cursor);
    const page = record(await client.get(`/v1/events?${asked.toString()}`));
    for (const event of records(page.events)) {
      if (text(event.event_id) === last) return { events: found.toReversed(), complete: true };
      found.push(event);
    }
    cursor = page.next_cursor;
  } while (typeof cursor === 'string');
  return { events: found.toReversed(), complete: last === '' };
}
