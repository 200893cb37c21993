/** The transport over the operating system's TCP and UNIX sockets. */
import net from 'node:net';
import { type LoadOptions, Native, type SocketOptions, securedText } from './native.ts';
import { listen } from './bgp-listener.ts';
import { sharedSettings } from '../settings.ts';
import { SocketConnection, endText } from './socket-connection.ts';
import type { Connection, DialFailure, DialRequest, Transport } from '../transport.ts';

type Done = (result: Connection | DialFailure) => void;

/** Creates the transport. `load` loads socket options that Node has no API for. */
export function createNetTransport(load?: LoadOptions): Transport {
  const native = new Native(load);
  return {
    dial: (request, done) => dial(request, done, native),
    listen: (at, peers, accepted) => listen(at, peers, accepted, native),
    lacking: () => native.lacking(),
  };
}

export const netTransport: Transport = createNetTransport();

/** Dials; after the options have been loaded once, without waiting for them. */
function dial(request: DialRequest, done: Done, native: Native): () => void {
  if (native.options !== undefined) return dialWith(request, done, native.options);
  let cancel: (() => void) | undefined;
  let over = false;
  void native.get().then((loaded) => {
    if (!over) cancel = dialWith(request, done, loaded);
  });
  return () => {
    over = true;
    cancel?.();
  };
}

/** Dials with the options; if `options` is a text, it is the reason why there are none. */
function dialWith(request: DialRequest, done: Done, options: SocketOptions | string): () => void {
  const isSecured = request.md5Password !== undefined || request.ttlSecurityHops !== undefined;
  if (!isSecured) return dialPlain(request, done, typeof options === 'string' ? undefined : options);
  if (typeof options !== 'string') return dialSecured(request, done, options);
  let over = false;
  queueMicrotask(() => {
    if (!over) done({ failed: securedText(options) });
  });
  return () => {
    over = true;
  };
}

function dialPlain(request: DialRequest, done: Done, options: SocketOptions | undefined): () => void {
  const { address, localAddress } = request;
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
    done(new SocketConnection(socket, options));
  });
  return () => {
    over = true;
    socket.destroy();
  };
}

/** Dials with socket options that Node does not have. */
function dialSecured(request: DialRequest, done: Done, options: SocketOptions): () => void {
  let over = false;
  const finish = (result: net.Socket | NodeJS.ErrnoException): void => {
    if (over) {
      if (result instanceof net.Socket) result.destroy();
      return;
    }
    over = true;
    if (result instanceof net.Socket) done(new SocketConnection(result, options));
    else done({ failed: explainDialError(result, request) });
  };
  let cancel: (() => void) | undefined;
  try {
    cancel = options.connectSecured(request, finish);
  } catch (error) {
    queueMicrotask(() => finish(error instanceof Error ? error : new Error(String(error))));
  }
  return () => {
    over = true;
    cancel?.();
  };
}

function explainDialError(error: NodeJS.ErrnoException, request: DialRequest): string {
  const { address, localAddress } = request;
  if (address.kind === 'unix') {
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
      return `nothing is listening on ${address.path}: start the helper that owns this socket`;
    }
    return `cannot connect to ${address.path}: ${error.message}`;
  }
  const to = endText(address.host, address.port);
  switch (error.code) {
    case 'ECONNREFUSED':
      return `${to} refused the connection: is BGP running there and configured for this side's address?`;
    case 'ETIMEDOUT':
      return `${to} does not answer: check the address, the path, filters on it, and ${sharedSettings(request) ?? 'whether the peer wants an MD5 password or GTSM'}`;
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
