/** Fits output to the terminal: width, colors, short times and ids. */
import { text } from './answer.ts';
import type { CommandContext } from './command-context.ts';
import type { Drawing } from './tables.ts';
import { wrapped } from './tables.ts';

/** Returns the terminal's width and colors; an infinite width if the output is a file or a pipe. */
export function drawingFor(context: CommandContext): Drawing {
  const { io, color } = context;
  return { width: io.outputIsTerminal ? io.columns : Number.POSITIVE_INFINITY, color };
}

/** Wraps text between words to the terminal's width. */
export function fitted(context: CommandContext, text: string): string {
  return wrapped(text, drawingFor(context).width);
}

/** Returns a time of the API, on a terminal without its milliseconds. */
export function timeCell(context: CommandContext, time: unknown): string {
  return context.io.outputIsTerminal ? text(time).replace(/\.\d+Z$/, 'Z') : text(time);
}

/** Returns an id, on a terminal its first 8 characters. Every command accepts a unique beginning of an id. */
export function idCell(context: CommandContext, id: unknown): string {
  return context.io.outputIsTerminal ? text(id).slice(0, 8) : text(id);
}
