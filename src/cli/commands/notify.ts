/**
 * `notify fastnetmon`: FastNetMon's notify script. Community calls it with `IP direction pps action` and text on standard
 * input, Advanced with `action IP` and a JSON document. It waits for the end, so everything here is bounded: reading, calling,
 * and trying again. For many calls at once there is packaging/fastnetmon/prefixd-notify.sh, which starts no Node process.
 */
import type { Command } from 'commander';
import type { CliCommand } from '../command.ts';
import { list, record, text } from '../answer.ts';
import { mayPass, openClient } from '../client.ts';
import type { ApiClient } from '../client.ts';
import { CliError, Exit } from '../context.ts';
import type { Context, Io } from '../context.ts';
import { fitted } from '../drawing.ts';
import { json } from '../render.ts';

/** Limits of a notification (ms). */
export interface Pace {
  /** Everything together, reading included. */
  readonly total: number;
  /** How long standard input may stay silent before it counts as empty. */
  readonly silence: number;
  readonly connect: number;
  readonly answer: number;
  /** Pauses between attempts; the last one goes on while time is left. */
  readonly pauses: readonly number[];
}

export const PACE: Pace = {
  total: 10_000,
  silence: 1_000,
  connect: 2_000,
  answer: 4_000,
  pauses: [250, 500, 1_000, 2_000],
};

/** Characters of text that are passed on; the flows that follow are a sample anyway. */
const MAX_TEXT = 256 * 1024;
/** Characters of standard input that are kept: a document is of use only as a whole. */
const MAX_INPUT = 8 * 1000 * 1000;

export function registerNotify(program: CliCommand, contextFor: (command: Command) => Context): void {
  const notify = program
    .command('notify')
    .description("report an attack from a detector's notify script")
    .examples('prefixd notify fastnetmon 203.0.113.10 incoming 120000 ban < details.txt');
  notify
    .command('fastnetmon [args...]')
    .description(
      "be FastNetMon's notify_script_path: IP DIRECTION PPS ACTION, or ACTION IP; details on standard input",
    )
    .examples(
      'prefixd notify fastnetmon 203.0.113.10 incoming 120000 ban < details.txt',
      'prefixd notify fastnetmon ban 203.0.113.10 < details.json',
    )
    .action(async (args: readonly string[], _options: unknown, command: Command) => {
      await notifyFastNetMon(contextFor(command), callOf(args));
    });
}

/** A call of the script by name; Advanced gives `ip` and `action` alone, and neither for host groups. */
export interface Call {
  readonly ip?: string;
  readonly direction?: string;
  readonly pps?: string;
  readonly action?: string;
}

/** The arguments by name. CliError 5 when they are not FastNetMon's. */
export function callOf(args: readonly string[]): Call {
  const [first, second] = args;
  if (first === undefined) return {};
  if (second !== undefined && args.length === 2) {
    // An address has dots or colons; no action has.
    return /[.:]/.test(first) ? { ip: first, action: second } : { action: first, ip: second };
  }
  const [ip, direction, pps, action] = args;
  if (ip === undefined || direction === undefined || pps === undefined || action === undefined) {
    const why = 'FastNetMon passes four arguments (IP direction pps action), two (action IP) or none';
    throw new CliError(Exit.InvalidInput, `${why}, not ${args.length}`);
  }
  return { ip, direction, pps, action };
}

/** Passes the call on and prints the answer; a daemon that is away is tried again while time is left. */
export async function notifyFastNetMon(context: Context, call: Call, pace: Pace = PACE): Promise<void> {
  const deadline = performance.now() + pace.total;
  // Community's unban comes without details, and standard input may be anything that FastNetMon itself was started with.
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

/** The call with its text, or Advanced's document. A document that cannot be read does not keep the call back. */
function bodyOf(call: Call, details: string): unknown {
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

/** What FastNetMon writes, or what came of it until it fell silent. A terminal is not read at all. */
export async function readDetails(io: Io, pace: Pick<Pace, 'silence' | 'total'>): Promise<string> {
  if (io.inputIsTerminal) return '';
  const { stdin } = io;
  const decoder = new TextDecoder();
  let details = '';
  await new Promise<void>((resolve) => {
    let silence = setTimeout(resolve, pace.silence);
    // Half of the time is left for the call.
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
      // Read to the end even so: the writer must not find a closed pipe.
      if (details.length < MAX_INPUT) details += piece;
    });
    stdin.once('end', done);
    stdin.once('close', done);
    // A closed standard input (EBADF) or a folder (EISDIR) is no reason to keep a report back.
    stdin.once('error', done);
  });
  stdin.removeAllListeners('data');
  // An open pipe would keep the process alive.
  stdin.destroy();
  return details;
}

async function attempts(client: ApiClient, body: unknown, deadline: number, pace: Pace): Promise<unknown> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await client.post('/v1/signals/fastnetmon', body);
    } catch (error) {
      const pause = pace.pauses[Math.min(attempt, pace.pauses.length - 1)] ?? 0;
      if (!mayPass(error) || performance.now() + pause >= deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

async function withDeadline<T>(work: Promise<T>, deadline: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new CliError(
      Exit.CannotConnect,
      'the daemon did not answer in time; the attack was not reported',
    );
    timer = setTimeout(() => reject(error), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // Whatever still runs fails when the client is closed; nobody waits for it any more.
    work.catch(() => undefined);
  }
}

function say(context: Context, answer: unknown): void {
  if (context.options.format === 'json') return void context.io.stdout.write(json(answer));
  const { status, mitigation_id: mitigation, why } = record(answer);
  const id = text(mitigation) === '' ? '' : ` ${text(mitigation)}`;
  const steps = list(why).map((step) => `  - ${text(step)}\n`);
  context.io.stdout.write(fitted(context, `${text(status)}${id}\n${steps.join('')}`));
}
