/** Handles the daemon's process: start errors and stop signals. */
import { asError } from '../net/text.ts';
import { StoreError } from '../store/store.ts';

/** A reason why the daemon cannot start; its message is all that the user needs to see. */
export class StartError extends Error {
  override readonly name = 'StartError';
  /** The address that is already in use, if that is the reason. */
  readonly taken: string | undefined;

  constructor(message: string, taken?: string) {
    super(message);
    this.taken = taken;
  }

  /** Makes a one-line error with the fix for a socket that could not be bound. Returns other errors unchanged. */
  static binding(what: string, where: string, error: unknown): Error {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    switch (code) {
      case 'EADDRINUSE':
        return new StartError(
          `${where} is in use: stop the program that listens there, or give ${what} another address`,
          where,
        );
      case 'EACCES':
        return new StartError(`this user is not allowed to bind ${where}: give ${what} a port above 1023`);
      case 'EADDRNOTAVAIL':
        return new StartError(`${where} is not an address of this machine: correct ${what}`);
      default:
        return asError(error);
    }
  }
}

/** Explains a start error to the user: one line if the cause is known, else the stack. */
export function explainStart(error: unknown): string {
  if (error instanceof StartError || error instanceof StoreError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Kills this process. An orderly exit would wait for every file system call in progress and for buffered standard
 * output: for ever, if one of them hangs.
 */
export function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** A wait for a stop signal. */
export interface Stopping {
  /** Resolves at SIGINT, SIGTERM or an abort. */
  readonly promise: Promise<void>;
  /** Removes the signal handlers. */
  release(): void;
}

/**
 * Waits for SIGINT, SIGTERM or an abort. After that, a second signal calls `endNow`: by default an orderly exit with
 * the signal's exit code, which waits for file system calls that hang.
 */
export function untilSignalled(
  signal?: AbortSignal,
  endNow: (name: NodeJS.Signals) => void = exitAfter,
): Stopping {
  const stopping = new AbortController();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  const onSignal = (name: NodeJS.Signals): void => {
    if (stopping.signal.aborted) endNow(name);
    stopping.abort();
  };
  const promise = new Promise<void>((resolve) => {
    stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  for (const name of signals) process.on(name, onSignal);
  const onAbort = (): void => stopping.abort();
  if (signal?.aborted) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    promise,
    release: () => {
      for (const name of signals) process.off(name, onSignal);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}

function exitAfter(name: NodeJS.Signals): void {
  process.exit(name === 'SIGINT' ? 130 : 143);
}
