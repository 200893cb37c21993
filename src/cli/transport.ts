/**
 * HTTP calls for one-line tools: `node:http` is part of the program already, where loading an HTTP client takes longer than the
 * call itself.
 */
import type { ClientRequest, RequestOptions } from 'node:http';

/** Limits of one call (ms). */
export interface CallLimits {
  readonly connectMs: number;
  readonly answerMs: number;
}

/** PEM texts for TLS. */
export interface Certificates {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Connections to one server, kept open between calls. */
export interface Transport {
  send(url: string, call: Call): Promise<Answer>;
  close(): void;
}

/** Codes of the errors of a call that takes too long. */
export const Late = {
  Connect: 'CONNECT_TIMEOUT',
  Headers: 'HEADERS_TIMEOUT',
  Body: 'BODY_TIMEOUT',
} as const;

/** A transport for URLs that begin with `base`. Nothing is sent yet; certificates that cannot be used fail the first call. */
export async function openTransport(
  base: string,
  certificates: Certificates,
  limits: CallLimits,
): Promise<Transport> {
  const isTls = base.startsWith('https:');
  const { Agent, request } = isTls ? await import('node:https') : await import('node:http');
  const agent = new Agent({ keepAlive: true, ...certificates });
  return {
    send: (url, call) =>
      exchange(
        (options) => request(url, { agent, ...options }),
        call,
        limits,
        isTls ? 'secureConnect' : 'connect',
      ),
    close: () => agent.destroy(),
  };
}

function exchange(
  request: (options: RequestOptions) => ClientRequest,
  { method, headers, body }: Call,
  { connectMs, answerMs }: CallLimits,
  connected: 'connect' | 'secureConnect',
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(connectMs + answerMs);
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const sent = request({ method, headers: { ...headers, ...length }, signal });
    let late: string = Late.Headers;
    sent.once('error', reject);
    sent.once('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => sent.destroy(coded(Late.Connect)), connectMs);
      socket.once(connected, () => clearTimeout(timer));
      sent.once('close', () => clearTimeout(timer));
    });
    sent.setTimeout(answerMs, () => sent.destroy(coded(late)));
    sent.once('response', (response) => {
      late = Late.Body;
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.end(body);
  });
}

function coded(code: string): Error {
  return Object.assign(new Error(code), { code });
}
