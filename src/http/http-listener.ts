/** Creates the server's socket side: timeouts, TLS, and answers to input that is not valid HTTP. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { createSecureContext } from 'node:tls';
import { errorText } from '../net/text.ts';
import type { ConnectionLimits } from './connection-table.ts';
import type { TlsSettings } from './dependencies.ts';
import { PROBLEM_TYPE, problemBody } from './http-problem.ts';

/** Limits for clients. Times in ms; exceeding `headers` or `request` is answered 408. */
export interface ListenerLimits extends ConnectionLimits {
  /** Size of all headers of a request; more is answered 431. */
  readonly headerBytes: number;
  /** Interval at which Node checks these two times. */
  readonly checkInterval: number;
}

export const LIMITS: ListenerLimits = {
  headerBytes: 16 * 1024,
  checkInterval: 2_000,
  connections: 4_096,
  reserve: 256,
  perNetwork: 256,
  perTrustedNetwork: 2_048,
  handshake: 10_000,
  firstByte: 10_000,
  headers: 10_000,
  request: 30_000,
  idle: 60_000,
  stalled: 30_000,
  closing: 2_000,
};

/** A TLS server's options, read from files. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca?: Buffer;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  readonly minVersion: 'TLSv1.2';
  readonly ciphers: string;
  readonly honorCipherOrder: true;
}

/**
 * TLS 1.3, and the TLS 1.2 suites with forward secrecy and authenticated encryption (RFC 9325 §4.2): no static RSA key
 * exchange, no CBC.
 */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

/** Reads the files and checks that they fit together; rejects with an Error that names the path. */
export async function loadTls(settings: TlsSettings): Promise<TlsMaterial> {
  const { certPath, keyPath, caPath, clientsOptional } = settings;
  const cert = await readFile(certPath);
  const key = await readFile(keyPath);
  const ca = caPath === undefined ? {} : { ca: await readFile(caPath) };
  const wantsClients = caPath !== undefined;
  const material: TlsMaterial = {
    cert,
    key,
    ...ca,
    requestCert: wantsClients,
    rejectUnauthorized: wantsClients && clientsOptional !== true,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
  };
  try {
    createSecureContext(material);
  } catch (error) {
    const why = errorText(error);
    const authority = caPath === undefined ? '' : ` and ${caPath}`;
    throw new Error(`${certPath}, ${keyPath}${authority} cannot be used for TLS: ${why}`);
  }
  return material;
}

/** Creates a server with limits on its clients. `Connections` must watch its connections. */
export function createListener(
  handler: RequestListener,
  tls: TlsMaterial | undefined,
  limits: ListenerLimits = LIMITS,
): Server {
  const options = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headers,
    requestTimeout: limits.request,
    connectionsCheckingInterval: limits.checkInterval,
    keepAliveTimeout: limits.idle,
  };
  return tls === undefined
    ? createServer(options, handler)
    : createTlsServer({ ...options, ...tls }, handler);
}

/** Replaces the certificates for new connections. */
export function replaceTls(server: Server, tls: TlsMaterial): void {
  if (server instanceof TlsServer) server.setSecureContext(tls);
}

/** Returns true if the request did not arrive in time. */
export function isLate(error: Error & { readonly code?: string }): boolean {
  return error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/** Answers an invalid request and closes the connection. `Connections` destroys it if the client does not close. */
export function answerUnreadable(error: Error & { readonly code?: string }, socket: Duplex): void {
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

// Connection limits that leave file descriptors for the journal, the audit log and BGP sessions.

/** Share of the process's open files limit that connections may use. */
const SHARE = 0.5;

/** Returns this process's limit of open files; infinity if the system does not report it. */
export function openFilesLimit(
  readLimits: () => string = () => readFileSync('/proc/self/limits', 'utf8'),
): number {
  let text: string;
  try {
    text = readLimits();
  } catch {
    // Only Linux has the file. Elsewhere the default limits apply.
    return Number.POSITIVE_INFINITY;
  }
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Returns the limits, scaled down if the connections would use too large a share of `openFiles`. */
export function fittingLimits(limits: ListenerLimits, openFiles: number): ListenerLimits {
  const most = Math.max(16, Math.floor(openFiles * SHARE));
  if (limits.connections <= most) return limits;
  const scaled = (count: number): number => Math.max(1, Math.floor((count * most) / limits.connections));
  return {
    ...limits,
    connections: most,
    reserve: scaled(limits.reserve),
    perNetwork: scaled(limits.perNetwork),
    perTrustedNetwork: scaled(limits.perTrustedNetwork),
  };
}
