/** The socket side of the server: timeouts, TLS, and answers to what is no HTTP. */
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import type { TlsSettings } from './dependencies.ts';
import { PROBLEM_TYPE, problemBody } from './problem.ts';

/** What a client may draw out. Times in ms. */
export interface ListenerLimits {
  /** All headers of a request together; more answers 431. */
  readonly headerBytes: number;
  /** For all headers of a request to arrive; longer answers 408. */
  readonly headersTimeout: number;
  /** For a whole request to arrive; longer answers 408. */
  readonly requestTimeout: number;
  /** How often the two are looked at. */
  readonly checkInterval: number;
  /** How long an idle connection is kept. */
  readonly keepAlive: number;
  /** Connections at once; more are closed. */
  readonly connections: number;
}

export const LIMITS: ListenerLimits = {
  headerBytes: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  checkInterval: 2_000,
  keepAlive: 60_000,
  connections: 4_096,
};

/** What a TLS server is made of, read from files. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly minVersion: 'TLSv1.2';
}

/** Reads the files and tries them together; rejects with an Error that names the path. */
export async function loadTls(settings: TlsSettings): Promise<TlsMaterial> {
  const { certPath, keyPath, caPath } = settings;
  const cert = await readFile(certPath);
  const key = await readFile(keyPath);
  const ca = caPath === null ? {} : { ca: await readFile(caPath) };
  const wantsClients = caPath !== null;
  const material: TlsMaterial = {
    cert,
    key,
    ...ca,
    requestCert: wantsClients,
    rejectUnauthorized: wantsClients,
    minVersion: 'TLSv1.2',
  };
  try {
    createSecureContext(material);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const authority = caPath === null ? '' : ` and ${caPath}`;
    throw new Error(`${certPath}, ${keyPath}${authority} do not make a TLS server: ${why}`);
  }
  return material;
}

/** A server with limits on everything that a client could draw out. */
export function createListener(
  handler: RequestListener,
  tls: TlsMaterial | null,
  limits: ListenerLimits = LIMITS,
): Server {
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeout,
    requestTimeout: limits.requestTimeout,
    connectionsCheckingInterval: limits.checkInterval,
    keepAliveTimeout: limits.keepAlive,
  };
  const server: Server =
    tls === null ? createServer(options, handler) : createTlsServer({ ...options, ...tls }, handler);
  server.maxConnections = limits.connections;
  return server;
}

/** Gives new connections new certificates. */
export function replaceTls(server: Server, tls: TlsMaterial): void {
  if (server instanceof TlsServer) server.setSecureContext(tls);
}

/** Answers a request that could not be read, and hangs up. */
export function answerUnreadable(error: Error & { readonly code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, detail] = unreadable(error.code);
  const body = JSON.stringify(problemBody(status, detail));
  socket.end(
    [
      `HTTP/1.1 ${status} ${problemBody(status, detail).title}`,
      `Content-Type: ${PROBLEM_TYPE}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

function unreadable(code: string | undefined): readonly [status: number, detail: string] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [431, 'The headers are too large'];
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [408, 'The request did not arrive in time'];
    default:
      return [400, 'This is not a valid HTTP request'];
  }
}
