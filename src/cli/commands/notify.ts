/**
 * Implements `notify fastnetmon`, FastNetMon's notify script. FastNetMon Community calls it with `IP direction pps action` and
 * text on standard input, Advanced with `action IP` and a JSON document. FastNetMon waits for it, so reading, calling and
 * retrying are bounded. For many calls at once use packaging/fastnetmon/prefixd-notify.sh, which starts no Node process.
 */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { list, record, text } from '../answer.ts';
import { isTemporary, openClient } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { CliError, Exit } from '../command-context.ts';
import type { CommandContext, Io } from '../command-context.ts';
import { fitted } from '../drawing.ts';
import { json } from '../tables.ts';

/** Limits the time of a notification (ms). */
export interface Pace {
  /** All steps together, with reading. */
  readonly total: number;
  /** Ends reading after this time without data on standard input. */
  readonly silence: number;
  readonly connect: number;
  readonly answer: number;
  /** Pauses between attempts; the last one repeats while time is left. */
  readonly pauses: readonly number[];
}

export const PACE: Pace = {
  total: 10_000,
  silence: 1_000,
  connect: 2_000,
  answer: 4_000,
  pauses: [250, 500, 1_000, 2_000],
};

/** Bounds the text in the call (characters); the flows at its end are only a sample. */
const MAX_TEXT = 256 * 1024;
/** Bounds standard input (characters); a truncated JSON document is useless, so the bound is wide. */
const MAX_INPUT = 8 * 1000 * 1000;

export function registerNotify(program: CliCommand, contextFor: (command: Command) => CommandContext): void {
  const notify = program
    .command('notify')
    .description("report attacks from a detector's notify script")
    .examples('prefixd notify fastnetmon 203.0.113.10 incoming 120000 ban < details.txt');
  notify
    .command('fastnetmon [args...]')
    .description('report an attack as the notify script of FastNetMon')
    .details(
      'Takes the arguments that FastNetMon passes to notify_script_path: IP DIRECTION PPS ACTION (Community), or',
      'ACTION IP (Advanced), with details on standard input. Retries for up to 10 seconds.',
    )
    .examples(
      'prefixd notify fastnetmon 203.0.113.10 incoming 120000 ban < details.txt',
      'prefixd notify fastnetmon ban 203.0.113.10 < details.json',
    )
    .action(async (args: readonly string[], _options: unknown, command: Command) => {
      await notifyFastNetMon(contextFor(command), callOf(args));
    });
}

/** Holds the script's arguments by name; Advanced passes only `ip` and `action`, and for host groups neither. */
export interface NotifyCall {
  readonly ip?: string;
  readonly direction?: string;
  readonly pps?: string;
  readonly action?: string;
}

/** Names the arguments. CliError 5 if their number is invalid. */
export function callOf(args: readonly string[]): NotifyCall {
  const [first, second] = args;
  if (first === undefined) return {};
  if (second !== undefined && args.length === 2) {
    // An address contains dots or colons; an action does not.
    return /[.:]/.test(first) ? { ip: first, action: second } : { action: first, ip: second };
  }
  const [ip, direction, pps, action] = args;
  if (ip === undefined || direction === undefined || pps === undefined || action === undefined) {
    const why = 'FastNetMon passes four arguments (IP direction pps action), two (action IP) or none';
    throw new CliError(Exit.InvalidInput, `${why}, not ${args.length}`);
  }
  return { ip, direction, pps, action };
}

/** Sends the call and prints the answer. Retries while the daemon is unreachable and time is left. */
export async function notifyFastNetMon(
  context: CommandContext,
  call: NotifyCall,
  pace: Pace = PACE,
): Promise<void> {
  const deadline = performance.now() + pace.total;
  // Community's unban has no details; standard input is then inherited from FastNetMon and may be anything.
  const silent = call.action === 'unban' && call.direction !== undefined;
  const body = bodyOf(call, silent ? '' : await readDetails(context.io, pace));
  const client = await openClient(context, { connectMs: pace.connect, answerMs: pace.answer });
  try {
    const answer = await withDeadline(attempts(client, body, deadline, pace), deadline);
    say(context, answer);
  } finally {
    client.close();
  }
}

/** Returns the call with its text, or with Advanced's document. Sends the call even if the document is invalid. */
function bodyOf(call: NotifyCall, details: string): unknown {
  const document = details.trimStart().startsWith('{') ? jsonOf(details) : undefined;
  if (typeof document === 'object') return { ...call, ...document };
  if (call.action !== undefined) return { ...call, details: details.slice(0, MAX_TEXT) };
  throw new CliError(
    Exit.InvalidInput,
    'without arguments, standard input must be a JSON document of FastNetMon Advanced',
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Reads what FastNetMon writes, until the end or a silence. Does not read a terminal. */
export async function readDetails(io: Io, pace: Pick<Pace, 'silence' | 'total'>): Promise<string> {
  if (io.inputIsTerminal) return '';
  const { stdin } = io;
  const decoder = new TextDecoder();
  let details = '';
  await new Promise<void>((resolve) => {
    let silence = setTimeout(resolve, pace.silence);
    // Leaves half of the time for the call.
    const whole = setTimeout(resolve, pace.total / 2);
    const done = (): void => {
      clearTimeout(silence);
      clearTimeout(whole);
      resolve();
    };
    stdin.on('data', (chunk: Uint8Array | string) => {
      clearTimeout(silence);
      silence = setTimeout(done, pace.silence);
      const piece = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      // Reads to the end even beyond the limit, so that the writer does not find a closed pipe.
      if (details.length < MAX_INPUT) details += piece;
    });
    stdin.once('end', done);
    stdin.once('close', done);
    // Sends the report even if standard input is closed (EBADF) or a folder (EISDIR).
    stdin.once('error', done);
  });
  stdin.removeAllListeners('data');
  // An open pipe would keep the process running.
  stdin.destroy();
  return details;
}

async function attempts(client: ApiClient, body: unknown, deadline: number, pace: Pace): Promise<unknown> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await client.post('/v1/signals/fastnetmon', body);
    } catch (error) {
      const pause = pace.pauses[Math.min(attempt, pace.pauses.length - 1)] ?? 0;
      if (!isTemporary(error) || performance.now() + pause >= deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

async function withDeadline<T>(work: Promise<T>, deadline: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new CliError(
      Exit.CannotConnect,
      'no response from the daemon before the timeout; the attack may not have been reported',
    );
    timer = setTimeout(() => reject(error), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // A pending call fails when the client is closed; nobody waits for it.
    work.catch(() => undefined);
  }
}

function say(context: CommandContext, answer: unknown): void {
  if (context.options.format === 'json') return void context.io.stdout.write(json(answer));
  const { status, mitigation_id: mitigation, why } = record(answer);
  const id = text(mitigation) === '' ? '' : ` ${text(mitigation)}`;
  const steps = list(why).map((step) => `  - ${text(step)}\n`);
  context.io.stdout.write(fitted(context, `${text(status)}${id}\n${steps.join('')}`));
}
