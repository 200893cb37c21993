/** Connections as sessions see them, whatever carries them. The only implementation outside tests is net-transport.ts. */
import type { NeighborAddress } from './types.ts';

/** What a connection tells its user. After `onClose` nothing more comes. */
export interface ConnectionUser {
  /** The octets are the user's to keep. */
  readonly onData: (octets: Uint8Array) => void;
  /** What was written has left this process; after a `write` that returned false. */
  readonly onDrain: () => void;
  /** The other side closed, or the connection broke. Not called after `close`. */
  readonly onClose: (why: string) => void;
}

/** A connection that stands. Nothing is read before `use`. */
export interface Connection {
  /** Both ends for people: `192.0.2.1:179`. */
  readonly remote: string;
  readonly local: string;
  /** Address of the other end without port, canonical, with its zone if it has one; empty for a UNIX socket. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Says who uses it, and begins to read. */
  use(user: ConnectionUser): void;
  /** Takes the octets, which leave at the end of this turn; false when no more should be written before `onDrain`. */
  write(octets: Uint8Array): boolean;
  /** What was written leaves now. */
  flush(): void;
  /** Octets taken that this process still holds: the operating system has no room for them. */
  readonly unsent: number;
  /**
   * Octets taken that the other side's TCP has not acknowledged; of a UNIX socket, at least those that the other side has
   * not read. Where the system does not tell, `unsent`. A system call: not for every message.
   */
  outstanding(): number;
  pause(): void;
  resume(): void;
  /** Sends what was written, then ends. Resolves when the connection is gone, at the latest after `CLOSE_WAIT_MS`. */
  close(): Promise<void>;
  /** Ends at once, whatever waits. Resolves when the connection is gone. */
  abort(): Promise<void>;
}

/** How long an orderly close waits for the other side before it is forced. */
export const CLOSE_WAIT_MS = 2000;

/** Whom to dial, and how. */
export interface DialRequest {
  readonly address: NeighborAddress;
  readonly localAddress?: string;
  readonly md5Password?: string;
  readonly ttlSecurityHops?: number;
}

/** A dial that failed, in words for an operator. */
export interface DialFailure {
  readonly failed: string;
}

/** A neighbor as the listener must know it before its connection arrives. */
export interface ExpectedPeer {
  readonly host: string;
  readonly md5Password?: string;
  readonly ttlSecurityHops?: number;
}

export interface Listener {
  /** The bound address: the port is the real one when port 0 was asked for. */
  readonly host: string;
  readonly port: number;
  /** Other keys and hops than before. */
  expect(peers: readonly ExpectedPeer[]): Promise<void>;
  /** Accepts no more; resolves when the port is free. */
  close(): Promise<void>;
}

export interface Transport {
  /**
   * Resolves to why the system's options (TCP MD5, GTSM, what the peer's TCP has acknowledged) cannot be used here, in
   * words for an operator; to undefined where they can. Absent: they can.
   */
  readonly lacking?: () => Promise<string | undefined>;
  /** Calls `done` once, unless the dial is given up with what this returns. */
  dial(request: DialRequest, done: (result: Connection | DialFailure) => void): () => void;
  /** Rejects with an Error that says what to do when the address cannot be bound. */
  listen(
    at: { readonly host: string; readonly port: number },
    peers: readonly ExpectedPeer[],
    accepted: (connection: Connection) => void,
  ): Promise<Listener>;
}
