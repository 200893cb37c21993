/** Accepting connections, with the keys and hops that neighbors ask for. */
import net from 'node:net';
import type { Native } from './native.ts';
import { SocketConnection, descriptorOf, endText, plainAddress } from './socket-connection.ts';
import { isHost } from '../settings.ts';
import type { Connection, ExpectedPeer, Listener } from '../transport.ts';

type Address = { readonly host: string; readonly port: number };
type Accepted = (connection: Connection) => void;

/** Binds. Rejects with an error that says what to do; its `code` is the operating system's. */
export async function listen(
  at: Address,
  peers: readonly ExpectedPeer[],
  accepted: Accepted,
  native: Native,
): Promise<Listener> {
  const listener = new NetListener(at, accepted, native);
  await listener.open(peers);
  return listener;
}

class NetListener implements Listener {
  readonly host: string;
  readonly #accepted: Accepted;
  #port: number;
  #server: net.Server | undefined;
  #peers: readonly ExpectedPeer[] = [];
  readonly #native: Native;

  constructor(at: Address, accepted: Accepted, native: Native) {
    this.#native = native;
    this.host = at.host;
    this.#port = at.port;
    this.#accepted = accepted;
  }

  get port(): number {
    return this.#port;
  }

  async open(peers: readonly ExpectedPeer[]): Promise<void> {
    this.#peers = peers;
    try {
      await this.#native.get();
      const { options } = this.#native;
      const server = net.createServer({ noDelay: true }, (socket) => this.#arrived(socket));
      // Errors of accepting, such as too many open files, concern one connection and pass.
      await bind(
        server,
        options && peers.some(isSecured)
          ? { fd: options.listenSecured({ host: this.host, port: this.#port }, peers) }
          : { host: this.host, port: this.#port },
      );
      server.on('error', () => undefined);
      this.#server = server;
      const bound = server.address();
      if (bound !== null && typeof bound === 'object') this.#port = bound.port;
    } catch (error) {
      throw listenError(error, { host: this.host, port: this.#port });
    }
  }

  /**
   * Keys belong to the listening socket: where they change, another takes its place at the same port; so it does after one
   * that could not be bound.
   */
  async expect(peers: readonly ExpectedPeer[]): Promise<void> {
    if (this.#server !== undefined && keysOf(peers) === keysOf(this.#peers)) {
      this.#peers = peers;
      return;
    }
    await this.close();
    await this.open(peers);
  }

  close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return Promise.resolve();
    // `close` would wait for accepted connections to end as well; the port is free at once.
    return new Promise((resolve) => {
      server.close();
      setImmediate(resolve);
    });
  }

  #arrived(socket: net.Socket): void {
    const address = plainAddress(socket.remoteAddress);
    const { options } = this.#native;
    const known = this.#peers.filter((peer) => isHost(peer.host, address));
    // Without its key no packet is known to be from the neighbor.
    if (options === undefined && known.some(isSecured)) {
      socket.destroy();
      return;
    }
    // One of several neighbors at an address is enough to demand the hops that it asks for.
    const hops = known.find((peer) => peer.ttlSecurityHops !== undefined)?.ttlSecurityHops;
    if (hops !== undefined) {
      const fd = descriptorOf(socket);
      // Without the descriptor the check cannot be asked for, and a connection without it is not wanted.
      if (fd === undefined || options === undefined) {
        socket.destroy();
        return;
      }
      // The address without its mapping: the packets of an IPv4 neighbor are IPv4 on an IPv6 socket, too.
      options.demandHops(fd, address, hops);
    }
    this.#accepted(new SocketConnection(socket, options));
  }
}

function isSecured(peer: ExpectedPeer): boolean {
  return peer.md5Password !== undefined || peer.ttlSecurityHops !== undefined;
}

function keysOf(peers: readonly ExpectedPeer[]): string {
  return JSON.stringify(
    peers.filter(isSecured).map((peer) => [peer.host, peer.md5Password, peer.ttlSecurityHops]),
  );
}

function bind(server: net.Server, where: net.ListenOptions | { readonly fd: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** The error that says what to do; its `code` is the operating system's. */
function listenError(
  cause: unknown,
  at: { readonly host: string; readonly port: number },
): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = cause instanceof Error ? cause : new Error(String(cause));
  const where = endText(at.host, at.port);
  return Object.assign(new Error(`cannot listen on ${where}: ${listenAdvice(error)}`), { code: error.code });
}

function listenAdvice(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'it is in use; stop the BGP speaker that runs there, or choose another port';
    case 'EACCES':
      return 'ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); grant it, or choose a port above';
    case 'EADDRNOTAVAIL':
      return 'it is not an address of this host; correct it';
    default:
      return error.message;
  }
}
