/**
 * Asks a source for one JSON document. The token goes to the configured server only: a redirect is followed on the same
 * origin and refused elsewhere. Size, time and the number of redirects are bounded.
 */
import { Agent, type Dispatcher, request } from 'undici';
import { errorText, secondsWords } from '../net/text.ts';
import { failed, ok, type Result } from '../net/result.ts';
import { retryAfter } from '../net/time.ts';
import type { ReadLimits } from './source-settings.ts';

/** Why a source has not answered as it should. */
export interface SourceFailure {
  readonly code:
    | 'unreachable'
    | 'timeout'
    | 'tls'
    | 'unauthorized'
    | 'too_many_requests'
    | 'unavailable'
    | 'redirect'
    | 'http_status'
    | 'too_large'
    | 'invalid'
    | 'changing'
    | 'stopped';
  /** For people: what happened, where, what to do. */
  readonly text: string;
  /** Pause that the source asks for (ms). */
  readonly retryAfterMs?: number;
}

export interface JsonAnswer {
  readonly data: unknown;
  /** The version of NetBox's API, such as `4.2`; undefined if the answer names none. */
  readonly apiVersion: string | undefined;
}

export interface SourceClient {
  /** Gets a document below the source's origin. Never rejects. */
  get(url: string): Promise<Result<JsonAnswer, SourceFailure>>;
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly token: string | undefined;
  /** PEM text; undefined: the system's authorities. */
  readonly ca: string | undefined;
  readonly limits: Pick<ReadLimits, 'connectMs' | 'silenceMs' | 'pageBytes'>;
  readonly signal: AbortSignal;
}

const MOST_REDIRECTS = 3;

/** Returns the header for a token: those of NetBox's second form begin with `nbt_` (since 4.5). */
export function authorizationOf(token: string, isNetBox: boolean): string {
  return isNetBox && !token.startsWith('nbt_') ? `Token ${token}` : `Bearer ${token}`;
}

/** Makes a client whose requests carry `authorization`. */
export function makeSourceClient(
  { token, ca, limits, signal }: ClientOptions,
  isNetBox: boolean,
): SourceClient {
  const agent = new Agent({
    connect: { timeout: limits.connectMs, ...(ca === undefined ? {} : { ca }) },
    headersTimeout: limits.silenceMs,
    bodyTimeout: limits.silenceMs,
    connections: 1,
    pipelining: 1,
  });
  const headers = {
    accept: 'application/json',
    'user-agent': 'prefixd',
    ...(token === undefined ? {} : { authorization: authorizationOf(token, isNetBox) }),
  };
  const get = async (url: string, redirects: number): Promise<Result<JsonAnswer, SourceFailure>> => {
    const answer = await request(url, { headers, dispatcher: agent, signal });
    const { statusCode: status, headers: got, body } = answer;
    if (status >= 300 && status < 400) {
      discard(body);
      const to = redirectTarget(url, got.location);
      if (to === undefined || redirects >= MOST_REDIRECTS) return failed(redirectFailure(url, got.location));
      return get(to, redirects + 1);
    }
    if (status !== 200) {
      discard(body);
      return failed(statusFailure(url, status, retryAfter(got, Date.now())));
    }
    const text = await bounded(body, limits.pageBytes);
    if (text === undefined) {
      return failed({ code: 'too_large', text: `${shownUrl(url)}: the answer is larger than it may be` });
    }
    const version = got['api-version'];
    try {
      const data: unknown = JSON.parse(text);
      return ok({ data, apiVersion: typeof version === 'string' ? version.slice(0, 20) : undefined });
    } catch {
      const kind = text.trimStart().startsWith('<') ? 'a web page, not JSON' : 'invalid JSON';
      const words = `${shownUrl(url)} answers with ${kind}; check inventory.url`;
      return failed({ code: 'invalid', text: words });
    }
  };
  return {
    get: async (url) => {
      try {
        return await get(url, 0);
      } catch (error) {
        if (signal.aborted) return failed(stopFailure(signal.reason));
        return failed(connectionFailure(url, error, limits));
      }
    },
    close: () => agent.destroy(),
  };
}

/** Returns the target of a redirect on the same origin; undefined for another one, to which no token is sent. */
function redirectTarget(from: string, location: unknown): string | undefined {
  if (typeof location !== 'string' || !URL.canParse(location, from)) return undefined;
  const to = new URL(location, from);
  return to.origin === new URL(from).origin ? to.href : undefined;
}

function redirectFailure(from: string, location: unknown): SourceFailure {
  const to = typeof location === 'string' && URL.canParse(location, from) ? new URL(location, from) : null;
  const where = to === null ? 'nowhere' : to.origin;
  return {
    code: 'redirect',
    text: `${shownUrl(from)} redirects to ${where}, which is not followed; write the final URL in inventory.url`,
  };
}

function statusFailure(url: string, status: number, pause: number | undefined): SourceFailure {
  const retry = pause === undefined ? {} : { retryAfterMs: pause };
  const at = `${shownUrl(url)} answers with HTTP ${status}`;
  if (status === 401 || status === 403) {
    const text = `${at}: the token of inventory.token_env is invalid, or may not view these objects`;
    return { code: 'unauthorized', text };
  }
  if (status === 429) return { code: 'too_many_requests', text: `${at} (too many requests)`, ...retry };
  if (status >= 500) return { code: 'unavailable', text: at, ...retry };
  const text = status === 404 ? `${at}; check inventory.url` : at;
  return { code: 'http_status', text };
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

const CERTIFICATE = /^(?:CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

function connectionFailure(url: string, error: unknown, limits: ClientOptions['limits']): SourceFailure {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (TIMEOUTS.has(code)) {
    const ms = code === 'UND_ERR_CONNECT_TIMEOUT' ? limits.connectMs : limits.silenceMs;
    const text = `${shownUrl(url)}: no answer within ${secondsWords(Math.max(1, Math.round(ms / 1000)))}`;
    return { code: 'timeout', text };
  }
  if (CERTIFICATE.test(code)) {
    const text = `${shownUrl(url)}: its certificate is not trusted (${code}); set inventory.ca_path to the CA's certificate`;
    return { code: 'tls', text };
  }
  return { code: 'unreachable', text: `${shownUrl(url)}: ${errorText(error)}` };
}

/** Explains an aborted read by its reason. */
export function stopFailure(reason: unknown): SourceFailure {
  if (reason instanceof Error && reason.name === 'TimeoutError') {
    return { code: 'timeout', text: 'the whole read takes too long; narrow it with inventory.filter' };
  }
  return { code: 'stopped', text: errorText(reason) };
}

/** Returns origin and path: a query may name customers, and user and password are secrets. */
function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}

type AnswerBody = Dispatcher.ResponseData['body'];

/** Reads a body as UTF-8; undefined if it is larger than `most` bytes. */
async function bounded(body: AnswerBody, most: number): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    bytes += part.length;
    if (bytes > most) {
      discard(body);
      return undefined;
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function discard(body: AnswerBody): void {
  body.on('error', () => undefined).destroy();
}
