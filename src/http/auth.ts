/** Who is calling, and what that caller may do. */
import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { HoldMode } from '../core/types.ts';
import { parseAddress } from '../net/prefix.ts';
import { forgetOldest } from '../net/queue.ts';
import { isLoopbackAddress } from '../net/special-addresses.ts';
import type { AuthSettings, Role } from './dependencies.ts';
import { HttpProblem } from './http-problem.ts';

/**
 * What a route asks of its caller. `public`: nothing; `any`: to be known; `report`: to hand in events and signals; `read`;
 * `operate`: to change what routers hold; `admin`: to reload.
 */
export type Access = 'public' | 'any' | 'report' | 'read' | 'operate' | 'admin';

/** A caller who proved to be who they are. */
export interface Caller {
  /** Name of the token, the certificate's CN, or `anonymous`. */
  readonly name: string;
  readonly role: Role;
  /** How mitigations that it reports are held, where its token says so. */
  readonly hold?: HoldMode;
}

const GRANTS: Readonly<Record<Role, ReadonlySet<Access>>> = {
  detector: new Set<Access>(['public', 'any', 'report']),
  viewer: new Set<Access>(['public', 'any', 'read']),
  operator: new Set<Access>(['public', 'any', 'report', 'read', 'operate']),
  admin: new Set<Access>(['public', 'any', 'report', 'read', 'operate', 'admin']),
};

/** True when a role may use a route. */
export function allows(role: Role, access: Access): boolean {
  return GRANTS[role].has(access);
}

/** A bearer token was presented, and it is nobody's. */
export class UnknownToken extends HttpProblem {}

/** Finds the caller of a request, or throws HttpProblem 401 (unknown) or 403 (known, but not welcome). */
export type Authenticator = (request: IncomingMessage) => Caller;

/** An authenticator for the settings of the moment: `settings` is asked at each call, so that tokens can be rotated. */
export function createAuthenticator(settings: () => AuthSettings): Authenticator {
  let known: AuthSettings | undefined;
  let authenticate: Authenticator = () => ({ name: 'anonymous', role: 'admin' });
  return (request) => {
    const current = settings();
    if (current !== known) {
      authenticate = authenticatorFor(current);
      known = current;
    }
    return authenticate(request);
  };
}

function authenticatorFor(settings: AuthSettings): Authenticator {
  switch (settings.mode) {
    case 'none':
      return () => ({ name: 'anonymous', role: 'admin' });
    case 'bearer':
      return bearer(settings.tokens.map(({ token, ...caller }) => ({ caller, digest: digest(token) })));
    case 'mtls':
      return (request) => byCertificate(request, settings.roles);
  }
}

const digest = (token: string): Buffer => hash('sha256', token, 'buffer');

interface KnownToken {
  readonly caller: Caller;
  readonly digest: Buffer;
}

/** Compares digests of equal length with every token, so that the time taken says nothing about any of them. */
function bearer(tokens: readonly KnownToken[]): Authenticator {
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
      throw new UnknownToken(401, 'The bearer token is not known', {
        headers: { 'www-authenticate': 'Bearer realm="prefixd", error="invalid_token"' },
      });
    }
    return caller;
  };
}

function unauthorized(detail: string, challenge: string): HttpProblem {
  return new HttpProblem(401, detail, { headers: { 'www-authenticate': challenge } });
}

/** Longer names are remembered nowhere: with rate limits, events and audit entries. */
const MAX_NAME = 256;

