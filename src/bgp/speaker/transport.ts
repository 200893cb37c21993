/**
 * The connections of sessions, independent of the transport. The only implementation outside tests is net-transport.ts.
 */
import type { NeighborSettings } from './types.ts';

/** Callbacks of a connection's user. Nothing is called after `onClose`. */
export interface ConnectionUser {
  /** The octets are the user's to keep. */
  readonly onData: (octets: Uint8Array) => void;
  /** All written data has left this process; called after a `write` that returned false. */
  readonly onDrain: () => void;
  /** The other side closed, or the connection broke. Not called after `close`. */
  readonly onClose: (why: string) => void;
}

/** An open connection. Nothing is read before `use`. */
export interface Connection {
  /** Both addresses for people: `192.0.2.1:179`. */
  readonly remote: string;
  readonly local: string;
  /** Address of the other end without port, canonical, with its zone if it has one; empty for a UNIX socket. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Sets the user and starts reading. */
  use(user: ConnectionUser): void;
  /**
   * Takes the octets, which are sent at the end of this turn; returns false if no more should be written before
   * `onDrain`.
   */
  write(octets: Uint8Array): boolean;
  /** Sends the written data now. */
  flush(): void;
  /** Octets still held in this process because the operating system has no room for them. */
  readonly unsent: number;
  /**
   * Returns the octets that the other side's TCP has not acknowledged; for a UNIX socket, at least those that the other
   * side has not read. If the system cannot tell, `unsent`. This is a system call: do not use it for every message.
   */
  outstanding(): number;
  pause(): void;
  resume(): void;
  /**
   * Sends the written data, then closes. Resolves when the connection is closed, at the latest after `CLOSE_WAIT_MS`.
   */
  close(): Promise<void>;
  /** Closes at once and drops pending data. Resolves when the connection is closed. */
  abort(): Promise<void>;
}

/** Time that an orderly close waits for the other side before it is forced. */
export const CLOSE_WAIT_MS = 2000;

/** The address to dial, with its options. */
export type DialRequest = Pick<
  NeighborSettings,
  'address' | 'localAddress' | 'md5Password' | 'ttlSecurityHops'
>;

/** A failed dial, with the reason for an operator. */
export interface DialFailure {
  readonly failed: string;
}

/** The properties of a neighbor that the listener needs before its connection arrives. */
export interface ExpectedPeer extends Pick<NeighborSettings, 'md5Password' | 'ttlSecurityHops'> {
  readonly host: string;
}

export interface Listener {
  /** The bound address, with the real port if port 0 was requested. */
  readonly host: string;
  readonly port: number;
  /** Adopts new keys and hops. */
  expect(peers: readonly ExpectedPeer[]): Promise<void>;
  /** Stops accepting; resolves when the port is free. */
  close(): Promise<void>;
}

export interface Transport {
  /**
   * Resolves to the reason why the system's options (TCP MD5, GTSM, acknowledgements of the peer's TCP) are not
   * available, for an operator; to undefined if they are. Absent: they are.
   */
  readonly lacking?: () => Promise<string | undefined>;
  /** Dials and calls `done` once, unless the returned function gives up the dial. */
  dial(request: DialRequest, done: (result: Connection | DialFailure) => void): () => void;
  /** Listens. Rejects with an Error that names the fix if the address cannot be bound. */
  listen(
    at: { readonly host: string; readonly port: number },
    peers: readonly ExpectedPeer[],
    accepted: (connection: Connection) => void,
  ): Promise<Listener>;
}
