/** `audit`: who did what to what, when and why. */
import type { Command } from 'commander';
import type { Fields } from './answer.ts';
import { record, records, text } from './answer.ts';
import type { ApiClient } from './client.ts';
import { withClient } from './client.ts';
import type { Context } from './context.ts';
import { drawingFor } from './drawing.ts';
import type { Column } from './render.ts';
import { table } from './render.ts';

const FOLLOW_EVERY_MS = 2_000;
/** Entries that are looked at when following; more between two looks are said to be missing. */
const FOLLOWED = 1000;

export function registerAudit(program: Command, contextFor: (command: Command) => Context): void {
  program
    .command('audit')
    .description('show the newest entries of the audit log: who did what, when and why')
    .option('--limit <number>', 'how many at most, before filtering (default: 100)')
    .option('--action <text>', 'actions that begin with this, such as mitigation or safelist.added')
    .option('--actor <name>', 'by this operator, detector or token')
    .option('--target <text>', 'about ids or names that begin with this')
    .option('--follow', 'continue with new entries as they are written')
    .addHelpText('after', '\nExample: prefixd audit --action mitigation.withdrawn --actor alice')
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

async function audit(context: Context, options: AuditOptions): Promise<void> {
  await withClient(context, async (client) => {
    const first = await newest(client, options.limit ?? '100');
    show(context, first, options, true);
    if (options.follow === true) await follow(context, client, options, first);
  });
}

/** Oldest first, as a log is read. */
async function newest(client: ApiClient, limit: string): Promise<readonly Fields[]> {
  const answer = await client.get(`/v1/audit?limit=${encodeURIComponent(limit)}`);
  return records(record(answer).entries).toReversed();
}

async function follow(
  context: Context,
  client: ApiClient,
  options: AuditOptions,
  first: readonly Fields[],
): Promise<void> {
  let seen = new Set(first.map(keyOf));
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_EVERY_MS));
    const entries = await newest(client, String(FOLLOWED));
    const fresh = entries.filter((entry) => !seen.has(keyOf(entry)));
    if (fresh.length === entries.length && seen.size > 0 && fresh.length === FOLLOWED) {
      context.io.stderr.write(
        'Some entries may be missing here: more were written than can be read at once.\n',
      );
    }
    show(context, fresh, options, false);
    seen = new Set(entries.map(keyOf));
  }
}

/** Entries without a number are told apart by what they say. */
function keyOf(entry: Fields): string {
  return JSON.stringify([entry.seq, entry.time, entry.action, entry.target]);
}

function show(context: Context, entries: readonly Fields[], options: AuditOptions, isFirst: boolean): void {
  const wanted = entries.filter((entry) => isWanted(entry, options));
  if (context.options.format === 'json') {
    for (const entry of wanted) context.io.stdout.write(`${JSON.stringify(entry)}\n`);
    return;
  }
  if (wanted.length === 0) {
    if (isFirst) context.io.stderr.write('There are no such entries.\n');
    return;
  }
  const lines = table(COLUMNS, wanted, drawingFor(context));
  context.io.stdout.write(isFirst ? lines : lines.slice(lines.indexOf('\n') + 1));
}

function isWanted(entry: Fields, { action, actor, target }: AuditOptions): boolean {
  const by = record(entry.actor);
  return (
    (action === undefined || text(entry.action).startsWith(action)) &&
    (actor === undefined || text(by.name) === actor || text(by.via) === actor) &&
    (target === undefined || text(record(entry.target).id).startsWith(target))
  );
}

const COLUMNS: readonly Column<Fields>[] = [
  { title: 'TIME', value: (entry) => text(entry.time) },
  { title: 'ACTION', value: (entry) => text(entry.action) },
  { title: 'BY', value: (entry) => text(record(entry.actor).name), least: 8 },
  { title: 'TARGET', value: (entry) => text(record(entry.target).id), least: 12 },
  { title: 'REASON', value: (entry) => text(entry.reason), least: 20, optional: true },
];
