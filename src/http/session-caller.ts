/** Finds the person behind a request: by the cookie of a browser, or by the header of a command line. */
import type { IncomingMessage } from 'node:http';
import {
  SECRET_PREFIX,
  type SecretCarrier,
  type PersonSession,
  type SessionStore,
} from '../people/sessions.ts';
import type { SignInSettings } from '../people/sign-in-settings.ts';
import type { Caller } from './caller.ts';
import { HttpProblem } from './http-problem.ts';
import { cookieOf } from './session-cookies.ts';

/**
 * The header that requests with a session's cookie must have. A page of another origin cannot send it without asking
 * first (CORS), which is never granted. `background`: nobody is at work, so the session may end for want of use.
 */
export const REQUEST_HEADER = 'x-prefixd-request';

/** A session's secret, as a request presents it. */
export interface PresentedSecret {
  readonly secret: string;
  readonly carrier: SecretCarrier;
}

/** Returns the request's session secret; undefined if it presents none. A header takes precedence over cookies. */
export function presentedSecret(request: IncomingMessage): PresentedSecret | undefined {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const [, secret] = /^Bearer +([\x21-\x7e]+) *$/i.exec(authorization) ?? [];
    return secret?.startsWith(SECRET_PREFIX) === true ? { secret, carrier: 'header' } : undefined;
  }
  const cookie = cookieOf(request, 'session');
  return cookie === undefined ? undefined : { secret: cookie.value, carrier: cookie.kind };
}

/**
 * Returns the caller of a presented session. Throws HttpProblem 401 if the session has ended, and 403 for a request that
 * a page of another origin may have caused.
 */
export function callerOfSession(
  request: IncomingMessage,
  { secret, carrier }: PresentedSecret,
  settings: SignInSettings | undefined,
  sessions: SessionStore | undefined,
  isPassive: boolean,
): Caller {
  if (carrier !== 'header') refuseForgery(request, carrier);
  const isUse = !isPassive && request.headers[REQUEST_HEADER] !== 'background';
  const session = sessions?.find(secret, carrier, settings, isUse);
  if (session === undefined) {
    throw new HttpProblem(401, 'The session has ended; sign in again', {
      reason: 'session_ended',
      headers: { 'www-authenticate': 'Bearer realm="prefixd", error="invalid_token"' },
    });
  }
  return callerFor(session);
}

function callerFor({ identity, grant, person }: PersonSession): Caller {
  const { role, scope } = grant;
  return { name: identity.name, role, ...(scope === undefined ? {} : { scope }), person };
}

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE: readonly unknown[] = ['GET', 'HEAD', 'OPTIONS'];

/** Refuses what a page of another origin may have sent with the browser's cookie. Throws HttpProblem 403. */
function refuseForgery({ headers, method }: IncomingMessage, carrier: SecretCarrier): void {
  const { origin, host } = headers;
  const scheme = carrier === 'cookie' ? 'https' : 'http';
  const isOwn = origin === `${scheme}://${host}`;
  const site = headers['sec-fetch-site'];
  const isForeign = site !== undefined && site !== 'same-origin';
  if (
    headers[REQUEST_HEADER] === undefined ||
    isForeign ||
    (origin === undefined ? !SAFE.includes(method) : !isOwn)
  ) {
    throw new HttpProblem(
      403,
      `A request with a session's cookie needs the page's own Origin and ${REQUEST_HEADER}`,
      {
        reason: 'cross_site',
      },
    );
  }
}
