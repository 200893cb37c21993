/** Implements `journal verify`. */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { countWords } from '../../net/text.ts';
import type { JournalReport } from '../../store/journal/verify.ts';
import { CliError, type CommandContext, Exit } from '../command-context.ts';
import { json, pairs, printable } from '../tables.ts';

/** The interval of progress messages (ms). */
const PROGRESS_MS = 500;

export function registerJournal(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  program
    .command('journal')
    .description('verify the journal on disk')
    .examples('prefixd journal verify /var/lib/prefixd')
    .command('verify <path>')
    .description('verify every record and snapshot in a folder')
    .details(
      'Checks the checksum and the order of each record. Changes nothing and is safe while the daemon runs.',
      'Exits with 1 if the journal is damaged, with 4 if the folder contains none.',
    )
    .examples('prefixd journal verify /var/lib/prefixd')
    .action(async (path: string, _options, command: Command) => {
      await verify(contextFor(command), path);
    });
}

async function verify(context: CommandContext, path: string): Promise<void> {
  const [{ verifyJournal }, { StoreError }] = await Promise.all([
    import('../../store/journal/verify.ts'),
    import('../../store/store.ts'),
  ]);
  const { io, options } = context;
  let shownAt = performance.now();
  const showProgress = io.outputIsTerminal && options.format === 'table';
  let report: JournalReport;
  try {
    report = await verifyJournal(path, {
      onProgress: ({ facts, octets, totalOctets }) => {
        if (!showProgress || performance.now() - shownAt < PROGRESS_MS) return;
        shownAt = performance.now();
        const percent = totalOctets === 0 ? 100 : Math.floor((100 * octets) / totalOctets);
        io.stderr.write(`\r${percent} %, ${countWords(facts, 'fact')}`);
      },
    });
  } catch (error) {
    if (error instanceof StoreError) throw new CliError(Exit.InvalidInput, printable(error.message));
    throw error;
  }
  if (showProgress) io.stderr.write('\r\u001b[K');
  // An empty backup, or a wrong path, must not pass for an intact journal.
  if (report.segments === 0 && report.snapshots === 0) {
    throw new CliError(Exit.NotFound, `no journal in ${printable(path)}`);
  }
  io.stdout.write(options.format === 'json' ? json(report) : reportText(report));
  for (const warning of report.warnings) io.stderr.write(`warning: ${printable(warning)}\n`);
  if (report.damage !== null) {
    const { file, line, detail } = report.damage;
    const place = line === 0 ? file : `${file}:${line}`;
    throw new CliError(Exit.Other, `the journal is damaged: ${printable(`${place}: ${detail}`)}`);
  }
}

function reportText(report: JournalReport): string {
  const range = report.facts === 0 ? '' : ` (${report.firstSeq} to ${report.lastSeq})`;
  return pairs([
    ['journal', report.damage === null ? 'intact' : 'damaged'],
    ['facts', `${report.facts}${range}`],
    ['segments', String(report.segments)],
    ['snapshots', String(report.snapshots)],
  ]);
}
