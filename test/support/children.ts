/** Processes that a test starts: found, started, waited for and ended by their own id. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Long enough for a machine that does many other things; only a failing test waits for so long. */
export const PATIENCE_MS = 180_000;

/** A process that was asked to end and runs for so long afterwards hangs. */
const FORCE_MS = 20_000;

/** Daemons live in sbin, which is not on everybody's PATH. */
const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/lib/frr'];

/** The path of an installed program, or undefined. */
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

/** What a command printed; rejects when it fails, with its standard error in the message. */
export function output(program: string, args: readonly string[], timeoutMs = PATIENCE_MS): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} ${args.join(' ')}: ${error.message} ${stdout}${stderr}`.trim()));
    });
  });
}

/** A running process and what it has printed so far. */
export interface Running {
  readonly pid: number;
  /** Both streams, the last 64 KiB. */
  log(): string;
  /** Undefined while it runs. */
  readonly ended: boolean;
  /** Ends it (by default politely, after 20 s by force) and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/** Starts a program. It does not outlive this process: whatever is still running is killed at exit. */
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
// The test runner ends a file that takes too long with SIGTERM, which by itself would leave the daemons behind.
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
