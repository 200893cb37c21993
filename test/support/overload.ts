/** For daemons in a test's own process, whose event loop is late when the machine is busy. */
import type { Overload } from '../../src/http/overload.ts';

/** A watch that lets all reads through. */
export const neverOverloaded = (): Overload => ({ shedsReads: () => false, stop: () => undefined });
