/**
 * The cookies of people who sign in with a browser. Over HTTPS their names begin with `__Host-`, so that no other host, and
 * no page over plain HTTP, can set them (RFC 6265bis §4.1.3). Over plain HTTP a browser may refuse such cookies, so at
 * loopback, where nobody listens in between, the names are plain; anywhere else nobody can sign in.
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { isLoopbackText } from '../net/special-addresses.ts';
import { HttpProblem } from './http-problem.ts';

/** How a browser's cookies are protected. */
export type CookieKind = 'cookie' | 'loopback-cookie';

/** `session`: of somebody who has signed in; `flow`: of somebody on the way to the provider and back. */
export type CookieUse = 'session' | 'flow';

const NAMES: Readonly<Record<CookieUse, Readonly<Record<CookieKind, string>>>> = {
  session: { cookie: '__Host-prefixd-session', 'loopback-cookie': 'prefixd-session' },
  flow: { cookie: '__Host-prefixd-flow', 'loopback-cookie': 'prefixd-flow' },
};

/** The way back from the provider comes from another site, so its cookie cannot be strict. */
const SAME_SITE: Readonly<Record<CookieUse, string>> = { session: 'Strict', flow: 'Lax' };

/** Returns the header that sets a cookie; an empty value deletes it. */
export function cookieHeader(
  use: CookieUse,
  kind: CookieKind,
  value: string,
  maxAgeSeconds?: number,
): string {
  const attributes = [
    `${NAMES[use][kind]}=${value}`,
    'Path=/',
    'HttpOnly',
    ...(kind === 'cookie' ? ['Secure'] : []),
    `SameSite=${SAME_SITE[use]}`,
    ...(value === '' ? ['Max-Age=0'] : []),
    ...(value === '' || maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
  ];
  return attributes.join('; ');
}

/** A cookie of ours, as a request has it. */
export interface PresentedCookie {
  readonly kind: CookieKind;
  readonly value: string;
}

/**
 * Returns the request's cookie; undefined if it has none. If it has two of one name, a stranger may have set one of them,
 * so neither counts.
 */
export function cookieOf(request: IncomingMessage, use: CookieUse): PresentedCookie | undefined {
  const kinds: readonly CookieKind[] = isPlainLoopback(request) ? ['cookie', 'loopback-cookie'] : ['cookie'];
  for (const kind of kinds) {
    const [value, ...others] = valuesOf(request.headers.cookie ?? '', NAMES[use][kind]);
    if (value !== undefined && others.length === 0) return { kind, value };
  }
  return undefined;
}

function valuesOf(header: string, name: string): readonly string[] {
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
    .filter((value) => /^[\w-]{1,128}$/.test(value));
}

/**
 * Returns how cookies for this browser, or secrets for this command line, are protected on their way: by TLS here, by TLS
 * of a proxy in front, or by being at loopback. Throws HttpProblem 403 if they are not.
 */
export function protectionOf(request: IncomingMessage, publicUrl: string | undefined): CookieKind {
  const { origin, host } = request.headers;
  if (request.socket instanceof TLSSocket) return 'cookie';
  if (host !== undefined && origin === `https://${host}`) return 'cookie';
  if (publicUrl?.startsWith('https://') && publicUrl === `https://${host}`) return 'cookie';
  if (isPlainLoopback(request)) return 'loopback-cookie';
  throw new HttpProblem(
    403,
    'Sign in over HTTPS: over plain HTTP, others could read the password and the session (http.tls, or a proxy and http.auth.sign_in.public_url)',
    { reason: 'not_encrypted' },
  );
}

/** Returns true if a request came over plain HTTP from this machine, to a name of this machine. */
function isPlainLoopback({ socket, headers }: IncomingMessage): boolean {
  if (socket instanceof TLSSocket || !isLoopbackText(socket.remoteAddress)) return false;
  const name = (headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isLoopbackText(name);
}
