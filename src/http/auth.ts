/** Authenticates callers and checks their roles. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { SessionStore } from '../people/sessions.ts';
import type { SignInSettings } from '../people/sign-in-settings.ts';
import { forgetOldest } from '../net/queue.ts';
import { isLoopbackText } from '../net/special-addresses.ts';
import type { Caller } from './caller.ts';
import type { AuthSettings } from './dependencies.ts';
import { HttpProblem } from './http-problem.ts';
import { callerOfSession, presentedSecret } from './session-caller.ts';

/** The presented bearer token is invalid. */
export class UnknownToken extends HttpProblem {}

/**
 * Returns a request's caller, or throws HttpProblem 401 (not authenticated) or 403 (not allowed). `isPassive`: it is only
 * asked whether an earlier request would still be accepted.
 */
export type Authenticator = (request: IncomingMessage, isPassive?: boolean) => Caller;

/**
 * Creates an authenticator that calls `settings` for each request, so that tokens can be rotated. Without `sessions`
 * nobody is signed in.
 */
export function createAuthenticator(settings: () => AuthSettings, sessions?: SessionStore): Authenticator {
  let known: AuthSettings | undefined;
  let authenticate: (request: IncomingMessage) => Caller = () => ({ name: 'anonymous', role: 'admin' });
  return (request, isPassive = false) => {
    const current = settings();
    if (current !== known) {
      authenticate = authenticatorFor(current);
      known = current;
    }
    const secret = current.mode === 'none' ? undefined : presentedSecret(request);
    if (secret === undefined) return authenticate(request);
    return callerOfSession(request, secret, signInOf(current), sessions, isPassive);
  };
}

/** Returns the settings for people; undefined if nobody can sign in. */
export function signInOf(settings: AuthSettings): SignInSettings | undefined {
  return settings.mode === 'none' ? undefined : settings.signIn;
}

function authenticatorFor(settings: AuthSettings): (request: IncomingMessage) => Caller {
  switch (settings.mode) {
    case 'none':
      return () => ({ name: 'anonymous', role: 'admin' });
    case 'bearer':
      return bearer(settings.tokens.map(({ token, ...caller }) => ({ caller, digest: digest(token) })));
    case 'mtls':
      return (request) => byCertificate(request, settings);
  }
}

const digest = (token: string): Buffer => hash('sha256', token, 'buffer');

interface KnownToken {
  readonly caller: Caller;
  readonly digest: Buffer;
}

/** Compares digests of equal length with every token, so that the time taken reveals nothing about any token. */
function bearer(tokens: readonly KnownToken[]): (request: IncomingMessage) => Caller {
  return (request) => {
    const header = request.headers.authorization;
    if (header === undefined) throw unauthorized('A bearer token is required', 'Bearer realm="prefixd"');
    const match = /^Bearer +([\x21-\x7e]+) *$/i.exec(header);
    const presented = digest(match?.[1] ?? '');
    let caller: Caller | undefined;
    for (const token of tokens) {
      if (timingSafeEqual(token.digest, presented)) caller = token.caller;
    }
    if (match === null || caller === undefined) {
      throw new UnknownToken(401, 'invalid bearer token', {
        headers: { 'www-authenticate': 'Bearer realm="prefixd", error="invalid_token"' },
      });
    }
    return caller;
  };
}

function unauthorized(detail: string, challenge: string): HttpProblem {
  return new HttpProblem(401, detail, { headers: { 'www-authenticate': challenge } });
}

/** Maximum length of a CN, which is stored with rate limits, events and audit entries. */
const MAX_NAME = 256;

/** Returns the caller named by the client certificate, which the TLS listener has already verified against the CA. */
function byCertificate(
  request: IncomingMessage,
  { roles, scopes }: Extract<AuthSettings, { readonly mode: 'mtls' }>,
): Caller {
  const socket = request.socket;
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    throw unauthorized('A client certificate is required', 'mTLS realm="prefixd"');
  }
  // Without a certificate Node returns an empty object, contrary to its types.
  const subject: { readonly CN?: unknown } | undefined = socket.getPeerCertificate().subject;
  const name = subject?.CN;
  if (typeof name !== 'string' || name === '') {
    throw new HttpProblem(403, 'The client certificate must name exactly one CN in its subject');
  }
  if (name.length > MAX_NAME)
    throw new HttpProblem(403, `The client certificate's CN must have at most ${MAX_NAME} characters`);
  const role = roles === undefined ? 'admin' : roles.get(name);
  if (role === undefined)
    throw new HttpProblem(403, "http.auth.roles has no role for this client certificate's CN");
  const scope = scopes?.get(name);
  return { name, role, ...(scope === undefined ? {} : { scope }) };
}

