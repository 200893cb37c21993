/** What signing people in needs, for the routes: sessions, the throttle, password checks, and the way to the provider. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { OidcClient, type OidcFlow } from '../people/oidc.ts';
import { OneTime } from '../people/one-time.ts';
import { PasswordChecks } from '../people/passwords.ts';
import { SessionStore } from '../people/sessions.ts';
import {
  type CurrentGrant,
  type Identity,
  type OidcSettings,
  type SignInSettings,
  subjectOf,
} from '../people/sign-in-settings.ts';
import { SignInThrottle } from '../people/sign-in-throttle.ts';
import { signInOf } from './auth.ts';
import type { HttpDependencies } from './dependencies.ts';
import { HttpProblem } from './http-problem.ts';
import { addressOf } from './request-context.ts';
import { presentedSecret } from './session-caller.ts';
import { type CookieKind, cookieHeader } from './session-cookies.ts';

/** Time for the way to the provider and back (ms): people look for their second factor. */
export const FLOW_MS = 600_000;
/** Time in which a command line redeems its code (ms). */
const CODE_MS = 60_000;

/** A command line that waits for its browser at a port of loopback. */
export interface WaitingCommand {
  readonly port: number;
  /** SHA-256 of a secret that only the command line has (RFC 7636 §4.2). */
  readonly challenge: string;
  /** Returned as it is, so that the command line knows its own request. */
  readonly state: string;
}

/** Somebody on the way to the provider. */
export interface StartedFlow {
  readonly flow: OidcFlow;
  readonly settings: OidcSettings;
  /** The value of the browser's cookie: nobody else may come back in its place. */
  readonly browser: string;
  readonly kind: CookieKind;
  readonly command?: WaitingCommand;
}

/** A person who has come back, and whose command line has not fetched the session yet. */
export interface ProvenPerson {
  readonly identity: Identity;
  readonly challenge: string;
}

export interface PeopleDesk {
  readonly sessions: SessionStore;
  readonly throttle: SignInThrottle;
  readonly passwords: PasswordChecks;
  readonly oidc: OidcClient;
  readonly flows: OneTime<StartedFlow>;
  readonly codes: OneTime<ProvenPerson>;
}

export function openDesk({
  clock,
  checkPassword,
}: Pick<HttpDependencies, 'clock' | 'checkPassword'>): PeopleDesk {
  return {
    sessions: new SessionStore({ now: clock }),
    throttle: new SignInThrottle(clock),
    passwords: new PasswordChecks(checkPassword),
    oidc: new OidcClient({ now: clock }),
    flows: new OneTime({ now: clock, lifetimeMs: FLOW_MS, most: 10_000, mostOfClient: 1_000 }),
    codes: new OneTime({ now: clock, lifetimeMs: CODE_MS, most: 10_000, mostOfClient: 1_000 }),
  };
}

/** Returns the settings for people, as they are now. Throws HttpProblem 409 if nobody can sign in. */
export function requireSignIn({ auth }: Pick<HttpDependencies, 'auth'>): SignInSettings {
  const settings = signInOf(auth());
  if (settings !== undefined) return settings;
  throw new HttpProblem(409, 'People cannot sign in here: http.auth.sign_in is not configured', {
    reason: 'not_configured',
  });
}

/** Begins a session of a command line; the secret is for its answer only. */
export function openHeaderSession(
  { sessions }: PeopleDesk,
  deps: Pick<HttpDependencies, 'clock' | 'onOperatorAction'>,
  request: FastifyRequest,
  identity: Identity,
  grant: CurrentGrant,
): string {
  record(deps, request, identity, 'person.signed_in', 'command line');
  return sessions.open(identity, grant, 'header');
}

/**
 * Begins a session of a browser, and sets its cookie. A session that the browser had before ends, so that a stranger who
 * had given it that one has nothing (session fixation).
 */
export function openCookieSession(
  { sessions }: PeopleDesk,
  deps: Pick<HttpDependencies, 'clock' | 'onOperatorAction'>,
  request: FastifyRequest,
  reply: FastifyReply,
  identity: Identity,
  grant: CurrentGrant,
  kind: CookieKind,
): void {
  const before = presentedSecret(request.raw);
  if (before !== undefined) sessions.close(before.secret, before.carrier);
  const secret = sessions.open(identity, grant, kind);
  reply.header('set-cookie', cookieHeader('session', kind, secret));
  record(deps, request, identity, 'person.signed_in', 'browser');
}

/** Records a sign-in or a sign-out in the audit log. */
export function record(
  { clock, onOperatorAction }: Pick<HttpDependencies, 'clock' | 'onOperatorAction'>,
  request: FastifyRequest,
  identity: Identity,
  type: 'person.signed_in' | 'person.signed_out',
  reason: string,
): void {
  const { name } = identity;
  const actor = {
    kind: 'operator' as const,
    name,
    ...subjectOf(identity),
    address: addressOf(request),
    requestId: request.id,
  };
  onOperatorAction({ type, at: clock(), actor, target: name, reason });
}
