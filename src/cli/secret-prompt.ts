/** Asks for a password at the terminal without showing it, or reads it from a pipe. */
import { CliError, Exit, inputLines, type Io } from './command-context.ts';

/** Standard input that can stop showing what is typed. */
interface RawInput {
  setRawMode(raw: boolean): unknown;
}

/** Longest password (characters). */
const MAX_LENGTH = 1024;

/** Returns what is typed up to Enter, or the first line of a pipe. CliError 1 if it is interrupted. */
export async function readSecret(io: Io, question: string): Promise<string> {
  const { stdin } = io;
  if (!io.inputIsTerminal || !hasRawMode(stdin)) {
    for await (const line of inputLines(io)) return line;
    throw new CliError(Exit.InvalidInput, 'standard input is empty: the password was expected there');
  }
  io.stderr.write(`${question}: `);
  stdin.setRawMode(true);
  try {
    return await typed(io);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    io.stderr.write('\n');
  }
}

function hasRawMode(stdin: unknown): stdin is RawInput {
  return typeof stdin === 'object' && stdin !== null && 'setRawMode' in stdin;
}

/** Reads keys until Enter. Ctrl-C and Ctrl-D interrupt, Backspace and Ctrl-U correct. */
function typed({ stdin }: Io): Promise<string> {
  return new Promise((resolve, reject) => {
    let secret: readonly string[] = [];
    const decoder = new TextDecoder();
    const done = (settle: () => void): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      settle();
    };
    const onEnd = (): void => done(() => reject(new CliError(Exit.Other, 'interrupted')));
    const onData = (chunk: Buffer | string): void => {
      const keys = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
      for (const key of keys) {
        if (key === '\r' || key === '\n') {
          done(() => resolve(secret.join('')));
          return;
        }
        if (key === '\u0003' || key === '\u0004') {
          onEnd();
          return;
        }
        if (key === '\u0015') secret = [];
        else if (key === '\u007f' || key === '\b') secret = secret.slice(0, -1);
        else if (key >= ' ' && secret.length < MAX_LENGTH) secret = [...secret, key];
      }
    };
    stdin.on('data', onData);
    stdin.once('end', onEnd);
    stdin.resume();
  });
}
