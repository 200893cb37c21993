/** Processes of the bench's own: started from a TypeScript file, spoken to in messages, ended by their id. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

/** A process that runs one of the bench's files. `In` is what it tells us, `Out` what we tell it. */
export interface Child<In extends { readonly type: string }, Out> {
  readonly pid: number;
  tell(message: Out): void;
  /**
   * The next message of a type that comes after this call, or the `count`-th. Rejects when the process ends or nothing
   * comes in time. Messages may come several at once, so whoever wants several asks for them in one call.
   */
  next<T extends In['type']>(
    type: T,
    options?: { readonly timeoutMs?: number | undefined; readonly count?: number },
  ): Promise<Extract<In, { readonly type: T }>>;
  /** Forcibly; it keeps nothing worth a farewell. */
  end(): Promise<void>;
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** Starts `file` (absolute) with its options as JSON in the first argument. It does not outlive this process. */
export function startChild<In extends { readonly type: string }, Out extends object>(
  file: string,
  options: object,
  nodeFlags: readonly string[] = [],
): Child<In, Out> {
  const child = fork(file, [JSON.stringify(options)], {
    execArgv: [...process.execArgv, ...nodeFlags],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} could not be started`);
  alive.add(child);
  const gone = once(child, 'exit').then(() => alive.delete(child));
  return {
    pid,
    tell: (message) => void child.send(message),
    next: (type, { timeoutMs = 120_000, count = 1 } = {}) =>
      new Promise((resolve, reject) => {
        let heard = 0;
        const settle = (): void => {
          clearTimeout(timer);
          child.off('message', hear);
          child.off('exit', ended);
        };
        const hear = (message: In): void => {
          if (!isOfType(message, type) || ++heard < count) return;
          settle();
          resolve(message);
        };
        const ended = (): void => {
          settle();
          reject(new Error(`${file} ended before it said "${type}"`));
        };
        const timer = setTimeout(() => {
          settle();
          reject(new Error(`${file} did not say "${type}" within ${timeoutMs} ms`));
        }, timeoutMs);
        child.on('message', hear);
        child.on('exit', ended);
      }),
    async end() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

function isOfType<In extends { readonly type: string }, T extends In['type']>(
  message: In,
  type: T,
): message is Extract<In, { readonly type: T }> {
  return message.type === type;
}

/** Highest resident memory a process has had so far, in MB (10^6 octets). */
export function peakMemoryMb(pid: number): number {
  return memoryMb(pid, 'VmHWM');
}

/** Resident memory of a process now, in MB. */
export function residentMb(pid: number): number {
  return memoryMb(pid, 'VmRSS');
}

function memoryMb(pid: number, what: string): number {
  const found = new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return (Number(found?.[1] ?? 0) * 1024) / 1e6;
}

/** Processor time a process has used so far, in ms. */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  // utime and stime (proc(5)), in clock ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Processor time of this very thread so far, in ns: what a loop costs, whoever else is busy on the machine. */
export function threadCpuNs(): number {
  return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]);
}
