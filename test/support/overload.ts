/** Overload settings for daemons in a test's own process, whose event loop is late on a busy machine. */
import type { Overload } from '../../src/http/overload.ts';

/** A watch that refuses nothing. */
export const neverOverloaded = (): Overload => ({
  shedsReads: () => false,
  shedsEvents: () => false,
  stop: () => undefined,
});
