/** Implements `audit`: shows who did what, when and why. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { type Fields, record, records, text } from '../answer.ts';
import { type ApiClient, withClient } from '../client.ts';
import type { CommandContext } from '../command-context.ts';
import { idCell, timeCell } from '../drawing.ts';
import type { Column } from '../tables.ts';
import { FOLLOW_EVERY_MS, repeat, rowWriter } from '../watch.ts';

/** The entries read at each interval of --follow; if more were written, a message says that some may be missing. */
const FOLLOWED = 1000;

export function registerAudit(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('audit')
    .description('show the newest entries of the audit log: who did what, when and why')
    .details(
      'Filters the newest entries by action, actor and target, and prints them oldest first.',
      'With --follow, keeps running while the daemon restarts; with -f json, prints one JSON line per entry.',
    )
    .option('--limit <number>', 'read at most N entries, before filtering (default: 100)')
    .option('--action <text>', 'show only actions that begin with this: mitigation, safelist.added')
    .option('--actor <name>', 'show only actions of this operator, detector or token')
    .option('--target <text>', 'show only targets whose id or name begins with this')
    .option('--follow', 'keep running and show new entries as they are written')
    .examples('prefixd audit --action mitigation.withdrawn --actor alice', 'prefixd audit --follow')
    .action(async (options: AuditOptions, command: Command) => {
      await audit(contextFor(command), options);
    });
}

interface AuditOptions {
  readonly limit?: string;
  readonly action?: string;
  readonly actor?: string;
  readonly target?: string;
  readonly follow?: true;
}

async function audit(context: CommandContext, options: AuditOptions): Promise<void> {
  await withClient(context, async (client) => {
    const first = await newest(client, options.limit ?? '100');
    const write = rowWriter(context, columnsFor(context));
    const show = (entries: readonly Fields[]): number => {
      const wanted = entries.filter((entry) => isWanted(entry, options));
      write(wanted);
      return wanted.length;
    };
    if (show(first) === 0 && context.options.format === 'table') {
      context.io.stderr.write('No matching entries.\n');
    }
    if (options.follow === true) await follow(context, client, first, show);
  });
}

/** Reads the newest entries, oldest first. */
async function newest(client: ApiClient, limit: string): Promise<readonly Fields[]> {
  const answer = await client.get(`/v1/audit?limit=${encodeURIComponent(limit)}`);
  return records(record(answer).entries).toReversed();
}

/** Writes new entries every 2 seconds. Keeps trying while the daemon is unreachable. */
async function follow(
  context: CommandContext,
  client: ApiClient,
  first: readonly Fields[],
  show: (entries: readonly Fields[]) => void,
): Promise<never> {
  let seen = new Set(first.map(keyOf));
  return repeat(context, FOLLOW_EVERY_MS, async () => {
    const entries = await newest(client, String(FOLLOWED));
    const fresh = entries.filter((entry) => !seen.has(keyOf(entry)));
    if (fresh.length === FOLLOWED && seen.size > 0) {
      context.io.stderr.write(
        'prefixd: some entries may be missing here: more were written than one call can read\n',
      );
    }
    seen = new Set(entries.map(keyOf));
    show(fresh);
  });
}

/** Identifies an entry, also one without a sequence number. */
function keyOf(entry: Fields): string {
  return JSON.stringify([entry.seq, entry.time, entry.action, entry.target]);
}

function isWanted(entry: Fields, { action, actor, target }: AuditOptions): boolean {
  const by = record(entry.actor);
  return (
    (action === undefined || text(entry.action).startsWith(action)) &&
    (actor === undefined || text(by.name) === actor || text(by.via) === actor) &&
    (target === undefined || text(record(entry.target).id).startsWith(target))
  );
}

function columnsFor(context: CommandContext): readonly Column<Fields>[] {
  return [
    { title: 'TIME', value: (entry) => timeCell(context, entry.time) },
    { title: 'ACTION', value: (entry) => text(entry.action) },
    { title: 'BY', value: (entry) => text(record(entry.actor).name), least: 8 },
    { title: 'TARGET', value: (entry) => targetOf(context, record(entry.target)), least: 12 },
    { title: 'REASON', value: (entry) => text(entry.reason), least: 20, optional: true },
  ];
}

function targetOf(context: CommandContext, { type, id }: Fields): string {
  return type === 'mitigation' ? idCell(context, id) : text(id);
}
