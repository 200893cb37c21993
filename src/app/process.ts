/** The daemon as a process: what keeps it from starting, and what makes it stop. */
import { StoreError } from '../store/store.ts';

/** Something is in the way of starting; its message is all that the user needs to see. */
export class StartError extends Error {
  override readonly name = 'StartError';
  /** The address that something else listens at, if that is what is in the way. */
  readonly taken: string | undefined;

  constructor(message: string, taken?: string) {
    super(message);
    this.taken = taken;
  }

  /** A socket that could not be bound, in one line that says what to do. Anything else is passed through. */
  static binding(what: string, where: string, error: unknown): Error {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    switch (code) {
      case 'EADDRINUSE':
        return new StartError(
          `${where} is in use: stop what listens there, or give ${what} another address`,
          where,
        );
      case 'EACCES':
        return new StartError(`${where} may not be bound by this user: give ${what} a port above 1023`);
      case 'EADDRNOTAVAIL':
        return new StartError(`${where} is no address of this machine: correct the address of ${what}`);
      default:
        return error instanceof Error ? error : new Error(String(error));
    }
  }
}

/** What a user needs to see of an error that keeps the daemon from starting: one line where the cause is known, else its stack. */
export function explainStart(error: unknown): string {
  if (error instanceof StartError || error instanceof StoreError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Ends this process without asking anything of it. An orderly exit waits for every call to the file system that is under
 * way, and writes out what standard output has not taken: for ever, when one of them hangs.
 */
export function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** Waits for the end of the process. */
export interface Stopping {
  /** Resolves at SIGINT, SIGTERM or an abort. */
  readonly promise: Promise<void>;
  /** Leaves the signals to others again. */
  release(): void;
}

/**
 * Resolves at SIGINT, SIGTERM or an abort. From then on a second signal ends the process at once: by default with its exit
 * code and an orderly exit, which waits for what hangs.
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
