/** Starts the real daemons for tests, or says which Debian package is missing. */
import { findProgram } from './children.ts';
import { type Bird, startBird } from './daemons/bird.ts';
import { type DaemonConfig, type DaemonKind, PACKAGES } from './daemons/daemon.ts';
import { type ExaBgp, startExaBgp } from './daemons/exabgp.ts';
import { type Frr, startFrr } from './daemons/frr.ts';
import { type GoBgp, startGoBgp } from './daemons/gobgp.ts';

const PROGRAMS: Readonly<Record<DaemonKind, readonly string[]>> = {
  gobgp: ['gobgpd', 'gobgp'],
  bird: ['bird', 'birdc'],
  frr: ['bgpd', 'vtysh'],
  exabgp: ['exabgp'],
};

/**
 * For the `skip` option of a test: false when the daemon is installed, else a reason that names its Debian package.
 * With CI=true nothing is skipped: the test runs, and fails for want of the daemon.
 */
export function missing(kind: DaemonKind): string | false {
  if (process.env.CI === 'true' || PROGRAMS[kind].every((name) => findProgram(name) !== undefined))
    return false;
  return `${kind} is not installed; Debian package: ${PACKAGES[kind]}`;
}

/** The same for any other program. */
export function missingProgram(name: string, debianPackage: string): string | false {
  if (process.env.CI === 'true' || findProgram(name) !== undefined) return false;
  return `${name} is not installed; Debian package: ${debianPackage}`;
}

/** Any of them; `kind` tells which. */
export type AnyDaemon = GoBgp | Bird | Frr | ExaBgp;

/** Starts a daemon of a kind and waits until it can be asked. */
export function startDaemon(kind: 'gobgp', config: DaemonConfig): Promise<GoBgp>;
export function startDaemon(kind: 'bird', config: DaemonConfig): Promise<Bird>;
export function startDaemon(kind: 'frr', config: DaemonConfig): Promise<Frr>;
export function startDaemon(kind: 'exabgp', config: DaemonConfig): Promise<ExaBgp>;
export function startDaemon(kind: DaemonKind, config: DaemonConfig): Promise<AnyDaemon>;
export function startDaemon(kind: DaemonKind, config: DaemonConfig): Promise<AnyDaemon> {
  switch (kind) {
    case 'gobgp':
      return startGoBgp(config);
    case 'bird':
      return startBird(config);
    case 'frr':
      return startFrr(config);
    case 'exabgp':
      return startExaBgp(config);
  }
}
