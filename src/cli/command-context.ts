/** Defines a command's context (streams, options, colors), exit codes and errors. */
import type { Readable } from 'node:stream';

/** Lists the exit codes. */
export const Exit = {
  Ok: 0,
  Other: 1,
  CannotConnect: 2,
  NotAuthorised: 3,
  NotFound: 4,
  InvalidInput: 5,
} as const;

export type ExitCode = (typeof Exit)[keyof typeof Exit];

/** Reports a failure to the user by its message alone, without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Reports an invalid command line. The message is printed with a pointer to the command's help. */
export class UsageError extends CliError {
  /** The full command, such as `prefixd peers enable`; undefined: the command that runs. */
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super(Exit.InvalidInput, message);
    this.command = command;
  }
}

/** Receives text. */
export interface TextSink {
  write(text: string): unknown;
}

/** Gives access to the process's streams, environment and terminal. Tests replace it. */
export interface Io {
  readonly stdin: Readable;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** True if standard input, or output, is a terminal. */
  readonly inputIsTerminal: boolean;
  readonly outputIsTerminal: boolean;
  /** The terminal's width in characters. */
  readonly columns: number;
  /** True if standard error is a terminal. */
  readonly errorIsTerminal: boolean;
  /** Resolves after this many milliseconds. */
  wait(ms: number): Promise<void>;
}

/** Holds the options that every command takes. */
export interface GlobalOptions {
  readonly format: 'table' | 'json';
  readonly api?: string;
  readonly token?: string;
  readonly cacert?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Gives a command its streams and global options. */
export interface CommandContext {
  readonly io: Io;
  readonly options: GlobalOptions;
  /** True if output may be colored: on a terminal, without NO_COLOR (https://no-color.org). */
  readonly color: boolean;
}

export function contextOf(io: Io, options: GlobalOptions): CommandContext {
  const color = io.outputIsTerminal && !io.env.NO_COLOR && io.env.TERM !== 'dumb';
  return { io, options, color };
}

/** Returns the line width of standard error in characters; Infinity if it is not a terminal. */
export function errorWidth(io: Io): number {
  return io.errorIsTerminal ? io.columns : Number.POSITIVE_INFINITY;
}

/** Returns the operator's name for the audit log: `--operator`, else $SUDO_USER, else $USER. UsageError if all are empty. */
export function operatorOf(context: CommandContext, said: string | undefined): string {
  const { SUDO_USER, USER } = context.io.env;
  const operator = said ?? (SUDO_USER || USER || '');
  if (operator.trim() !== '') return operator;
  const why = said === undefined ? 'neither $SUDO_USER nor $USER is set' : '--operator is empty';
  throw new UsageError(`the audit log needs an operator name, and ${why}: use --operator NAME`);
}

/** Reads all of standard input. CliError 5 if it is longer than `limit` bytes. */
export async function readInput(io: Io, limit = 64 * 1024 * 1024): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of io.stdin) {
    const octets = Buffer.from(chunk as Uint8Array | string);
    length += octets.length;
    if (length > limit) throw new CliError(Exit.InvalidInput, `standard input is longer than ${limit} bytes`);
    chunks.push(octets);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Yields the lines of standard input as they arrive, without line ends. */
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
