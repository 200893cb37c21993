/**
 * Resolves connection collisions (RFC 4271 §6.8, RFC 6286 §2.3): decides which of two connections with one neighbor is
 * closed, and when this side may decide so.
 *
 * §6.8 gives both sides the same rule, but each applies it to the messages it has read so far, and these differ. A side
 * that has read our OPEN and KEEPALIVE on one connection is Established there and closes the other one, whatever the
 * identifiers are. If we have not read its KEEPALIVE yet and decide by the identifiers, each side closes one connection
 * and none is left. So this side never closes a connection that the peer may have chosen:
 * - It sends no OPEN while another connection is in OpenConfirm or Established (`mayOpen`): the peer cannot choose a
 *   connection on which it has no OPEN.
 * - It sends no KEEPALIVE on the connection that loses by the identifiers while the peer's OPEN is expected on the
 *   other one: without it the peer cannot be Established, and decides by the identifiers too.
 * - If it has sent both, because the peer was silent on the winner for too long, it gives the peer time to decide
 *   first.
 */
import type { StateName } from './types.ts';

/** The side that opened a connection. */
export type Initiator = 'local' | 'peer';

/** Both sides as their OPENs identify them; identifiers are four octets as unsigned numbers. */
export interface CollisionParties {
  readonly localIdentifier: number;
  readonly localAsn: number;
  readonly peerIdentifier: number;
  readonly peerAsn: number;
}

/** The connection that existed before the OPEN arrived on another one. */
export interface ExistingConnection {
  readonly initiator: Initiator;
  readonly state: StateName;
  /** The peer sent the Graceful Restart capability on it. */
  readonly gracefulRestart: boolean;
}

/** The connection on which an OPEN arrived. */
export interface ArrivingConnection {
  readonly initiator: Initiator;
  /** Our OPEN was sent on it, so that the peer may choose it. */
  readonly opened: boolean;
  /** The peer's answer on either connection is overdue, so it gets no more time. */
  readonly overdue: boolean;
}

/**
 * - `proceed`: the OPEN is answered with a KEEPALIVE, and the other connection is kept.
 * - `close-arriving`, `close-existing`: this connection is closed with 6/7; in the latter case the OPEN is answered.
 * - `wait`: nothing is sent on the arriving connection until the existing one changes its state or is overdue.
 */
export type CollisionVerdict = 'proceed' | 'close-arriving' | 'close-existing' | 'wait';

/**
 * True if this side may send its OPEN on a connection while another one is in `state`. §8.2.2 (OpenConfirm,
 * Established; Events 16, 17): "the second connection SHALL be tracked until it sends an OPEN message."
 */
export function mayOpen(state: StateName): boolean {
  return state !== 'openconfirm' && state !== 'established';
}

/** Decides about a valid OPEN that arrives on `arriving` while `existing` is open. */
export function collisionVerdict(
  parties: CollisionParties,
  existing: ExistingConnection,
  arriving: ArrivingConnection,
): CollisionVerdict {
  const { initiator, overdue } = arriving;
  // A connection on which we sent our OPEN is not new: it existed before the other one was Established.
  if (existing.state === 'established' && arriving.opened) {
    return mayLoseTo(parties, existing.initiator, initiator) && !overdue ? 'wait' : 'close-arriving';
  }
  switch (collisionLoser(parties, existing, initiator)) {
    case 'arriving':
      return 'close-arriving';
    case 'existing':
      // The peer got our KEEPALIVE on it and may be Established there, unless it has closed it itself.
      return existing.state === 'openconfirm' && existing.initiator !== initiator && !overdue
        ? 'wait'
        : 'close-existing';
    case 'neither':
      // It will win as soon as the peer's OPEN arrives on it.
      return existing.state === 'opensent' && mayLoseTo(parties, initiator, existing.initiator) && !overdue
        ? 'wait'
        : 'proceed';
  }
}

/**
 * Applies the rule of §6.8 alone: returns the connection to close, or `neither` if the existing one has not got far
 * enough to collide.
 */
export function collisionLoser(
  parties: CollisionParties,
  existing: ExistingConnection,
  arriving: Initiator,
): 'existing' | 'arriving' | 'neither' {
  // RFC 4271 §6.8: "Unless allowed via configuration, a connection collision with an existing BGP connection that is in
  // the Established state causes closing of the newly created connection." RFC 4724 §5 reverses this for a peer that
  // restarts gracefully: its new connection means that the old one is dead. We wait for its OPEN before believing it.
  if (existing.state === 'established') return existing.gracefulRestart ? 'existing' : 'arriving';

  // §6.8: "Upon receipt of an OPEN message, the local system MUST examine all of its connections that are in the
  // OpenConfirm state."
  if (existing.state !== 'openconfirm') return 'neither';

  // Both were opened by the same side, which has given up the older one.
  if (existing.initiator === arriving) return 'existing';

  // §6.8 1.-3.: the connection opened by the side with the higher BGP Identifier stays.
  return existing.initiator === winner(parties) ? 'arriving' : 'existing';
}

/**
 * True if the peer, going by the identifiers, may close a connection in favor of another one on which it has our OPEN.
 * As long as it may, this side must not close the other one.
 */
export function mayLoseTo(parties: CollisionParties, connection: Initiator, other: Initiator): boolean {
  return connection !== other && other === winner(parties);
}

/**
 * Returns the side whose connection is kept. RFC 6286 §2.3: with equal identifiers, the side with the larger AS number.
 */
function winner({ localIdentifier, peerIdentifier, localAsn, peerAsn }: CollisionParties): Initiator {
  const localWins =
    localIdentifier === peerIdentifier ? localAsn > peerAsn : localIdentifier > peerIdentifier;
  return localWins ? 'local' : 'peer';
}
