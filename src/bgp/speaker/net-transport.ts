/** The transport over TCP and UNIX sockets of the operating system. */
import net from 'node:net';
import {
  CLOSE_WAIT_MS,
  type Connection,
  type ConnectionUser,
  type DialFailure,
  type DialRequest,
  type ExpectedPeer,
  type Listener,
  type Transport,
} from './transport.ts';

export const netTransport: Transport = { dial, listen };

function dial(request: DialRequest, done: (result: Connection | DialFailure) => void): () => void {
  const { address, localAddress } = request;
  if (request.md5Password !== undefined || request.ttlSecurityHops !== undefined) {
    return dialSecured(request, done);
  }
  const socket =
    address.kind === 'unix'
      ? net.connect({ path: address.path })
      : net.connect({
          host: address.host,
          port: address.port,
          ...(localAddress === undefined ? {} : { localAddress }),
        });
  let over = false;
  const fail = (error: NodeJS.ErrnoException): void => {
    if (over) return;
    over = true;
    socket.destroy();
    done({ failed: explainDialError(error, request) });
  };
  socket.once('error', fail);
  socket.once('connect', () => {
    if (over) return;
    over = true;
    socket.off('error', fail);
    done(new SocketConnection(socket));
  });
  return () => {
    over = true;
    socket.destroy();
  };
}

/** A dial that needs socket options which Node does not have. */
function dialSecured(request: DialRequest, done: (result: Connection | DialFailure) => void): () => void {
  let cancel: (() => void) | undefined;
  let over = false;
  import('./socket-options.ts')
    .then(({ connectSecured }) => {
      if (over) return;
      cancel = connectSecured(request, (result) => {
        if (over) {
          if (result instanceof net.Socket) result.destroy();
          return;
        }
        over = true;
        if (result instanceof net.Socket) done(new SocketConnection(result));
        else done({ failed: explainDialError(result, request) });
      });
    })
    .catch((error: unknown) => {
      if (over) return;
      over = true;
      done({ failed: error instanceof Error ? error.message : String(error) });
    });
  return () => {
    over = true;
    cancel?.();
  };
}

async function listen(
  at: { readonly host: string; readonly port: number },
  peers: readonly ExpectedPeer[],
  accepted: (connection: Connection) => void,
): Promise<Listener> {
  const server = net.createServer({ noDelay: true });
  server.on('connection', (socket) => accepted(new SocketConnection(socket)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, at)));
    server.listen({ host: at.host, port: at.port }, resolve);
  });
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : at.port;
  void peers;
  return {
    host: at.host,
    port,
    expect: () => Promise.resolve(),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

class SocketConnection implements Connection {
  readonly remote: string;
  readonly local: string;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #socket: net.Socket;
  #user: ConnectionUser | undefined;
  /** Why it broke before anybody used it. */
  #broken: string | undefined;

  constructor(socket: net.Socket) {
    this.#socket = socket;
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

  write(octets: Uint8Array): boolean {
    return this.#socket.writable ? this.#socket.write(octets) : false;
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
    // What still arrives is read and dropped: octets left unread would make the kernel reset the connection, and the
    // reset may overtake our NOTIFICATION.
    this.#user = { onData: () => undefined, onDrain: () => undefined, onClose: () => undefined };
    if (socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const force = setTimeout(() => socket.destroy(), CLOSE_WAIT_MS);
      socket.once('close', () => {
        clearTimeout(force);
        resolve();
      });
      if (socket.destroyed) return;
      socket.resume();
      socket.end();
    });
  }

  #over(why: string): void {
    if (this.#broken !== undefined) return;
    this.#broken = why;
    this.#user?.onClose(why);
  }
}

/** Canonical as the operating system writes it; an IPv4 address that arrived on an IPv6 socket is an IPv4 address. */
function plainAddress(address: string | undefined): string {
  if (address === undefined) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

function endText(address: string, port: number | undefined): string {
  if (address === '') return 'unix socket';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
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

function explainDialError(error: NodeJS.ErrnoException, { address, localAddress }: DialRequest): string {
  if (address.kind === 'unix') {
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return `nobody listens on ${address.path}: start the helper that owns this socket`;
    }
    return `cannot connect to ${address.path}: ${error.message}`;
  }
  const to = endText(address.host, address.port);
  switch (error.code) {
    case 'ECONNREFUSED':
      return `${to} refused the connection: is BGP running there and configured for this side's address?`;
    case 'ETIMEDOUT':
      return `${to} does not answer: check the address, the path and filters on it, and the MD5 password on both sides`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `no route to ${to}: check the address and the routing here`;
    case 'EADDRNOTAVAIL':
      return `local_address ${localAddress ?? ''} is not an address of this host: correct it here`;
    case 'ECONNRESET':
      return `${to} reset the connection attempt`;
    default:
      return `cannot connect to ${to}: ${error.message}`;
  }
}

/** The error that says what to do; its `code` is the operating system's. */
function listenError(
  error: NodeJS.ErrnoException,
  at: { readonly host: string; readonly port: number },
): NodeJS.ErrnoException {
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