/**
 * Refuses a request with two Host headers (RFC 9112 §3.2), because a check may read one and a proxy the other. Throws
 * HttpProblem 400.
 */
export function refuseTwoHosts({ rawHeaders }: IncomingMessage): void {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++;
  if (hosts > 1) throw new HttpProblem(400, 'The request has more than one Host header');
}

/**
 * Refuses requests from other web pages. A page in an operator's browser could otherwise send commands to the API
 * (cross-site requests), or read an API without credentials under its own name (DNS rebinding). Throws HttpProblem 403.
 */
export function refuseForeignPages(request: IncomingMessage, mode: AuthSettings['mode']): void {
  const { origin, host } = request.headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new HttpProblem(403, 'Requests from web pages of another origin are refused');
  }
  if (mode !== 'none' || host === undefined || !isLoopbackText(request.socket.localAddress)) return;
  const name = host.replace(/:\d+$/, '');
  if (name !== 'localhost' && !/^[\d.]+$|^\[[\da-fA-F:.]+\]$/.test(name)) {
    throw new HttpProblem(403, 'Without authentication, call prefixd by its address or as localhost');
  }
}

// Slowing down token guessing. After too many invalid tokens from a network, every token from it is answered late, a
// valid one as late as an invalid one, so the delay tells a guesser nothing. A token that was used from this network
// before is answered at once: a detector behind the same NAT is never locked out, and a new one only waits.

/**
 * Limits of the networks with counted invalid tokens, and of the remembered pairs of network and caller; the oldest are
 * dropped.
 */
const MAX_NETWORKS = 4_096;
const MAX_PROVEN = 4_096;
/** Number of invalid tokens without a delay: for a typing error, or a script with an old token. */
const FREE = 10;
/** Time in which one invalid token is forgiven (ms). */
const FORGIVE_MS = 30_000;
/** The first delay (ms). It doubles with each further invalid token, up to MAX_DELAY_MS. */
const FIRST_DELAY_MS = 250;
export const MAX_DELAY_MS = 5_000;
/** Maximum count of invalid tokens, so that a network that has stopped is forgiven within an hour. */
const MAX_COUNT = 100;
/** Minimum time between two log lines about a guessing network (ms). */
const TELL_EVERY_MS = 600_000;

interface WrongTokens {
  /** Invalid tokens that are not forgiven, as of `at`. */
  count: number;
  at: number;
  toldAt: number;
}

export class Guesses {
  readonly #now: () => number;
  readonly #networks = new Map<string, WrongTokens>();
  readonly #proven = new Set<string>();

  /** `now` returns monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Returns the delay (ms) of the answer to a token from this network. `caller`: the token's owner, undefined if it is
   * invalid.
   */
  delayOf(network: string, caller: string | undefined): number {
    if (caller !== undefined && this.#proven.has(pairKey(network, caller))) return 0;
    const record = this.#networks.get(network);
    if (record === undefined) return 0;
    const beyond = Math.ceil(this.#countOf(record)) - FREE;
    return beyond < 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(beyond, 10));
  }

  /** Counts an invalid token. Returns true when it is time to log that this network guesses. */
  wrong(network: string): boolean {
    const now = this.#now();
    const known = this.#networks.get(network) ?? { count: 0, at: now, toldAt: Number.NEGATIVE_INFINITY };
    known.count = Math.min(MAX_COUNT, this.#countOf(known) + 1);
    known.at = now;
    this.#networks.delete(network);
    this.#networks.set(network, known);
    forgetOldest(this.#networks, MAX_NETWORKS);
    if (Math.ceil(known.count) < FREE || now - known.toldAt < TELL_EVERY_MS) return false;
    known.toldAt = now;
    return true;
  }

  /** Remembers that a caller's valid token arrived from this network. */
  right(network: string, caller: string): void {
    const key = pairKey(network, caller);
    if (this.#proven.has(key)) return;
    this.#proven.add(key);
    forgetOldest(this.#proven, MAX_PROVEN);
  }

  #countOf({ count, at }: WrongTokens): number {
    return Math.max(0, count - (this.#now() - at) / FORGIVE_MS);
  }
}

function pairKey(network: string, caller: string): string {
  return `${network} ${caller}`;
}

/** Compares with a secret. Digests of equal length are compared, so that the time taken reveals nothing about it. */
export function isSameSecret(one: string | Uint8Array, other: string | Uint8Array): boolean {
  return timingSafeEqual(hash('sha256', one, 'buffer'), hash('sha256', other, 'buffer'));
}
