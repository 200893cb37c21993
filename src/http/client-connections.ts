/**
 * Watches a server's connections from the handshake to the end: admits or refuses each by the table, closes slow ones,
 * and destroys those that a client does not close. `socket.end` alone would wait for a silent client for ever.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  type ConnectionFigures,
  type ConnectionLimits,
  ConnectionTable,
  type ConnectionPlace,
} from './connection-table.ts';
import type { HttpLogger } from './dependencies.ts';
import { clientNetwork, KnownNetworks } from './known-networks.ts';
import { answerUnreadable, isLate } from './http-listener.ts';

/** Interval at which the time limits are checked (ms). */
const SWEEP_MS = 1_000;
/** Minimum time between two log lines (ms); each line has the number of connections since the last one. */
const LOG_EVERY_MS = 10_000;

export interface ConnectionOptions {
  readonly limits: ConnectionLimits;
  readonly logger: HttpLogger;
  /** The listener's name in log lines. */
  readonly listener: string;
  /** Interval at which the time limits are checked (ms). Default: 1,000. */
  readonly sweepMs?: number;
}

/** One watched socket. */
interface Watched {
  readonly place: ConnectionPlace;
  /** The stream that requests are read from: the socket itself, or the TLS layer above it. */
  stream: Socket;
  /** Number of requests that are not answered yet. */
  open: number;
}

/** Watches a server's connections. Create it before the server listens. */
export class ClientConnections {
  readonly #table: ConnectionTable;
  readonly #logger: HttpLogger;
  readonly #listener: string;
  readonly #known = new KnownNetworks(() => performance.now());
  readonly #watched = new Set<Watched>();
  readonly #byStream = new WeakMap<Duplex, Watched>();
  /** Connections in a TLS handshake, by remote endpoint. */
  readonly #byEnd = new Map<string, Watched>();
  readonly #sweeping: NodeJS.Timeout;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #unlogged = 0;
  #lastNetwork = '';

  constructor(server: Server, { limits, logger, listener, sweepMs = SWEEP_MS }: ConnectionOptions) {
    this.#table = new ConnectionTable(limits, () => performance.now());
    this.#logger = logger;
    this.#listener = listener;
    const isTls = server instanceof TlsServer;
    server.on('connection', (socket: Socket) => this.#arrived(socket, isTls));
    server.on('secureConnection', (socket: TLSSocket) => this.#secured(socket));
    // Must run before the handler, which may admit the caller at once.
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#requested(request.socket, response),
    );
    server.setTimeout(limits.stalled, (socket: Socket) => this.#timedOut(socket));
    this.#sweeping = setInterval(() => this.#sweep(), sweepMs);
    this.#sweeping.unref();
  }

  get figures(): ConnectionFigures {
    return this.#table.figures();
  }

  /**
   * Marks a request's caller as authenticated: the connection is not closed to make room until the request is answered.
   */
  letIn(socket: Socket): void {
    const watched = this.#byStream.get(socket);
    if (watched !== undefined && watched.open > 0) this.#table.enter(watched.place, 'request');
  }

  /**
   * Trusts the network for a day after a valid credential arrived on this socket. Does nothing if the socket has
   * closed.
   */
  trust(socket: Socket, network: string): void {
    if (network === '' || socket.destroyed) return;
    this.#known.add(network);
    this.#table.trust(network);
  }

  /** Answers a request that was late or invalid, and closes the connection. */
  unreadable(error: Error & { readonly code?: string }, socket: Duplex): void {
    answerUnreadable(error, socket);
    const watched = this.#byStream.get(socket);
    if (watched === undefined) return;
    if (isLate(error)) this.#table.counted(watched.open > 0 ? 'body' : lateWhen(watched.place));
    this.#table.enter(watched.place, 'closing');
  }

  /** Closes the connections without a request in progress. */
  endUnused(): void {
    this.#table.endAll('unused');
  }

  /** Closes all connections and stops watching. */
  close(): void {
    clearInterval(this.#sweeping);
    this.#table.endAll('all');
  }

  #arrived(socket: Socket, isTls: boolean): void {
    const { name, isLoopback } = clientNetwork(socket.remoteAddress);
    const network = { name, isTrusted: isLoopback || this.#known.has(name) };
    const before = this.#table.pressure;
    const place = this.#table.admit(network, isTls ? 'handshake' : 'first_byte', () => socket.destroy());
    if (this.#table.pressure > before) this.#pressure(name);
    if (typeof place === 'string') {
      socket.destroy();
      return;
    }
    const watched: Watched = { place, stream: socket, open: 0 };
    const end = endOf(socket);
    this.#watched.add(watched);
    this.#byStream.set(socket, watched);
    if (isTls) this.#byEnd.set(end, watched);
    socket.once('close', () => {
      this.#watched.delete(watched);
      this.#table.remove(place);
      if (this.#byEnd.get(end) === watched) this.#byEnd.delete(end);
    });
  }

  #secured(socket: TLSSocket): void {
    const end = endOf(socket);
    const watched = this.#byEnd.get(end);
    if (watched === undefined) return;
    this.#byEnd.delete(end);
    watched.stream = socket;
    this.#byStream.set(socket, watched);
    this.#table.enter(watched.place, 'first_byte');
  }

  #requested(socket: Socket, response: ServerResponse): void {
    const watched = this.#byStream.get(socket);
    if (watched === undefined) return;
    if (watched.open++ === 0) this.#table.enter(watched.place, 'unproven');
    response.once('close', () => {
      if (--watched.open === 0) this.#table.enter(watched.place, 'idle');
    });
  }

  /** Closes a connection on which no bytes have moved for long. Waits for an answer that is still being made. */
  #timedOut(socket: Socket): void {
    const watched = this.#byStream.get(socket);
    if (watched === undefined) {
      socket.destroy();
      return;
    }
    if (watched.open === 0) this.#table.close(watched.place, 'idle');
    else if (socket.writableLength > 0) this.#table.close(watched.place, 'stalled');
  }

  #sweep(): void {
    for (const { place, stream } of this.#watched) {
      if (place.state === 'first_byte' && stream.bytesRead > 0) this.#table.enter(place, 'headers');
    }
    this.#table.sweep();
    if (this.#unlogged > 0) this.#log();
  }

  #pressure(network: string): void {
    this.#unlogged++;
    this.#lastNetwork = network;
    this.#log();
  }

  #log(): void {
    const now = performance.now();
    if (now - this.#loggedAt < LOG_EVERY_MS) return;
    this.#logger.warn(
      {
        listener: this.#listener,
        count: this.#unlogged,
        open: this.#table.size,
        last_from: this.#lastNetwork,
        open_from_there: this.#table.countOf(this.#lastNetwork),
      },
      'too many HTTP connections: new ones were refused, or idle ones closed to make room',
    );
    this.#loggedAt = now;
    this.#unlogged = 0;
  }
}

function lateWhen({ state }: ConnectionPlace): 'first_byte' | 'headers' {
  return state === 'first_byte' ? 'first_byte' : 'headers';
}

/** Returns the remote endpoint, which is unique among a listener's connections at any time. */
function endOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
