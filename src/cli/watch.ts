/** What is shown once, or repeatedly: `--watch` and `--follow`. */
import { mayPass } from './client.ts';
import type { Context } from './context.ts';
import { UsageError } from './context.ts';
import { drawingFor } from './drawing.ts';
import type { Column } from './render.ts';
import { printable, table, wrapped } from './render.ts';

const DEFAULT_SECONDS = 2;

/** Between two looks of `--follow` (ms). */
export const FOLLOW_EVERY_MS = 2_000;

/**
 * Writes what `show` gives: once, or with `--watch` every so many seconds until the process is told to stop. UsageError
 * when `every` is not a number above 0.
 */
export async function showOrWatch(
  context: Context,
  every: string | true | undefined,
  show: (context: Context) => Promise<string>,
): Promise<void> {
  const { io } = context;
  if (every === undefined) return void io.stdout.write(await show(context));
  const seconds = every === true ? DEFAULT_SECONDS : Number(every);
  if (!Number.isFinite(seconds) || seconds <= 0) {
    throw new UsageError('--watch takes a number of seconds above 0');
  }
  const look = async (): Promise<void> => {
    const shown = await show(context);
    io.stdout.write(io.outputIsTerminal ? `${CLEAR}${shown}` : shown);
  };
  await look();
  // On a terminal the last picture goes away with the daemon: nobody should take it for the present.
  const sayAway = (why: string): unknown =>
    io.outputIsTerminal
      ? io.stdout.write(`${CLEAR}${wrapped(why, io.columns)}\n`)
      : io.stderr.write(`${why}\n`);
  await repeat(context, seconds * 1000, look, { away: sayAway, back: () => undefined });
}

/** Clears the terminal, so that it shows one picture. */
const CLEAR = '\u001b[H\u001b[2J';

/** What to say when the daemon goes away, and when it is back. */
export interface Absence {
  away(why: string): unknown;
  back(): unknown;
}

/**
 * Looks again every so many milliseconds, for ever. While the daemon is away or overloaded that is told once, and it is
 * asked again at the same pace; any other failure ends it.
 */
export async function repeat(
  context: Context,
  everyMs: number,
  look: () => Promise<void>,
  absence: Absence = {
    away: (why) => context.io.stderr.write(`prefixd: ${why}\n`),
    back: () => context.io.stderr.write('prefixd: the daemon answers again\n'),
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
      if (!mayPass(error)) throw error;
      if (!away) absence.away(`${printable(error.message)}; trying again every ${everyMs / 1000} s`);
      away = true;
    }
  }
}

/** Rows that are remembered, so that later ones are as wide. */
const REMEMBERED = 100;

/** Writes rows as they come, under one head, and in JSON a line each. */
export function rowWriter<Row>(
  context: Context,
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
