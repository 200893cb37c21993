/** Finds, starts, awaits and stops a test's processes by their own ids. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough for a busy machine; only a failing test waits this long. */
export const PATIENCE_MS = 180_000;

/** A process that still runs this long after it was asked to stop hangs. */
const FORCE_MS = 20_000;

/** Daemons are in sbin, which is not in everybody's PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/lib/frr'];

/** Returns the path of an installed program, or undefined. */
export function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Returns a command's output; rejects if it fails, with its standard error in the message. */
export function output(program: string, args: readonly string[], timeoutMs = PATIENCE_MS): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${error.message} ${stdout}${stderr}`.trim()));
    });
  });
}

/** A running process and its output so far. */
export interface Running {
  readonly pid: number;
  /** Both streams, the last 64 KiB. */
  log(): string;
  /** Undefined while it runs. */
  readonly ended: boolean;
  /** Stops it (politely by default, after 20 s by force) and waits until it has exited. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a program. It does not outlive this process: any that still runs is killed at exit. */
export function start(
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Running {
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid === undefined) throw new Error(`${program} could not be started`);
  alive.add(child);
  let log = '';
  const keep = (chunk: Buffer): void => {
    log = (log + chunk.toString('utf8')).slice(-65536);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.on('error', (error) => {
    log += `\n${error.message}`;
  });
  const gone = once(child, 'exit').then(() => {
    alive.delete(child);
  });
  const ended = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid,
    log: () => log,
    get ended() {
      return ended();
    },
    async stop(signal = 'SIGTERM') {
      if (ended()) return;
      child.kill(signal);
      const force = setTimeout(() => child.kill('SIGKILL'), FORCE_MS);
      await gone;
      clearTimeout(force);
    },
  };
}

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});
// The test runner ends a file that takes too long with SIGTERM, which alone would leave the daemons running.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.once(signal, () => process.exit(1));
}

/**
 * Asks again and again until there is an answer that is not undefined or false. A rejection counts as "not yet": a
 * daemon that is starting refuses connections. The error of the time-out tells the last of them.
 */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  let last = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = '';
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}${last}`);
    await sleep(50);
  }
}
