/** `simulate FILE`: events in, decisions out, nothing announced. */
import { readFile, stat } from 'node:fs/promises';
import type { Command } from 'commander';
import type { Rehearsal, SimulatedStep, Simulation, SimulationSummary } from '../app/simulate.ts';
import type { Policy } from '../core/policy.ts';
import { timeText } from '../net/time.ts';
import type { Context } from './context.ts';
import { CliError, Exit, readInput } from './context.ts';
import { pairs, printable } from './render.ts';

interface SimulateOptions {
  readonly config?: string;
  readonly why?: true;
}

export function registerSimulate(program: Command, contextFor: (command: Command) => Context): void {
  program
    .command('simulate <file>')
    .description(
      'decide over events (JSON, a line each; "-": standard input) or a recorded journal; announces nothing',
    )
    .option(
      '-c, --config <dir>',
      'folder of the configuration to try (default: PREFIXD_CONFIG, or what is built in)',
    )
    .option('--why', 'with the steps of every decision')
    .action(async (file: string, options: SimulateOptions, command: Command) => {
      await simulate(contextFor(command), file, options);
    });
}

async function simulate(context: Context, file: string, options: SimulateOptions): Promise<void> {
  const app = await import('../app/simulate.ts');
  const simulation = new app.Simulation(await policyOf(context, options.config));
  const say = (step: SimulatedStep): void => {
    context.io.stdout.write(
      context.options.format === 'json'
        ? `${JSON.stringify(stepJson(step, app.ruleText))}\n`
        : stepText(step, app.ruleText, options.why === true),
    );
  };
  if (file !== '-' && (await isFolder(file))) {
    const { readFacts } = await import('../store/verify.ts');
    const rehearsal = new app.Rehearsal(simulation);
    for await (const facts of readFacts(file)) {
      for (const fact of facts) {
        const step = rehearsal.step(fact);
        if (step !== undefined) say(step);
      }
    }
  } else {
    await simulateLines(file, await contentOf(context, file), simulation, new app.Rehearsal(simulation), say);
  }
  const summary = simulation.summary();
  context.io.stdout.write(
    context.options.format === 'json'
      ? `${JSON.stringify({ summary: summaryJson(summary) })}\n`
      : `\n${summaryText(summary)}`,
  );
}

async function policyOf(context: Context, said: string | undefined): Promise<Policy> {
  const { formatProblem } = await import('../app/config/problem.ts');
  const folder = said ?? context.io.env.PREFIXD_CONFIG;
  const result =
    folder === undefined
      ? await (await import('../app/config/default.ts')).defaultConfig()
      : await (await import('../app/config/load.ts')).loadConfig(folder, null);
  if (result.ok) return result.config.policy;
  throw new CliError(Exit.InvalidInput, result.problems.map(formatProblem).map(printable).join('\n'));
}

async function isFolder(file: string): Promise<boolean> {
  try {
    return (await stat(file)).isDirectory();
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function contentOf(context: Context, file: string): Promise<string> {
  if (file === '-') return readInput(context.io);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): CliError {
  const why = error instanceof Error ? error.message : String(error);
  return new CliError(Exit.InvalidInput, `${file} cannot be read: ${why}`);
}

/** Lines of events and lines of a journal, told apart line by line. */
async function simulateLines(
  file: string,
  content: string,
  simulation: Simulation,
  rehearsal: Rehearsal,
  say: (step: SimulatedStep) => void,
): Promise<void> {
  const [{ parseGenericEvent }, { reported }, { decodeRecord }] = await Promise.all([
    import('../ingest/generic.ts'),
    import('../app/simulate.ts'),
    import('../store/record.ts'),
  ]);
  const fail = (line: number, why: string): CliError =>
    new CliError(Exit.InvalidInput, `${file}:${line}: ${printable(why)}`);
  let at = 0;
  for (const [i, line] of content.split('\n').entries()) {
    if (line.trim() === '') continue;
    const value = parseLine(line);
    if (value === undefined) throw fail(i + 1, 'this line is not JSON');
    if (isRecordLine(value)) {
      const record = decodeRecord(Buffer.from(line.trimEnd()));
      if (typeof record === 'string') throw fail(i + 1, record);
      const step = rehearsal.step(record);
      at = record.at;
      if (step !== undefined) say(step);
      continue;
    }
    const signal = parseGenericEvent(value);
    if (signal.kind === 'invalid') {
      throw fail(i + 1, signal.problems.map(({ path, message }) => `${path} ${message}`.trim()).join('; '));
    }
    if (signal.kind === 'ignored') continue;
    const input = reported(signal.detection, at);
    at = Math.max(at, input.at);
    say(simulation.step(input));
  }
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
  return answer.type === 'event' || answer.type === 'mitigation' ? answer.mitigation : null;
}

function whyOf({ answer }: SimulatedStep): readonly string[] {
  return 'why' in answer ? answer.why : [];
}

/** How it was answered, in one word. */
function statusOf({ answer }: SimulatedStep): string {
  return answer.type === 'event' ? answer.status : answer.type;
}

function refusalOf({ answer }: SimulatedStep): string | null {
  if (answer.type === 'event') return answer.refusal;
  return answer.type === 'refused' ? answer.reason : null;
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
  if (refusal !== null) parts.push(`(${refusal})`);
  if (mitigation !== null && refusal === null) parts.push(ruleText(mitigation));
  const why = withWhy ? whyOf(step).map((one) => `  - ${printable(one)}\n`) : [];
  return `${printable(parts.join(' '))}\n${why.join('')}`;
}

function stepJson(step: SimulatedStep, ruleText: RuleText): Readonly<Record<string, unknown>> {
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
    reason: refusalOf(step),
    mitigation_id: mitigation?.id ?? null,
    customer_id: mitigation?.customerId ?? null,
    rule: mitigation === null ? null : ruleText(mitigation),
    expires_at: mitigation === null ? null : timeText(mitigation.expiresAt),
    why: whyOf(step),
  };
}

function summaryJson(summary: SimulationSummary): Readonly<Record<string, unknown>> {
  return {
    events: summary.events,
    by_status: Object.fromEntries(summary.byStatus),
    rules: summary.mitigations,
    most_at_once: summary.mostAtOnce,
    standing_at_the_end: summary.standing,
    customers: Object.fromEntries(summary.customers),
    refusals: Object.fromEntries(summary.refusals),
  };
}

function summaryText(summary: SimulationSummary): string {
  const listed = (counts: ReadonlyMap<string, number>): string =>
    counts.size === 0 ? 'none' : [...counts].map(([key, number]) => `${key} ${number}`).join(', ');
  return pairs([
    ['events', `${summary.events}: ${listed(summary.byStatus)}`],
    [
      'rules',
      `${summary.mitigations}, at most ${summary.mostAtOnce} at once, ${summary.standing} at the end`,
    ],
    ['customers', listed(summary.customers)],
    ['refusals', listed(summary.refusals)],
  ]);
}
