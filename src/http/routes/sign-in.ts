/** Signs people in with a password, says who is signed in, and signs out. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ACTION_TYPES } from '../../core/action.ts';
import { NOBODYS_HASH, MAX_PASSWORD } from '../../people/passwords.ts';
import { endOfSession } from '../../people/sessions.ts';
import { grantFor, type Identity } from '../../people/sign-in-settings.ts';
import { timeText } from '../../net/time.ts';
import { ROLES } from '../../access/role.ts';
import { commonProblems } from '../answer-schemas.ts';
import { refuseForeignPages, signInOf } from '../auth.ts';
import type { Caller } from '../caller.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { HttpProblem } from '../http-problem.ts';
import {
  openCookieSession,
  openHeaderSession,
  type PeopleDesk,
  record,
  requireSignIn,
} from '../people-desk.ts';
import { type App, callerOf, networkOf } from '../request-context.ts';
import { presentedSecret, REQUEST_HEADER } from '../session-caller.ts';
import { cookieHeader, protectionOf } from '../session-cookies.ts';

const WaysSchema = z.object({
  password: z.boolean().describe('With a name and a password: `POST /v1/sign-in`'),
  oidc: z
    .string()
    .nullable()
    .describe('Address for the browser, if an OpenID Connect provider is configured'),
  token: z.boolean().describe('A bearer token is accepted, too'),
});

const SignInBody = z.strictObject({
  name: z.string().min(1).max(128),
  password: z.string().min(1).max(MAX_PASSWORD),
  session: z
    .enum(['cookie', 'token'])
    .default('cookie')
    .describe('`cookie`: for the browser; `token`: for a command line, as a bearer token in the answer'),
});

const names = z.array(z.string()).nullable();

export const CallerSchema = z.object({
  name: z.string(),
  role: z.enum(ROLES),
  scope: z
    .object({ customers: names, pops: names, actions: z.array(z.enum(ACTION_TYPES)).nullable() })
    .nullable()
    .describe('What the caller is limited to; null: to nothing'),
  issuer: z.string().nullable().describe('Who vouches for a person; null for a token or a certificate'),
  subject: z.string().nullable(),
  ends_at: z.iso.datetime().nullable().describe('When the session ends at the latest'),
});

/** Body of the answer to a command line. */
export const TokenAnswerSchema = CallerSchema.extend({
  token: z.string().nullable().describe('Bearer token of the session; null: it is in the cookie'),
});

type CallerAnswer = z.output<typeof CallerSchema>;

