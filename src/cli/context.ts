/** What every command is given, and how a command fails. */
import type { Readable } from 'node:stream';

/** Exit codes of the command line. */
export const Exit = {
  Ok: 0,
  Other: 1,
  CannotConnect: 2,
  NotAuthorised: 3,
  NotFound: 4,
  InvalidInput: 5,
} as const;

export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** A failure that the user is told in its message alone, without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A command line that cannot be run as it is written. Its message is followed by a pointer to the command's help. */
export class UsageError extends CliError {
  /** The command in words, such as `prefixd peers enable`; absent: the one that runs. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(Exit.InvalidInput, message);
    this.command = command;
  }
}

/** Where text goes. */
export interface TextSink {
  write(text: string): unknown;
}

/** The outside of the process, so that tests can be another. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether standard input and output are terminals. */
  readonly inputIsTerminal: boolean;
  readonly outputIsTerminal: boolean;
  /** Width of the terminal in characters. */
  readonly columns: number;
  /** Whether standard error is a terminal. */
  readonly errorIsTerminal: boolean;
  /** Waits so many milliseconds. */
  wait(ms: number): Promise<void>;
}

/** Options that every command takes. */
export interface GlobalOptions {
  readonly format: 'table' | 'json';
  readonly api?: string;
  readonly token?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What a command works with. */
export interface Context {
  readonly io: Io;
  readonly options: GlobalOptions;
  /** Colours only where somebody sees them (https://no-color.org). */
  readonly colour: boolean;
}

export function contextOf(io: Io, options: GlobalOptions): Context {
  const colour = io.outputIsTerminal && !io.env.NO_COLOR && io.env.TERM !== 'dumb';
  return { io, options, colour };
}

/** Characters in a line of standard error; Infinity where it is no terminal. */
export function errorWidth(io: Io): number {
  return io.errorIsTerminal ? io.columns : Number.POSITIVE_INFINITY;
}

/** Who acts, for the audit: `--operator`, else $SUDO_USER, else $USER. UsageError when none of them names anybody. */
export function operatorOf(context: Context, said: string | undefined): string {
  const { SUDO_USER, USER } = context.io.env;
  const operator = said ?? (SUDO_USER || USER || '');
  if (operator.trim() !== '') return operator;
  const why = said === undefined ? 'neither $SUDO_USER nor $USER is set' : '--operator is empty';
  throw new UsageError(`the audit log needs an operator name, and ${why}: give --operator NAME`);
}

/** Everything on standard input, at most `limit` octets (CliError 5 beyond). */
export async function readInput(io: Io, limit = 64 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of io.stdin) {
    const octets = Buffer.from(chunk as Uint8Array | string);
    length += octets.length;
    if (length > limit)
      throw new CliError(Exit.InvalidInput, `standard input is longer than ${limit} octets`);
    chunks.push(octets);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The lines of standard input as they come, without their line ends. */
export async function* inputLines(io: Io): AsyncIterable<string> {
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of io.stdin) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk as Uint8Array, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.replace(/\r$/, '');
  }
  rest += decoder.decode();
  if (rest !== '') yield rest.replace(/\r$/, '');
}
