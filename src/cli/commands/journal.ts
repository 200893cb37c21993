/** Implements `journal verify` and `journal copy`. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { countWords } from '../../net/text.ts';
import type { JournalProgress, JournalReport } from '../../store/journal/verify.ts';
import type { CopyReport } from '../../store/transfer/copy-journal.ts';
import { CliError, type CommandContext, Exit } from '../command-context.ts';
import { type JournalPlace, journalPlace, PLACES } from '../journal-place.ts';
import { json, pairs, printable } from '../tables.ts';

/** The interval of progress messages (ms). */
const PROGRESS_MS = 500;

export function registerJournal(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  const journal = program
    .command('journal')
    .description('verify and copy the journal')
    .examples('prefixd journal verify /var/lib/prefixd');
  journal
    .command('verify <journal>')
    .description('verify every record and snapshot of a journal')
    .details(
      PLACES,
      'Checks the checksum and the order of each record. Changes nothing and is safe while the daemon runs.',
      'Exits with 1 if the journal is damaged, with 4 if there is none.',
    )
    .examples('prefixd journal verify /var/lib/prefixd', 'prefixd journal verify postgres:DATABASE_URL/ams1')
    .action(async (place: string, _options, command: Command) => {
      await verify(contextFor(command), place);
    });
  journal
    .command('copy <from> <to>')
    .description('copy a journal to another folder or database')
    .details(
      PLACES,
      'Copies every fact that is kept and the snapshots, reads the copy, and compares both. Stop the daemon first: a journal that',
      'is in use is refused, and so is a destination that has facts. The audit log is not copied.',
    )
    .examples(
      'prefixd journal copy /var/lib/prefixd postgres:DATABASE_URL/ams1',
      'prefixd journal copy postgres:DATABASE_URL/ams1 /var/lib/prefixd-copy',
    )
    .action(async (from: string, to: string, _options, command: Command) => {
      await copy(contextFor(command), from, to);
    });
}

async function verify(context: CommandContext, text: string): Promise<void> {
  const { io, options } = context;
  const place = journalPlace(context, text);
  const show = progressOf(context);
  const onProgress = ({ facts, octets, totalOctets }: JournalProgress): void => {
    show(totalOctets === 0 ? 1 : octets / totalOctets, facts);
  };
  const report = await refusing(async () => {
    if (place.kind === 'folder') {
      const { verifyJournal } = await import('../../store/journal/verify.ts');
      return verifyJournal(place.path, { onProgress });
    }
    const { verifyDatabase } = await import('../../store/transfer/database-journal.ts');
    return verifyDatabase(place, { onProgress });
  });
  show(undefined, 0);
  // An empty backup, or a wrong path, must not pass for an intact journal.
  if (place.kind === 'folder' && report.segments === 0 && report.snapshots === 0) {
    throw new CliError(Exit.NotFound, `no journal in ${printable(place.path)}`);
  }
  io.stdout.write(options.format === 'json' ? json(report) : reportText(report, place));
  for (const warning of report.warnings) io.stderr.write(`warning: ${printable(warning)}\n`);
  if (report.damage !== null) {
    const { file, line, detail } = report.damage;
    const where = line === 0 ? file : `${file}:${line}`;
    throw new CliError(Exit.Other, `the journal is damaged: ${printable(`${where}: ${detail}`)}`);
  }
}

async function copy(context: CommandContext, from: string, to: string): Promise<void> {
  const { io, options } = context;
  const [source, target] = [journalPlace(context, from), journalPlace(context, to)];
  const [folders, databases, { copyJournal }] = await Promise.all([
    import('../../store/transfer/folder-journal.ts'),
    import('../../store/transfer/database-journal.ts'),
    import('../../store/transfer/copy-journal.ts'),
  ]);
  const show = progressOf(context);
  const report = await refusing(async () => {
    const original =
      source.kind === 'folder'
        ? await folders.openFolderSource(source.path)
        : await databases.openDatabaseSource(source);
    try {
      const copied =
        target.kind === 'folder'
          ? await folders.openFolderTarget(target.path)
          : await databases.openDatabaseTarget(target);
      try {
        return await copyJournal(original, copied, (facts, all) => show(facts / all, facts));
      } finally {
        await copied.close();
      }
    } finally {
      await original.close();
    }
  });
  show(undefined, 0);
  for (const warning of report.warnings) io.stderr.write(`warning: ${printable(warning)}\n`);
  io.stdout.write(options.format === 'json' ? json(report) : copyText(report));
}

/** Runs `work` and reports a StoreError to the user. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  const { StoreError } = await import('../../store/store.ts');
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const code = error.message.startsWith('no journal ') ? Exit.NotFound : Exit.InvalidInput;
    throw new CliError(code, printable(error.message));
  }
}

/** Returns what shows progress on a terminal: the share that is done, and the facts; undefined: all is done. */
function progressOf({ io, options }: CommandContext): (share: number | undefined, facts: number) => void {
  let shownAt = performance.now();
  const isShown = io.outputIsTerminal && options.format === 'table';
  return (share, facts) => {
    if (!isShown) return;
    if (share === undefined) {
      io.stderr.write('\r\u001b[K');
      return;
    }
    if (performance.now() - shownAt < PROGRESS_MS) return;
    shownAt = performance.now();
    io.stderr.write(`\r${Math.floor(100 * share)} %, ${countWords(facts, 'fact')}`);
  };
}

function factsText({
  facts,
  firstSeq,
  lastSeq,
}: Pick<JournalReport, 'facts' | 'firstSeq' | 'lastSeq'>): string {
  return facts === 0 ? '0' : `${facts} (${firstSeq} to ${lastSeq})`;
}

function copyText(report: CopyReport): string {
  return pairs([
    ['copied', `${printable(report.from)} to ${printable(report.to)}`],
    ['facts', factsText(report)],
    ['snapshots', String(report.snapshots)],
    ['sha256', `${report.sha256}, the same in both`],
  ]);
}

function reportText(report: JournalReport, place: JournalPlace): string {
  return pairs([
    ['journal', report.damage === null ? 'intact' : 'damaged'],
    ['facts', factsText(report)],
    ...(place.kind === 'folder' ? [['segments', String(report.segments)] as const] : []),
    ['snapshots', String(report.snapshots)],
  ]);
}