export function registerSignIn(app: App, deps: HttpDependencies, desk: PeopleDesk): void {
  app.get(
    '/v1/sign-in',
    {
      config: { access: 'public', scoped: 'same' },
      schema: {
        tags: ['people'],
        summary: 'Get the ways to sign in',
        response: { 200: WaysSchema, ...commonProblems },
      },
    },
    () => {
      const auth = deps.auth();
      const settings = signInOf(auth);
      return {
        password: (settings?.users.length ?? 0) > 0,
        oidc: settings?.oidc === undefined ? null : `${settings.publicUrl ?? ''}/v1/sign-in/oidc`,
        token: auth.mode === 'bearer' && auth.tokens.length > 0,
      };
    },
  );

  app.post(
    '/v1/sign-in',
    {
      config: { access: 'public', scoped: 'same' },
      schema: {
        tags: ['people'],
        summary: 'Sign in with a name and a password of the users file',
        description: `Needs the header \`${REQUEST_HEADER}\`. Failures are slowed down by name and by address (429).`,
        body: SignInBody,
        response: { 200: TokenAnswerSchema, ...commonProblems },
      },
    },
    async (request, reply) => {
      const settings = requireSignIn(deps);
      refuseForgedSignIn(request, deps);
      const kind = protectionOf(request.raw, settings.publicUrl);
      const { name, password, session } = request.body;
      await checkPerson(request, name, password);
      // The files may have been reloaded while the password was checked.
      const now = requireSignIn(deps);
      const identity: Identity = { kind: 'local', name };
      const grant = grantFor(now, identity);
      if (grant === undefined) throw wrongPassword();
      const answer = {
        ...callerAnswer({ name, ...grant, person: { issuer: 'local', subject: name } }),
        ends_at: timeText(deps.clock() + now.absoluteSeconds * 1000),
      };
      if (session === 'token') {
        return { ...answer, token: openHeaderSession(desk, deps, request, identity, grant) };
      }
      openCookieSession(desk, deps, request, reply, identity, grant, kind);
      return { ...answer, token: null };
    },
  );

  /** Checks a password. Throws HttpProblem 401, 429 or 503. Takes as long for a name that nobody has. */
  const checkPerson = async (request: FastifyRequest, name: string, password: string): Promise<void> => {
    const user = requireSignIn(deps).users.find((one) => one.name === name);
    const attempt = { name, network: networkOf(request) };
    const wait = desk.throttle.attempt(attempt);
    if (wait > 0) throw tooMany(wait);
    const isRight = await desk.passwords.check(password, user?.passwordHash ?? NOBODYS_HASH);
    if (isRight === undefined) {
      desk.throttle.forgive(attempt);
      throw new HttpProblem(503, 'Too many people sign in at once; try again', {
        headers: { 'retry-after': '5' },
      });
    }
    if (isRight && user !== undefined) {
      desk.throttle.succeeded(attempt);
      return;
    }
    // Names that nobody has are not logged: people type passwords into the wrong field.
    const known = user === undefined ? '(unknown)' : name;
    deps.logger.warn({ request_id: request.id, from: attempt.network, user: known }, 'sign-in failed');
    throw wrongPassword();
  };

  app.get(
    '/v1/me',
    {
      config: { access: 'any', scoped: 'same', essential: true },
      schema: {
        tags: ['people'],
        summary: 'Get who the caller is: name, role, scope',
        response: { 200: CallerSchema, ...commonProblems },
      },
    },
    (request) => {
      const settings = signInOf(deps.auth());
      const secret = presentedSecret(request.raw);
      const session =
        secret === undefined || settings === undefined
          ? undefined
          : desk.sessions.find(secret.secret, secret.carrier, settings, false);
      const ends = session === undefined || settings === undefined ? null : endOfSession(session, settings);
      return { ...callerAnswer(callerOf(request)), ends_at: ends === null ? null : timeText(ends) };
    },
  );

  app.post(
    '/v1/sign-out',
    {
      config: { access: 'any', scoped: 'same', essential: true },
      schema: {
        tags: ['people'],
        summary: 'Sign out: end the session that the request presents',
        response: { 204: z.undefined(), ...commonProblems },
      },
    },
    async (request, reply) => {
      const secret = presentedSecret(request.raw);
      const session = secret === undefined ? undefined : desk.sessions.close(secret.secret, secret.carrier);
      if (session === undefined) {
        throw new HttpProblem(
          409,
          'The request presents no session; tokens and certificates cannot sign out',
        );
      }
      record(deps, request, session.identity, 'person.signed_out', 'signed out');
      const { carrier } = session;
      if (carrier !== 'header') reply.header('set-cookie', cookieHeader('session', carrier, ''));
      return reply.code(204).send();
    },
  );
}

/**
 * Refuses what a page of another origin may have sent: it could sign the browser in as somebody else, whose name people
 * then act under. Throws HttpProblem 403.
 */
export function refuseForgedSignIn(request: FastifyRequest, { auth }: Pick<HttpDependencies, 'auth'>): void {
  refuseForeignPages(request.raw, auth().mode);
  const site = request.headers['sec-fetch-site'];
  if (request.headers[REQUEST_HEADER] !== undefined && (site === undefined || site === 'same-origin')) return;
  throw new HttpProblem(403, `Signing in needs the header ${REQUEST_HEADER}`, { reason: 'cross_site' });
}

/** Returns a caller in the form of the API. */
export function callerAnswer({
  name,
  role,
  scope,
  person,
}: Pick<Caller, 'name' | 'role' | 'scope' | 'person'>): CallerAnswer {
  const { customers, pops, actions } = scope ?? {};
  return {
    name,
    role,
    scope:
      scope === undefined
        ? null
        : {
            customers: customers === undefined ? null : [...customers],
            pops: pops === undefined ? null : [...pops],
            actions: actions === undefined ? null : [...actions],
          },
    issuer: person?.issuer ?? null,
    subject: person?.subject ?? null,
    ends_at: null,
  };
}

function wrongPassword(): HttpProblem {
  return new HttpProblem(401, 'Wrong name or password', {
    reason: 'wrong_password',
    headers: { 'www-authenticate': 'Bearer realm="prefixd"' },
  });
}

function tooMany(waitMs: number): HttpProblem {
  const seconds = Math.ceil(waitMs / 1000);
  return new HttpProblem(429, `Too many failed attempts to sign in; try again in ${seconds} s`, {
    reason: 'throttled',
    headers: { 'retry-after': String(seconds) },
  });
}