/** The listener has verified the certificate against the CA before any request is read. */
function byCertificate(request: IncomingMessage, roles: ReadonlyMap<string, Role> | null): Caller {
  const socket = request.socket;
  if (!(socket instanceof TLSSocket) || !socket.authorized) {
    throw unauthorized('A client certificate is required', 'mTLS realm="prefixd"');
  }
  // Without any certificate Node answers an empty object, whatever its types say.
  const subject: { readonly CN?: unknown } | undefined = socket.getPeerCertificate().subject;
  const name = subject?.CN;
  if (typeof name !== 'string' || name === '') {
    throw new HttpProblem(403, 'The client certificate must name exactly one CN in its subject');
  }
  if (name.length > MAX_NAME)
    throw new HttpProblem(403, `The CN of a client certificate has at most ${MAX_NAME} characters here`);
  if (roles === null) return { name, role: 'admin' };
  const role = roles.get(name);
  if (role === undefined)
    throw new HttpProblem(403, 'http.auth.roles gives no role to the CN of this certificate');
  return { name, role };
}

/** Refuses a request that names two hosts (RFC 9112 §3.2): who reads the one may be let in by the other. Throws HttpProblem 400. */
export function refuseTwoHosts({ rawHeaders }: IncomingMessage): void {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === 'host') hosts++;
  if (hosts > 1) throw new HttpProblem(400, 'The request has more than one Host header');
}

/**
 * Keeps other web pages away from an API without credentials. A page that the operator's browser visits could otherwise
 * send commands to it (cross-site requests), or read it under a name of its own (DNS rebinding). Throws HttpProblem 403.
 */
export function refuseForeignPages(request: IncomingMessage, mode: AuthSettings['mode']): void {
  const { origin, host } = request.headers;
  if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
    throw new HttpProblem(403, 'Requests from pages of other origins are refused');
  }
  if (mode !== 'none' || host === undefined || !isLoopback(request.socket.localAddress)) return;
  const name = host.replace(/:\d+$/, '');
  if (name !== 'localhost' && !/^[\d.]+$|^\[[\da-fA-F:.]+\]$/.test(name)) {
    throw new HttpProblem(403, 'Without authentication, call prefixd by its address or as localhost');
  }
}

function isLoopback(address: string | undefined): boolean {
  const octets = parseAddress(address ?? '');
  return octets !== undefined && isLoopbackAddress(octets);
}

// Slows the guessing of bearer tokens. Once a network has presented too many that are not known, what it presents is answered
// late, a right token as late as a wrong one: hanging up early tells a guesser nothing. A token that was used from the same
// network before is answered at once, so that a detector behind the same NAT is never locked out, and a new one only waits.

/** Networks whose wrong tokens are counted, and pairs of network and caller that are remembered; the oldest go first. */
const MAX_NETWORKS = 4_096;
const MAX_PROVEN = 4_096;
/** Wrong tokens that cost nothing: a typing error, a script with an old token. */
const FREE = 10;
/** One wrong token is forgiven in this time (ms). */
const FORGIVE_MS = 30_000;
/** The first delay, doubled with each further wrong token up to the last (ms). */
const FIRST_DELAY_MS = 250;
export const MAX_DELAY_MS = 5_000;
/** Wrong tokens beyond this count no further, so that what has stopped is forgiven within the hour. */
const MAX_COUNT = 100;
/** That a network guesses is told once in this time (ms). */
const TELL_EVERY_MS = 600_000;

interface WrongTokens {
  /** Those that are not forgiven, as of `at`. */
  count: number;
  at: number;
  toldAt: number;
}

export class Guesses {
  readonly #now: () => number;
  readonly #networks = new Map<string, WrongTokens>();
  readonly #proven = new Set<string>();

  /** `now`: milliseconds from any beginning, that never go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How long (ms) the answer to a token from this network waits; `caller` is whose token it is, null when it is nobody's. */
  delayOf(network: string, caller: string | null): number {
    if (caller !== null && this.#proven.has(pairKey(network, caller))) return 0;
    const record = this.#networks.get(network);
    if (record === undefined) return 0;
    const beyond = Math.ceil(this.#countOf(record)) - FREE;
    return beyond < 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(beyond, 10));
  }

  /** Takes note of a token that nobody has. True when it is time to tell that this network guesses. */
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

  /** A caller's token came from this network. */
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
