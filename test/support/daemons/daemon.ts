/** The interface that the tests use for every BGP daemon. */
import type { FamilyName } from '../../../src/bgp/wire/iana.ts';
import type { RuleJson } from '../rule-json.ts';

/** The daemons that the tests know, and the Debian packages they are in. */
export const PACKAGES = { gobgp: 'gobgpd', bird: 'bird2', frr: 'frr', exabgp: 'exabgp' } as const;
export type DaemonKind = keyof typeof PACKAGES;

/** The other side of a daemon's session. */
export interface PeerConfig {
  readonly address: string;
  readonly asn: number;
  /** The daemon dials this port; absent: it waits to be called. */
  readonly dial?: number;
  readonly md5Password?: string;
  /** GTSM (RFC 5082): sends with TTL 255 and takes no less than the directly connected sends. */
  readonly ttlSecurity?: boolean;
  readonly families: readonly FamilyName[];
  /** Name of the filter (bird) or route-map (frr) in `statements` that unicast routes from this peer pass. */
  readonly unicastImport?: string;
  /** Keeps our routes while we restart (RFC 4724); frr 8.4 cannot for FlowSpec. */
  readonly helper?: boolean;
  /** Restarts gracefully itself; seconds. */
  readonly restarting?: number;
  /** Seconds; 30 unless said. */
  readonly holdTime?: number;
}

export interface DaemonConfig {
  readonly asn: number;
  readonly routerId: string;
  /** The address that it listens on and connects from. */
  readonly address: string;
  readonly port: number;
  readonly peers: readonly PeerConfig[];
  /** Rules to originate from the start, in the daemon's own configuration language (bird and exabgp only). */
  readonly originate?: string;
  /** Statements before the peers, in the daemon's own configuration language (bird and frr only). */
  readonly statements?: string;
}

/** A rule in a daemon's table. */
export interface TableRule extends RuleJson {
  /** The daemon's own text of the rule, for messages and for keeping. */
  readonly verbatim: string;
  /** Extended communities in the order shown: in hex where the daemon shows all of them, else (frr) its own words. */
  readonly actions: readonly string[];
  /** True if it shows one of them as plain octets, that is, does not know its meaning. */
  readonly opaque: boolean;
  /** Next hop of the rule where the daemon shows one: the address of a redirect in the draft's version 00. */
  readonly nextHop?: string;
  /** The daemon truncated its text (bird, after about 250 characters): the last component lacks values at its end. */
  readonly cut?: true;
}

/** A running daemon. */
export interface Daemon {
  readonly kind: DaemonKind;
  readonly config: DaemonConfig;
  /** The version that it reports. */
  readonly version: string;
  /** Its configuration, in its own language. */
  readonly configText: string;
  established(peerAddress: string): Promise<boolean>;
  /** Returns a family's rules in its table, from any sender. */
  rules(family: FamilyName): Promise<readonly TableRule[]>;
  /** Returns the number of a family's rules; cheaper than `rules`. */
  count(family: FamilyName): Promise<number>;
  /** Returns the table's text as the daemon prints it. */
  tableText(family: FamilyName): Promise<string>;
  log(): string;
  /** Stops it; `SIGKILL` for a crash. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}
