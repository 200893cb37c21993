/** The daemon's clocks and timers, the real ones behind what the rooms are given. */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { TimerHost } from '../control/types.ts';

/** A wall clock that goes on steadily, and its distance from the system's. */
export interface SteadyClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** How far it is ahead of the system's clock at the moment (ms); negative when it is behind. */
  readonly ahead: () => number;
  /** Lets it go on from this time (ms since the epoch) where it shows an earlier one. */
  notBefore(time: number): void;
}

/** The readings that a steady clock is made of (ms); tests bring their own. */
export interface ClockReadings {
  /** The system's time, which anybody may set. */
  readonly system: () => number;
  /** Time since any beginning, which nobody can set. */
  readonly monotonic: () => number;
}

const REAL: ClockReadings = { system: () => Date.now(), monotonic: () => performance.now() };

/**
 * A clock that is anchored once to the system's time and advanced by the monotonic clock. When the system's time is set
 * while the daemon runs, or the machine is suspended, nothing expires at once and nothing lives for ever; times shown may
 * be off by the step until the next start. Detectors' timestamps are judged by the system's time.
 */
export function steadyClock({ system, monotonic }: ClockReadings = REAL): SteadyClock {
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

/** Timers of the event loop. */
export const realTimers: TimerHost = {
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, milliseconds);
    return () => clearTimeout(timer);
  },
  yield: () => new Promise((resolve) => setImmediate(resolve)),
};

// What time it was at the last start, measured by a clock that nobody can set: the time since the machine's boot. When the
// system's clock was set back while the daemon was down, this tells how long it was down, as long as the machine did not
// boot anew in between.

const FILE = 'clock.json';

const MarkSchema = z.object({
  /** Changes with every boot of the machine. */
  boot: z.string(),
  /** Time since that boot (ms). */
  uptime_ms: z.number(),
  /** The daemon's time then (ms since the epoch). */
  time_ms: z.number(),
});

/** This boot of the machine and the time since it (ms); null where the system does not tell boots apart. */
export interface BootTime {
  readonly boot: string;
  readonly uptimeMs: number;
}

export async function bootTime(): Promise<BootTime | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    return { boot, uptimeMs: Math.round(uptime() * 1000) };
  } catch {
    // Not Linux: the newest fact alone has to do.
    return null;
  }
}

/**
 * The earliest time it can be now by the mark in the folder (ms since the epoch): the time of the mark, and what has
 * passed since when the machine has not booted anew. 0 when there is no mark, or none that can be read.
 */
export async function earliestByMark(folder: string, current: BootTime | null): Promise<number> {
  let text: string;
  try {
    text = await readFile(join(folder, FILE), 'utf8');
  } catch {
    return 0;
  }
  const mark = MarkSchema.safeParse(parseJson(text));
  if (!mark.success) return 0;
  const { boot, uptime_ms, time_ms } = mark.data;
  return time_ms + (boot === current?.boot ? Math.max(0, current.uptimeMs - uptime_ms) : 0);
}

/** Writes the mark. Rejects when the folder cannot be written; the daemon can do without. */
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A mark that was cut off is no mark.
    return undefined;
  }
}
