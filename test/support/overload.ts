/** For daemons in a test's own process, whose event loop is late when the machine is busy. */
import type { Overload } from '../../src/http/overload.ts';

/** A watch that lets everything through. */
export const neverOverloaded = (): Overload => ({
  shedsReads: () => false,
  shedsEvents: () => false,
  stop: () => undefined,
});
