/** A connection over a Node socket. */
import type net from 'node:net';
import { endpointText } from '../../../net/text.ts';
import type { SocketOptions } from './native.ts';
import { CLOSE_WAIT_MS, type Connection, type ConnectionUser } from '../transport.ts';

export class SocketConnection implements Connection {
  readonly remote: string;
  readonly local: string;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #socket: net.Socket;
  #user: ConnectionUser | undefined;
  #corked = false;
  /** The reason of a failure before `use`. */
  #broken: string | undefined;

  readonly #options: Pick<SocketOptions, 'unacknowledged'> | undefined;

  /** Without `options`, acknowledgements of the peer's TCP are unknown. */
  constructor(socket: net.Socket, options?: Pick<SocketOptions, 'unacknowledged'>) {
    this.#socket = socket;
    this.#options = options;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.localAddress = plainAddress(socket.localAddress);
    this.remote = endText(this.remoteAddress, socket.remotePort);
    this.local = endText(this.localAddress, socket.localPort);
    socket.setNoDelay(true);
    socket.on('error', (error: NodeJS.ErrnoException) => this.#over(explainBreak(error)));
    socket.on('end', () => this.#over('peer closed the connection'));
    socket.on('close', () => this.#over('connection closed'));
  }

  get unsent(): number {
    return this.#socket.writableLength;
  }

  outstanding(): number {
    const fd = descriptorOf(this.#socket);
    const queued = fd === undefined ? undefined : this.#options?.unacknowledged(fd);
    return this.unsent + (queued ?? 0);
  }

  use(user: ConnectionUser): void {
    const first = this.#user === undefined;
    this.#user = user;
    if (!first) return;
    this.#socket.on('data', (chunk: Buffer) => this.#user?.onData(chunk));
    this.#socket.on('drain', () => this.#user?.onDrain());
    if (this.#broken !== undefined) {
      const why = this.#broken;
      queueMicrotask(() => this.#user?.onClose(why));
    }
  }

  /**
   * Collects the data of one turn into one call. That is cheaper, and a peer that answers the first message with a
   * NOTIFICATION and closes is heard: a second write would fail on the closed connection and lose it.
   */
  write(octets: Uint8Array): boolean {
    const socket = this.#socket;
    if (!socket.writable) return false;
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(() => this.flush());
    }
    return socket.write(octets);
  }

  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  abort(): Promise<void> {
    this.#socket.destroy();
    return this.close();
  }

  close(): Promise<void> {
    const socket = this.#socket;
    // Received data is still read and dropped: unread octets would make the kernel reset the connection, and the reset
    // may overtake our NOTIFICATION.
    this.#user = { onData: () => undefined, onDrain: () => undefined, onClose: () => undefined };
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const force = setTimeout(() => this.#force(), CLOSE_WAIT_MS);
      socket.once('close', () => {
        clearTimeout(force);
        resolve();
      });
      if (socket.destroyed) return;
      socket.resume();
      socket.end();
    });
  }

  /**
   * Resets the connection if the peer has not closed in time. If it reads nothing, it would learn of the end only when
   * it reads, and the kernel would keep the pending data for minutes.
   */
  #force(): void {
    const socket = this.#socket;
    if (this.remoteAddress !== '' && this.outstanding() > 0) socket.resetAndDestroy();
    else socket.destroy();
  }

  #over(why: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = why;
    this.#user?.onClose(why);
  }
}

/** Returns the descriptor of a socket, which Node exposes only on its handle. */
export function descriptorOf(socket: net.Socket): number | undefined {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const fd: unknown = Reflect.get(handle, 'fd');
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}

/**
 * Returns an address in the operating system's canonical form; an IPv4 address on an IPv6 socket becomes a plain IPv4
 * address.
 */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

export function endText(address: string, port: number | undefined): string {
  return address === '' ? 'unix socket' : endpointText(address, port);
}

function explainBreak(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNRESET':
      return 'peer reset the connection';
    case 'EPIPE':
      return 'peer closed the connection while we were writing';
    case 'ETIMEDOUT':
      return 'connection timed out: the path to the peer is gone';
    default:
      return `connection broke: ${error.message}`;
  }
}
