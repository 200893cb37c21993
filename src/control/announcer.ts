/** What the reconciler needs of a speaker. The BGP speaker is one; MockAnnouncer is another. */
import type { AdjRibOutView } from '../bgp/rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../bgp/rib/route.ts';
import type { NeighborSettings, PeerStatus, SpeakerListener } from '../bgp/speaker/types.ts';

/** How to part from the neighbors. */
export interface StopOptions {
  /**
   * True: close without a NOTIFICATION that would flush, so that graceful-restart helpers keep the routes.
   * False: withdraw everything that was written, then Cease (Administrative Shutdown).
   */
  readonly preserve: boolean;
  /** Shutdown communication (RFC 9003), at most 255 octets of UTF-8. */
  readonly communication?: string;
}

/** Holds sessions and their Adj-RIB-Outs; decides nothing. Unknown peer names are a programming error (RangeError). */
export interface Announcer {
  /** Binds the listener and starts dialling. Rejects when the listener cannot bind; a neighbor that is away is no error. */
  start(): Promise<void>;
  /** Parts from all neighbors; resolves when every socket is closed. */
  stop(options: StopOptions): Promise<void>;
  /** Adds what is called on session changes; returns a function that removes it. */
  subscribe(listener: SpeakerListener): () => void;

  /** Every configured neighbor, in the order of the configuration. */
  peers(): readonly PeerStatus[];
  isEstablished(peer: string): boolean;
  /** Empty unless the session is established. */
  ribOut(peer: string): AdjRibOutView;

  /**
   * Queues changes on an established session; on any other it does nothing, because the session will be given everything
   * when it comes up. Announcements are written before withdrawals.
   */
  apply(peer: string, announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void;
  /** Sends End-of-RIB (RFC 4724 §2) for every negotiated family once what is queued now has been written. */
  endOfRib(peer: string): void;

  /** Administrative up and down; down sends Cease (Administrative Shutdown) with the communication. */
  setEnabled(peer: string, enabled: boolean, communication?: string): void;
  /** Sends everything in the Adj-RIB-Out again (soft), or resets the session with Cease (Administrative Reset). */
  clear(peer: string, how: 'soft' | 'hard'): void;
  /** Adopts a new list of neighbors: removed ones are shut down, added ones started, changed ones alone reset. */
  reconfigure(neighbors: readonly NeighborSettings[]): Promise<void>;
}
