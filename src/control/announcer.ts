/** The reconciler's interface to a speaker, implemented by the BGP speaker and by MockAnnouncer. */
import type { AdjRibOutView } from '../bgp/rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import type { NeighborSettings, PeerStatus, SpeakerListener } from '../bgp/speaker/types.ts';

/** The way to close the sessions. */
export interface StopOptions {
  /**
   * True: close without a NOTIFICATION, which would flush the routes, so that graceful-restart helpers keep them.
   * False: withdraw everything that was written, then send Cease (Administrative Shutdown).
   */
  readonly preserve: boolean;
  /** Shutdown communication (RFC 9003), at most 255 octets of UTF-8. */
  readonly communication?: string;
}

/** Holds sessions and their Adj-RIB-Outs; decides nothing. An unknown peer name is a programming error (RangeError). */
export interface Announcer {
  /**
   * Binds the listener and starts dialing. Rejects if the listener cannot bind; an unreachable neighbor is not an
   * error.
   */
  start(): Promise<void>;
  /** Closes all sessions; resolves when every socket is closed. */
  stop(options: StopOptions): Promise<void>;
  /** Adds a listener for session changes; returns a function that removes it. */
  subscribe(listener: SpeakerListener): () => void;

  /** Returns the status of every configured neighbor, in the order of the configuration. */
  peers(): readonly PeerStatus[];
  isEstablished(peer: string): boolean;
  /** Returns the session's Adj-RIB-Out; empty unless established. */
  ribOut(peer: string): AdjRibOutView;

  /**
   * Queues changes on an established session; does nothing on any other, because the session gets all routes when it is
   * established. Announcements are written before withdrawals.
   */
  apply(peer: string, announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void;
  /**
   * Resolves when the sessions have handed to their transports what they take at once of the changes queued so far; a
   * session that is behind sends the rest in its later turns. Never rejects.
   */
  written(): Promise<void>;
  /**
   * Returns true if a router may hold a route of this owner: on some session, also one of a neighbor that is being
   * removed, it is sent, or its withdrawal is not acknowledged by the peer's TCP.
   */
  holds(owner: string): boolean;
  /** Sends End-of-RIB (RFC 4724 §2) for every negotiated family after the pending changes. */
  endOfRib(peer: string): void;

  /** Enables or disables a neighbor; disabling sends Cease (Administrative Shutdown) with the communication. */
  setEnabled(peer: string, enabled: boolean, communication?: string): void;
  /** Sends the whole Adj-RIB-Out again (soft), or resets the session with Cease (Administrative Reset). */
  clear(peer: string, how: 'soft' | 'hard'): void;
  /** Adopts a new list of neighbors: removed ones are shut down, added ones started, and only changed ones reset. */
  reconfigure(neighbors: readonly NeighborSettings[]): Promise<void>;
}
