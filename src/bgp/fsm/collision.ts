/** Connection collision (RFC 4271 §6.8, RFC 6286 §2.3): of two connections with one neighbor, which one goes. */
import type { StateName } from './types.ts';

/** Who opened a connection. */
export type Initiator = 'local' | 'peer';

/** Both ends as the OPENs name them; identifiers are four octets as unsigned numbers. */
export interface CollisionParties {
  readonly localIdentifier: number;
  readonly localAsn: number;
  readonly peerIdentifier: number;
  readonly peerAsn: number;
}

/** The connection that was there before the OPEN arrived on another. */
export interface ExistingConnection {
  readonly initiator: Initiator;
  readonly state: StateName;
  /** The peer sent the Graceful Restart capability on it. */
  readonly gracefulRestart: boolean;
}

/**
 * Which connection is closed when a valid OPEN arrives on `arriving` while `existing` is there too; 'neither' when the
 * other one has not got far enough to collide.
 */
export function collisionLoser(
  parties: CollisionParties,
  existing: ExistingConnection,
  arriving: Initiator,
): 'existing' | 'arriving' | 'neither' {
  // RFC 4271 §6.8: "Unless allowed via configuration, a connection collision with an existing BGP connection that is in
  // the Established state causes closing of the newly created connection." RFC 4724 §5 turns it round for a peer that
  // restarts gracefully: its new connection says that the old one is dead. We wait for its OPEN before believing it.
  if (existing.state === 'established') return existing.gracefulRestart ? 'existing' : 'arriving';

  // §6.8: "Upon receipt of an OPEN message, the local system MUST examine all of its connections that are in the
  // OpenConfirm state."
  if (existing.state !== 'openconfirm') return 'neither';

  // Both opened by the same side: that side has given up the older one.
  if (existing.initiator === arriving) return 'existing';

  // §6.8 1.-3.: the connection opened by the side with the higher BGP Identifier stays. RFC 6286 §2.3: with equal
  // identifiers the one opened by the side with the larger AS number.
  const { localIdentifier, peerIdentifier, localAsn, peerAsn } = parties;
  const localWins =
    localIdentifier === peerIdentifier ? localAsn > peerAsn : localIdentifier > peerIdentifier;
  const winner: Initiator = localWins ? 'local' : 'peer';
  return existing.initiator === winner ? 'arriving' : 'existing';
}
