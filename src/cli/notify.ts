/**
 * `notify fastnetmon`: FastNetMon's notify script. It calls `IP direction pps action` with details on standard input and waits
 * for the end, so everything here is bounded: reading, calling, and trying again.
 */
import type { Command } from 'commander';
import { list, record, text } from './answer.ts';
import { ApiError, openClient } from './client.ts';
import type { ApiClient } from './client.ts';
import { CliError, Exit } from './context.ts';
import type { Context, Io } from './context.ts';
import { json } from './render.ts';

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

/** Characters of details that are passed on; the flows that follow are a sample anyway. */
const MAX_DETAILS = 256 * 1024;

export function registerNotify(program: Command, contextFor: (command: Command) => Context): void {
  const notify = program.command('notify').description('report an attack in the words of a detector');
  notify
    .command('fastnetmon <ip> <direction> <pps> <action>')
    .description("FastNetMon's notify_script_path: these arguments, details on standard input")
    .allowExcessArguments()
    .action(
      async (ip: string, direction: string, pps: string, action: string, _options, command: Command) => {
        await notifyFastNetMon(contextFor(command), { ip, direction, pps, action });
      },
    );
}

/** A call of the script. */
export interface Call {
  readonly ip: string;
  readonly direction: string;
  readonly pps: string;
  readonly action: string;
}

/** Passes the call on and prints the answer; a daemon that is away is tried again while time is left. */
export async function notifyFastNetMon(context: Context, call: Call, pace: Pace = PACE): Promise<void> {
  const deadline = performance.now() + pace.total;
  // An unban comes without details, and standard input may be anything that FastNetMon itself was started with.
  const details = call.action === 'unban' ? '' : await readDetails(context.io, pace);
  const client = await openClient(context, { connectMs: pace.connect, answerMs: pace.answer });
  try {
    const answer = await withDeadline(attempts(client, { ...call, details }, deadline, pace), deadline);
    say(context, answer);
  } finally {
    await client.close();
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
      if (details.length < MAX_DETAILS) details += piece;
    });
    stdin.once('end', done);
    stdin.once('close', done);
    // A closed standard input (EBADF) or a folder (EISDIR) is no reason to keep a report back.
    stdin.once('error', done);
  });
  stdin.removeAllListeners('data');
  // An open pipe would keep the process alive.
  stdin.destroy();
  return details.slice(0, MAX_DETAILS);
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

/** True for what another attempt may cure: the daemon is away, restarting, overloaded, or its disk is full. */
function mayPass(error: unknown): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500;
  return error instanceof CliError && error.exitCode === Exit.CannotConnect;
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
  context.io.stdout.write(`${text(status)}${id}\n${steps.join('')}`);
}
