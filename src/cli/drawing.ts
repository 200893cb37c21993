/** How wide and how colourful the output may be. */
import type { Context } from './context.ts';
import type { Drawing } from './render.ts';

/** A terminal's width; where the output goes to a file or a program nothing is cut. */
export function drawingFor(context: Context): Drawing {
  const { io, colour } = context;
  return { width: io.outputIsTerminal ? io.columns : Number.POSITIVE_INFINITY, colour };
}
