/** Accepts connections, with the keys and hops of each neighbor. */
import net from 'node:net';
import { asError } from '../../../net/text.ts';
import type { Native } from './native.ts';
import { SocketConnection, descriptorOf, endText, plainAddress } from './socket-connection.ts';
import { isHost } from '../settings.ts';
import type { Connection, ExpectedPeer, Listener } from '../transport.ts';

type Address = { readonly host: string; readonly port: number };
type Accepted = (connection: Connection) => void;

/** Binds. Rejects with an error that names the fix; its `code` is the operating system's. */
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
      // Accept errors, such as too many open files, affect one connection and pass.
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
   * Adopts new keys. They belong to the listening socket: if they change, or if the last one could not be bound, a new
   * socket replaces it at the same port.
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
    // `close` would also wait for accepted connections; the port is free at once.
    return new Promise((resolve) => {
      server.close();
      setImmediate(resolve);
    });
  }

  #arrived(socket: net.Socket): void {
    const address = plainAddress(socket.remoteAddress);
    const { options } = this.#native;
    const known = this.#peers.filter((peer) => isHost(peer.host, address));
    // Without its key no packet can be attributed to the neighbor.
    if (options === undefined && known.some(isSecured)) {
      socket.destroy();
      return;
    }
    // If one of several neighbors at an address has a hop limit, it applies to the address.
    const hops = known.find((peer) => peer.ttlSecurityHops !== undefined)?.ttlSecurityHops;
    if (hops !== undefined) {
      const fd = descriptorOf(socket);
      // Without the descriptor the check is impossible, and an unchecked connection is not accepted.
      if (fd === undefined || options === undefined) {
        socket.destroy();
        return;
      }
      // The address without its mapping: even on an IPv6 socket, an IPv4 neighbor's packets are IPv4.
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

/** Returns the error that names the fix; its `code` is the operating system's. */
function listenError(
  cause: unknown,
  at: { readonly host: string; readonly port: number },
): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = asError(cause);
  const where = endText(at.host, at.port);
  return Object.assign(new Error(`cannot listen on ${where}: ${listenAdvice(error)}`), { code: error.code });
}

function listenAdvice(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the port is in use; stop the BGP speaker that runs there, or choose another port';
    case 'EACCES':
      return 'ports below 1024 need a privilege (CAP_NET_BIND_SERVICE); grant it, or choose a port from 1024';
    case 'EADDRNOTAVAIL':
      return 'this is not an address of this host; correct it';
    default:
      return error.message;
  }
}
