/** Opens real connections to a server under test. */
import { once } from 'node:events';
import {
  type ClientRequest,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { connect, type Socket } from 'node:net';
import { PATIENCE_MS } from '../support/children.ts';

/** Makes a promise that the test settles. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((resolveIt, rejectIt) => {
    resolve = resolveIt;
    reject = rejectIt;
  });
  return { promise, resolve, reject };
}

/** Rejects if `promise` takes too long, and names what was awaited. */
export function within<T>(promise: Promise<T>, what: string): Promise<T> {
  const late = deferred<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited too long for ${what}`)), PATIENCE_MS);
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Sends one request over TLS. Rejects if the handshake fails. */
export function tlsRequest(options: RequestOptions): Promise<Reply> {
  return ask((done) => httpsRequest({ agent: false, ...options }, done));
}

/** Sends one request without TLS. */
export function plainRequest(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return ask((done) => httpRequest({ host: '127.0.0.1', port, path, headers, agent: false }, done));
}

function ask(send: (done: (response: IncomingMessage) => void) => ClientRequest): Promise<Reply> {
  const answer = new Promise<Reply>((resolve, reject) => {
    const request = send((response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end();
  });
  return within(answer, 'an answer');
}

/** Writes bytes unchanged, and reads until the other side closes. */
export async function rawExchange(port: number, text: string): Promise<string> {
  const socket = await rawConnection(port);
  socket.write(text);
  return within(readToEnd(socket), 'the server to hang up');
}

/** Opens a connection whose errors the test handles. */
export async function rawConnection(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  await within(once(socket, 'connect'), 'a connection');
  return socket;
}

/** Reads everything until the end or a reset. */
export function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', () => resolve(text));
    socket.on('close', () => resolve(text));
  });
}
