/** Repeats output for `--watch` and `--follow`. */
import { isTemporary } from './client.ts';
import type { CommandContext } from './command-context.ts';
import { UsageError } from './command-context.ts';
import { drawingFor } from './drawing.ts';
import type { Column } from './tables.ts';
import { printable, table, wrapped } from './tables.ts';

const DEFAULT_SECONDS = 2;

/** The interval of `--follow` (ms). */
export const FOLLOW_EVERY_MS = 2_000;

/**
 * Writes the result of `show` once, or with `--watch` every `every` seconds until the process ends. UsageError if `every` is
 * not a number above 0.
 */
export async function showOrWatch(
  context: CommandContext,
  every: string | true | undefined,
  show: (context: CommandContext) => Promise<string>,
): Promise<void> {
  const { io } = context;
  if (every === undefined) return void io.stdout.write(await show(context));
  const seconds = every === true ? DEFAULT_SECONDS : Number(every);
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new UsageError(`--watch: invalid number "${every}": expected seconds above 0`);
  }
  const look = async (): Promise<void> => {
    const shown = await show(context);
    io.stdout.write(io.outputIsTerminal ? `${CLEAR}${shown}` : shown);
  };
  await look();
  // Clears a terminal when the daemon is unreachable, so that nobody takes old output for current.
  const sayAway = (why: string): unknown =>
    io.outputIsTerminal
      ? io.stdout.write(`${CLEAR}${wrapped(why, io.columns)}\n`)
      : io.stderr.write(`${why}\n`);
  await repeat(context, seconds * 1000, look, { away: sayAway, back: () => undefined });
}

/** Clears the terminal. */
const CLEAR = '\u001b[H\u001b[2J';

/** Reports that the daemon is unreachable, and that it responds again. */
export interface Absence {
  away(why: string): unknown;
  back(): unknown;
}

/**
 * Calls `look` every `everyMs` milliseconds, forever. While the daemon is unreachable or overloaded, reports that once and
 * keeps trying at the same interval. Rejects on any other failure.
 */
export async function repeat(
  context: CommandContext,
  everyMs: number,
  look: () => Promise<void>,
  absence: Absence = {
    away: (why) => context.io.stderr.write(`prefixd: ${why}\n`),
    back: () => context.io.stderr.write('prefixd: the daemon responds again\n'),
  },
): Promise<never> {
  let away = false;
  for (;;) {
    await context.io.wait(everyMs);
    try {
      await look();
      if (away) absence.back();
      away = false;
    } catch (error) {
      if (!isTemporary(error)) throw error;
      if (!away) absence.away(`${printable(error.message)}; retrying every ${everyMs / 1000} s`);
      away = true;
    }
  }
}

/** The number of recent rows that set the column widths of new ones. */
const REMEMBERED = 100;

/** Returns a function that writes rows as they arrive, under one header; with `-f json` one line each. */
export function rowWriter<Row>(
  context: CommandContext,
  columns: readonly Column<Row>[],
): (rows: readonly Row[]) => void {
  let shown: readonly Row[] = [];
  return (rows) => {
    const { stdout } = context.io;
    if (context.options.format === 'json') {
      for (const row of rows) stdout.write(`${JSON.stringify(row)}\n`);
      return;
    }
    if (rows.length === 0) return;
    const all = [...shown, ...rows];
    const lines = table(columns, all, drawingFor(context)).trimEnd().split('\n');
    const fresh = shown.length === 0 ? lines : lines.slice(-rows.length);
    stdout.write(`${fresh.join('\n')}\n`);
    shown = all.slice(-REMEMBERED);
  };
}
