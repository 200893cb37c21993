/** The transport over TCP and UNIX sockets of the operating system. */
import net from 'node:net';
import { listen } from './listener.ts';
import { alikeOnBothSides } from '../settings.ts';
import { SocketConnection, endText } from './socket-connection.ts';
import type { Connection, DialFailure, DialRequest, Transport } from '../transport.ts';

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

function explainDialError(error: NodeJS.ErrnoException, request: DialRequest): string {
  const { address, localAddress } = request;
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
      return `${to} does not answer: check the address, the path, filters on it, and ${alikeOnBothSides(request) ?? 'whether the peer wants an MD5 password or GTSM'}`;
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
