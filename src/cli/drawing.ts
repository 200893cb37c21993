/** How wide and how colourful the output may be. */
import { text } from './answer.ts';
import type { Context } from './context.ts';
import type { Drawing } from './render.ts';
import { wrapped } from './render.ts';

/** A terminal's width; where the output goes to a file or a program nothing is cut. */
export function drawingFor(context: Context): Drawing {
  const { io, colour } = context;
  return { width: io.outputIsTerminal ? io.columns : Number.POSITIVE_INFINITY, colour };
}

/** Text for people, broken between words where a terminal is too narrow. */
export function fitted(context: Context, text: string): string {
  return wrapped(text, drawingFor(context).width);
}

/** A time of the API: whole for programs, without its milliseconds at a terminal. */
export function timeCell(context: Context, time: unknown): string {
  return context.io.outputIsTerminal ? text(time).replace(/\.\d+Z$/, 'Z') : text(time);
}

/** An id: whole for programs, its beginning at a terminal. A unique beginning is taken everywhere. */
export function idCell(context: Context, id: unknown): string {
  return context.io.outputIsTerminal ? text(id).slice(0, 8) : text(id);
}
