/** `events send | list`. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { list, record, records, text } from './answer.ts';
import type { Fields } from './answer.ts';
import { withClient } from './client.ts';
import type { ApiClient } from './client.ts';
import type { Context } from './context.ts';
import { CliError, Exit, readInput } from './context.ts';
import { drawingFor } from './drawing.ts';
import { json, table } from './render.ts';
import type { Column } from './render.ts';
import { readPorts, readProtocol, readRate } from './values.ts';

/** Events in one call; the API takes at most 1 MiB. */
const BATCH = 500;

export function registerEvents(program: Command, contextFor: (command: Command) => Context): void {
  const events = program.command('events').description('reports of attacks');

  events
    .command('send [file]')
    .description(
      'report an attack: by the options, or events in JSON (one, a list, or a line each) from a file or "-"',
    )
    .option('--victim <address>', 'who is attacked')
    .option('--vector <vector>', 'udp_flood, syn_flood, dns_amplification, ...')
    .option('--source <name>', 'who saw it (default: cli)')
    .option('--protocol <protocol>', 'tcp, udp, icmp, ... or its number')
    .option('--bps <rate>', 'bits a second; 5mbps, 1.5gbps')
    .option('--pps <number>', 'packets a second')
    .option('--confidence <number>', 'from 0 to 1')
    .option('--port <ports>', 'destination ports under attack, separated by commas')
    .option('--event-id <id>', 'an id of your own')
    .option('--unban', 'the attack is over')
    .action(async (file: string | undefined, options: SendOptions, command: Command) => {
      await send(contextFor(command), file, options);
    });

  events
    .command('list', { isDefault: true })
    .description('list reports, the newest first')
    .option('--victim <address>', 'of this victim')
    .option('--source <name>', 'of this detector')
    .option('--limit <number>', 'how many at most (default: 100)')
    .action(async (options: { victim?: string; source?: string; limit?: string }, command: Command) => {
      const context = contextFor(command);
      const query = new URLSearchParams();
      if (options.victim !== undefined) query.set('victim_ip', options.victim);
      if (options.source !== undefined) query.set('source', options.source);
      if (options.limit !== undefined) query.set('limit', options.limit);
      const search = query.size === 0 ? '' : `?${query.toString()}`;
      const answer = await withClient(context, (client) => client.get(`/v1/events${search}`));
      if (context.options.format === 'json') return void context.io.stdout.write(json(answer));
      const rows = records(record(answer).events);
      if (rows.length === 0) return void context.io.stdout.write('There are no such events.\n');
      context.io.stdout.write(table(LISTED, rows, drawingFor(context)));
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

async function send(context: Context, file: string | undefined, options: SendOptions): Promise<void> {
  const { victim, vector } = options;
  if (file === undefined && (victim === undefined || vector === undefined)) {
    throw new CliError(
      Exit.InvalidInput,
      'say --victim and --vector, or name a file with events ("-": standard input)',
    );
  }
  if (file !== undefined && Object.keys(options).length > 0) {
    throw new CliError(Exit.InvalidInput, 'events are in the file, or one is in the options; not both');
  }
  const events = file === undefined ? [eventOf(options)] : readEvents(await read(context, file), file);
  const results = await withClient(context, (client) => post(client, events));
  if (context.options.format === 'json') {
    context.io.stdout.write(json(results.length === 1 ? results[0] : results));
  } else {
    context.io.stdout.write(results.map(answerText).join(''));
  }
  const failed = results.filter((result) => text(result.error) !== '').length;
  if (failed > 0)
    throw new CliError(Exit.InvalidInput, `${failed} of ${results.length} events were not taken`);
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

function readNumber(option: string, value: string): number {
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (!Number.isFinite(number))
    throw new CliError(Exit.InvalidInput, `${option}: "${value}" is not a number`);
  return number;
}

/** A file, or standard input for "-". */
export async function read(context: Context, file: string): Promise<string> {
  if (file === '-') return readInput(context.io);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliError(Exit.InvalidInput, `${file} cannot be read: ${why}`);
  }
}

/** One event, a list of them, or one on each line. */
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

const LISTED: readonly Column<Fields>[] = [
  { title: 'RECEIVED', value: (event) => text(event.received_at) },
  { title: 'SOURCE', value: (event) => text(event.source), least: 8 },
  { title: 'ACTION', value: (event) => text(event.action), optional: true },
  { title: 'VICTIM', value: (event) => text(event.victim_ip) },
  { title: 'VECTOR', value: (event) => text(event.vector), least: 10 },
  { title: 'STATUS', value: (event) => text(event.status), least: 12 },
  { title: 'REASON', value: (event) => text(event.reason), optional: true },
  { title: 'MITIGATION', value: (event) => text(event.mitigation_id), optional: true },
];
