/** Implements `simulate FILE`: decides on recorded events and announces nothing. */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { errorText } from '../../net/text.ts';
import type { CliCommand } from '../command.ts';
import type { LoadedConfig } from '../../config/types.ts';
import type { Placement, SimulatedStep, SimulationSummary } from '../../app/simulate.ts';
import type { RecordedFact } from '../../core/facts.ts';
import type { Detection, Mitigation } from '../../core/types.ts';
import { timeText } from '../../net/time.ts';
import { CliError, type CommandContext, Exit, readInput } from '../command-context.ts';
import { fitted } from '../drawing.ts';
import { offlineConfig } from '../offline-config.ts';
import { pairs, printable } from '../tables.ts';

interface SimulateOptions {
  readonly start?: string;
  readonly spacing: string;
  readonly config?: string;
  readonly why?: true;
}

export function registerSimulate(
  program: CliCommand,
  contextFor: (command: Command) => CommandContext,
): void {
  program
    .command('simulate <file>')
    .description('replay events or a journal, and show what prefixd would decide')
    .details(
      'Reads a file of JSON lines ("-" for standard input), each an event or a journal record, or the folder of a',
      'journal. Announces nothing and needs no daemon. Ends with a summary.',
    )
    .option(
      '-c, --config <dir>',
      'configuration folder to use (default: PREFIXD_CONFIG, or the built-in one)',
    )
    .option('--start <time>', 'time of the first event, if it has no timestamp (RFC 3339; default: now)')
    .option(
      '--spacing <seconds>',
      'seconds between lines without a timestamp; fewer if a later timestamp requires it',
      '1',
    )
    .option('--why', 'show the reasons for each decision')
    .examples(
      'prefixd simulate attacks.jsonl --config /etc/prefixd --why',
      'prefixd simulate /var/lib/prefixd --config ./new-config',
      'prefixd simulate - --start 2026-01-31T12:00:00Z --spacing 5 < attacks.jsonl',
    )
    .action(async (file: string, options: SimulateOptions, command: Command) => {
      await simulate(contextFor(command), file, options);
    });
}

async function simulate(context: CommandContext, file: string, options: SimulateOptions): Promise<void> {
  const [app, { decidedMitigationView }] = await Promise.all([
    import('../../app/simulate.ts'),
    import('../../view/mitigation.ts'),
  ]);
  const { policy, vectorMaps } = await offlineConfig(context, options.config);
  const simulation = new app.Simulation(policy);
  const ruleText: RuleText = (mitigation) => app.ruleText(mitigation, policy.targets);
  const say = (step: SimulatedStep): void => {
    context.io.stdout.write(
      context.options.format === 'json'
        ? `${JSON.stringify(stepJson(step, ruleText, decidedMitigationView))}\n`
        : fitted(context, stepText(step, ruleText, options.why === true)),
    );
  };
  if (file !== '-' && (await isFolder(file))) {
    const { readFacts } = await import('../../store/journal/verify.ts');
    const rehearsal = new app.Rehearsal(simulation);
    for await (const facts of readFacts(file)) {
      for (const fact of facts) {
        const step = rehearsal.step(fact);
        if (step !== undefined) say(step);
      }
    }
  } else {
    const placement = { start: startOf(options.start), spacing: spacingOf(options.spacing), now: Date.now() };
    const lines = await linesOf(file, await contentOf(context, file), vectorMaps);
    const rehearsal = new app.Rehearsal(simulation);
    for (const { at, line } of await placed(lines, placement)) {
      const step =
        line.kind === 'event' ? simulation.step(app.reported(line.detection, at)) : rehearsal.step(line.fact);
      if (step !== undefined) say(step);
    }
  }
  const summary = simulation.summary();
  context.io.stdout.write(
    context.options.format === 'json'
      ? `${JSON.stringify({ summary: summaryJson(summary) })}\n`
      : `\n${summaryText(summary)}`,
  );
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function contentOf(context: CommandContext, file: string): Promise<string> {
  if (file === '-') return readInput(context.io);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): CliError {
  const why = errorText(error);
  return new CliError(Exit.InvalidInput, `cannot read ${file}: ${why}`);
}

type SimulatedLine =
  | { readonly kind: 'event'; readonly detection: Detection }
  | { readonly kind: 'fact'; readonly fact: RecordedFact };

/** Reads lines, each an event or a journal record. */
async function linesOf(
  file: string,
  content: string,
  vectorMaps: LoadedConfig['vectorMaps'],
): Promise<readonly SimulatedLine[]> {
  const [{ parseGenericEvent }, { decodeRecord }] = await Promise.all([
    import('../../intake/generic.ts'),
    import('../../store/journal/record.ts'),
  ]);
  const fail = (line: number, why: string): CliError =>
    new CliError(Exit.InvalidInput, `${file}:${line}: ${printable(why)}`);
  const lines: SimulatedLine[] = [];
  for (const [i, line] of content.split('\n').entries()) {
    if (line.trim() === '') continue;
    const value = parseLine(line);
    if (value === undefined) throw fail(i + 1, 'this line is not JSON');
    if (isRecordLine(value)) {
      const fact = decodeRecord(Buffer.from(line.trimEnd()));
      if (typeof fact === 'string') throw fail(i + 1, fact);
      lines.push({ kind: 'fact', fact });
      continue;
    }
    const signal = parseGenericEvent(value, { vectorMaps });
    if (signal.kind === 'invalid') {
      throw fail(i + 1, signal.problems.map(({ path, message }) => `${path} ${message}`.trim()).join('; '));
    }
    if (signal.kind === 'detection') lines.push({ kind: 'event', detection: signal.detection });
  }
  return lines;
}

/** Gives each line its time (ms since the epoch). */
async function placed(
  lines: readonly SimulatedLine[],
  placement: Placement,
): Promise<readonly { readonly at: number; readonly line: SimulatedLine }[]> {
  const { placeInTime } = await import('../../app/simulate.ts');
  const times = placeInTime(
    lines.map((line) => (line.kind === 'event' ? line.detection.at : line.fact.at)),
    placement,
  );
  if (times === undefined) {
    throw new CliError(Exit.InvalidInput, "--start is later than the file's first timestamp");
  }
  return lines.map((line, i) => ({ line, at: times[i] ?? placement.now }));
}

function startOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\d[Tt]/.test(text) ? Date.parse(text.toUpperCase()) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new CliError(
      Exit.InvalidInput,
      `--start: invalid time "${text}": expected RFC 3339, such as 2026-01-31T12:00:00Z`,
    );
  }
  return time;
}

