/** The interop suite's view of a daemon, and data shared by its files. */
import type { DaemonKind } from './daemons/daemon.ts';
import type { InteropReport } from './interop-docs.ts';
import type { Rig } from './interop-rig.ts';

/** Differences between daemons. */
export interface DaemonTraits {
  readonly kind: DaemonKind;
  /** Keeps FlowSpec rules while we restart (RFC 4724). */
  readonly helps: boolean;
  /** Makes the daemon request all routes again; undefined if it cannot. */
  readonly refresh?: (rig: Rig) => Promise<void>;
  /** Returns the daemon's text of our shutdown communication; undefined if it shows none. */
  readonly lastShutdown?: (rig: Rig) => Promise<string>;
  /** Drops packets with a lower TTL than GTSM requires (RFC 5082), in its role here. */
  readonly checksTtl: boolean;
  /** Sends every rule back to the neighbor that it came from. */
  readonly echoes?: true;
  /** The side that connects: some daemons cannot listen at an address of their own, others cannot connect. */
  readonly dials: 'we' | 'daemon';
}

/** Data shared by the suite's files: the daemon and its results. */
export interface InteropContext {
  readonly traits: DaemonTraits;
  /** Reason why the daemon cannot be tested; false if it is installed. */
  readonly skip: string | false;
  readonly report: InteropReport;
  /** A test that becomes a row of docs/interop.md if it passes. */
  readonly proves: (what: string, prove: () => Promise<void>) => void;
}
