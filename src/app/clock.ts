/** Provides the daemon's real clocks and timers. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Logger } from 'pino';
import type { TimerHost } from '../control/types.ts';
import type { StateView } from '../core/state/state.ts';
import { parseJson, secondsWords } from '../net/text.ts';

/** A wall clock that never jumps, and its distance from the system's clock. */
export interface SteadyClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Returns how far it is currently ahead of the system's clock (ms); negative if it is behind. */
  readonly ahead: () => number;
  /** Moves it forward to this time (ms since the epoch) if it shows an earlier one. */
  notBefore(time: number): void;
}

/** The clocks that a steady clock is based on (ms). */
export interface ClockSources {
  /** The system's time, which may be set at any moment. */
  readonly system: () => number;
  /** Monotonic time, which cannot be set. */
  readonly monotonic: () => number;
}

const REAL: ClockSources = { system: () => Date.now(), monotonic: () => performance.now() };

/**
 * Creates a clock that is set once to the system's time and advanced by the monotonic clock. If the system's time is
 * set while the daemon runs, or the machine is suspended, nothing expires at once and nothing lives for ever; displayed
 * times may be off by that step until the next start. Detectors' timestamps are compared with the system's time.
 */
export function steadyClock({ system, monotonic }: ClockSources = REAL): SteadyClock {
  let offset = system() - monotonic();
  const now = (): number => Math.round(offset + monotonic());
  return {
    now,
    ahead: () => now() - system(),
    notBefore: (time) => {
      offset = Math.max(offset, time - monotonic());
    },
  };
}

/** The event loop's timers. */
export const realTimers: TimerHost = {
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};

// The mark: the time of the last start, with the time since the machine's boot, which cannot be set. If the system's
// clock was set back while the daemon was down, the mark shows how long it was down, unless the machine has rebooted.

const FILE = 'clock.json';

const MarkSchema = z.object({
  /** Changes with every boot of the machine. */
  boot: z.string(),
  /** Time since that boot (ms). */
  uptime_ms: z.number(),
  /** The daemon's time at that moment (ms since the epoch). */
  time_ms: z.number(),
});

/** An identifier of this boot of the machine, and the time since it (ms). */
export interface BootTime {
  readonly boot: string;
  readonly uptimeMs: number;
}

/** Returns the current boot and the time since it; undefined if the system has no boot identifier. */
export async function bootTime(): Promise<BootTime | undefined> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return { boot, uptimeMs: Math.round(uptime() * 1000) };
  } catch {
    // Not Linux: the start uses only the newest fact's time.
    return undefined;
  }
}

/**
 * Returns the earliest possible current time by the folder's mark (ms since the epoch): the mark's time, plus the time
 * that has passed since then if the machine has not rebooted. 0 if there is no readable mark.
 */
export async function earliestByMark(folder: string, current: BootTime | undefined): Promise<number> {
  let text: string;
  try {
    text = await readFile(join(folder, FILE), 'utf8');
  } catch {
    return 0;
  }
  // A truncated mark counts as no mark.
  const mark = MarkSchema.safeParse(parseJson(text));
  if (!mark.success) return 0;
  const { boot, uptime_ms, time_ms } = mark.data;
  return time_ms + (boot === current?.boot ? Math.max(0, current.uptimeMs - uptime_ms) : 0);
}

/** Writes the mark. Rejects if the folder cannot be written; the daemon can run without it. */
export async function writeMark(folder: string, current: BootTime, now: number): Promise<void> {
  const mark: z.output<typeof MarkSchema> = {
    boot: current.boot,
    uptime_ms: current.uptimeMs,
    time_ms: now,
  };
  const path = join(folder, FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(mark)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * Keeps active mitigations from living longer if the system's clock was set back while the daemon was down: time
 * continues from the newest fact, or from the last start's mark plus the time that has passed since then. Without
 * active mitigations nothing depends on it, and the system's clock is used again. Without a folder there is no mark.
 */
export async function continueTime(
  steady: SteadyClock,
  state: StateView,
  folder: string | undefined,
  logger: Logger,
): Promise<void> {
  const boot = folder === undefined ? undefined : await bootTime();
  if (state.activeTotal(false) + state.activeTotal(true) > 0) {
    const marked = folder === undefined ? 0 : await earliestByMark(folder, boot);
    steady.notBefore(Math.max(state.lastAt, marked));
    const seconds = Math.round(steady.ahead() / 1000);
    if (seconds > 0) {
      logger.warn(
        { ahead_seconds: seconds },
        `the system's clock is ${secondsWords(seconds)} behind the journal: TTLs are counted from the journal's time`,
      );
    }
  }
  if (folder === undefined || boot === undefined) return;
  try {
    await writeMark(folder, boot, steady.now());
  } catch (error) {
    logger.warn({ err: error }, `cannot write this start's time to ${folder}`);
  }
}