/** Reads `--spacing` in seconds; returns milliseconds. */
function spacingOf(text: string): number {
  const seconds = /^\d{1,6}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(seconds)) {
    throw new CliError(
      Exit.InvalidInput,
      `--spacing: invalid value "${text}": expected seconds from 0 to 999999`,
    );
  }
  return seconds * 1000;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function isRecordLine(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'fact' in value && 'crc' in value;
}

type RuleText = (mitigation: NonNullable<ReturnType<typeof mitigationOf>>) => string;

function mitigationOf({ answer }: SimulatedStep) {
  return answer.type === 'event' || answer.type === 'mitigation' ? answer.mitigation : undefined;
}

function whyOf({ answer }: SimulatedStep): readonly string[] {
  return 'why' in answer ? answer.why : [];
}

/** Returns the result in one word. */
function statusOf({ answer }: SimulatedStep): string {
  return answer.type === 'event' ? answer.status : answer.type;
}

function refusalOf({ answer }: SimulatedStep): string | undefined {
  if (answer.type === 'event') return answer.refusal;
  return answer.type === 'refused' ? answer.reason : undefined;
}

function subjectOf({ command }: SimulatedStep): string {
  switch (command.type) {
    case 'event':
      return `${command.detection.action} ${command.detection.victim} ${command.detection.vector}`;
    case 'mitigate':
      return `mitigate ${command.victim}`;
    case 'safelist-add':
    case 'safelist-remove':
      return `${command.type} ${command.prefix}`;
    default:
      return command.type;
  }
}

function stepText(step: SimulatedStep, ruleText: RuleText, withWhy: boolean): string {
  const mitigation = mitigationOf(step);
  const refusal = refusalOf(step);
  const parts = [timeText(step.at), subjectOf(step), '->', statusOf(step)];
  if (refusal !== undefined) parts.push(`(${refusal})`);
  if (mitigation !== undefined && refusal === undefined) parts.push(ruleText(mitigation));
  const why = withWhy ? whyOf(step).map((one) => `  - ${printable(one)}\n`) : [];
  return `${printable(parts.join(' '))}\n${why.join('')}`;
}

function stepJson(
  step: SimulatedStep,
  ruleText: RuleText,
  viewOf: (mitigation: Mitigation) => unknown,
): Readonly<Record<string, unknown>> {
  const { command } = step;
  const mitigation = mitigationOf(step);
  return {
    at: timeText(step.at),
    command: command.type,
    ...(command.type === 'event'
      ? {
          action: command.detection.action,
          victim_ip: command.detection.victim,
          vector: command.detection.vector,
          event_id: command.detection.externalId,
        }
      : {}),
    status: statusOf(step),
    reason: refusalOf(step) ?? null,
    mitigation_id: mitigation?.id ?? null,
    customer_id: mitigation?.customerId ?? null,
    rule: mitigation === undefined ? null : ruleText(mitigation),
    expires_at: mitigation === undefined ? null : timeText(mitigation.expiresAt),
    mitigation: mitigation === undefined ? null : viewOf(mitigation),
    why: whyOf(step),
  };
}

function summaryJson(summary: SimulationSummary): Readonly<Record<string, unknown>> {
  return {
    events: summary.events,
    by_status: Object.fromEntries(summary.byStatus),
    rules: summary.mitigations,
    most_at_once: summary.mostAtOnce,
    standing_at_the_end: summary.active,
    customers: Object.fromEntries(summary.customers),
    refusals: Object.fromEntries(summary.refusals),
  };
}

function summaryText(summary: SimulationSummary): string {
  const listed = (counts: ReadonlyMap<string, number>): string =>
    counts.size === 0 ? 'none' : [...counts].map(([key, number]) => `${key} ${number}`).join(', ');
  return pairs([
    ['events', `${summary.events}: ${listed(summary.byStatus)}`],
    ['rules', `${summary.mitigations}, at most ${summary.mostAtOnce} at once, ${summary.active} at the end`],
    ['customers', listed(summary.customers)],
    ['refusals', listed(summary.refusals)],
  ]);
}
