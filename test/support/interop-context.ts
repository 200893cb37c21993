/** What the interop suite is told about a daemon, and what its parts share. */
import type { DaemonKind } from './daemons/daemon.ts';
import type { InteropReport } from './interop-docs.ts';
import type { Rig } from './interop-rig.ts';

/** What daemons differ in. */
export interface DaemonTraits {
  readonly kind: DaemonKind;
  /** Keeps FlowSpec rules while we restart (RFC 4724). */
  readonly helps: boolean;
  /** How the daemon is made to ask for all routes again; undefined when it cannot. */
  readonly refresh?: (rig: Rig) => Promise<void>;
  /** Where the daemon shows the words of our shutdown; undefined when it does not. */
  readonly lastShutdown?: (rig: Rig) => Promise<string>;
  /** Drops what comes with a lower TTL than GTSM asks for (RFC 5082), in the role that it has here. */
  readonly checksTtl: boolean;
  /** Gives every rule back to the one that it has it from. */
  readonly echoes?: true;
  /** The daemon cannot wait to be called at an address of its own, or cannot call. */
  readonly dials: 'we' | 'daemon';
}

/** What the parts of the suite share: the daemon, and what was proven of it. */
export interface InteropContext {
  readonly traits: DaemonTraits;
  /** Why nothing can be asked of the daemon; false when it is installed. */
  readonly skip: string | false;
  readonly report: InteropReport;
  /** A test whose passing is a row of docs/interop.md. */
  readonly proves: (what: string, prove: () => Promise<void>) => void;
}
