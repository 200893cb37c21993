/** The transport over the operating system's TCP and UNIX sockets. */
import net from 'node:net';
import { asError } from '../../../net/text.ts';
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
  let over = false;
  let abandon = (): void => undefined;
  const finish = (result: net.Socket | Error | DialFailure): void => {
    if (over) {
      if (result instanceof net.Socket) result.destroy();
      return;
    }
    over = true;
    if (result instanceof net.Socket) done(new SocketConnection(result, native.options));
    else done(result instanceof Error ? { failed: explainDialError(result, request) } : result);
  };
  const begin = (options: SocketOptions | string): void => {
    if (over) return;
    const isSecured = request.md5Password !== undefined || request.ttlSecurityHops !== undefined;
    if (!isSecured) abandon = connectPlain(request, finish);
    else if (typeof options === 'string') finish({ failed: securedText(options) });
    else abandon = connectSecured(request, finish, options);
  };
  if (native.options === undefined) void native.get().then(begin);
  else begin(native.options);
  return () => {
    over = true;
    abandon();
  };
}

function connectPlain(
  { address, localAddress }: DialRequest,
  finish: (result: net.Socket | Error) => void,
): () => void {
  const socket =
    address.kind === 'unix'
      ? net.connect({ path: address.path })
      : net.connect({
          host: address.host,
          port: address.port,
          ...(localAddress === undefined ? {} : { localAddress }),
        });
  const fail = (error: Error): void => {
    socket.destroy();
    finish(error);
  };
  socket.once('error', fail);
  socket.once('connect', () => {
    socket.off('error', fail);
    finish(socket);
  });
  return () => socket.destroy();
}

/** Connects with socket options that Node does not have. */
function connectSecured(
  request: DialRequest,
  finish: (result: net.Socket | Error) => void,
  options: SocketOptions,
): () => void {
  try {
    return options.connectSecured(request, finish);
  } catch (error) {
    queueMicrotask(() => finish(asError(error)));
    return () => undefined;
  }
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
