/** Signs people in at an OpenID Connect provider: the way there, the way back, and the command line's session. */
import { randomBytes, hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { timeText } from '../../net/time.ts';
import { SignInFailure, type SignInFailureCode } from '../../people/oidc.ts';
import {
  grantFor,
  type OidcSettings,
  type SignInSettings,
  subjectOf,
} from '../../people/sign-in-settings.ts';
import { commonProblems } from '../answer-schemas.ts';
import type { HttpDependencies } from '../dependencies.ts';
import { isSameSecret } from '../auth.ts';
import { HttpProblem } from '../http-problem.ts';
import {
  FLOW_MS,
  openCookieSession,
  openHeaderSession,
  type PeopleDesk,
  requireSignIn,
  type WaitingCommand,
} from '../people-desk.ts';
import { type App, networkOf } from '../request-context.ts';
import { cookieHeader, cookieOf, protectionOf } from '../session-cookies.ts';
import { refuseForgedSignIn, callerAnswer, TokenAnswerSchema } from './sign-in.ts';

const CALLBACK = '/v1/sign-in/oidc/callback';

const secret43 = z.string().regex(/^[\w-]{43}$/, 'must be 43 characters of base64url');

const BeginQuery = z.strictObject({
  port: z.coerce
    .number()
    .pipe(z.int().min(1).max(65_535))
    .optional()
    .describe('Port of loopback at which a command line waits; with challenge and state'),
  challenge: secret43.optional().describe('SHA-256 of its secret, base64url'),
  state: secret43.optional().describe('Returned to it unchanged'),
});

const RedeemBody = z.strictObject({ code: secret43, verifier: secret43 });

const MOVED = {
  303: z.undefined().describe('To the provider, or back to the page or the command line'),
};

/** The settings of a daemon with a provider. */
interface ProviderSettings {
  readonly settings: SignInSettings;
  readonly oidc: OidcSettings;
  readonly publicUrl: string;
}

export function registerOidcSignIn(app: App, deps: HttpDependencies, desk: PeopleDesk): void {
  const provider = (): ProviderSettings => {
    const settings = requireSignIn(deps);
    const { oidc, publicUrl } = settings;
    if (oidc !== undefined && publicUrl !== undefined) return { settings, oidc, publicUrl };
    throw new HttpProblem(409, 'No OpenID Connect provider is configured (http.auth.sign_in.oidc)', {
      reason: 'not_configured',
    });
  };

  /** Sends the browser back with the reason why it is not signed in; only the log says more. */
  const giveUp = (
    request: FastifyRequest,
    reply: FastifyReply,
    failure: unknown,
    command: WaitingCommand | undefined,
  ): FastifyReply => {
    if (!(failure instanceof SignInFailure)) throw failure;
    const { code, message } = failure;
    deps.logger.warn(
      { request_id: request.id, from: networkOf(request), code, why: message },
      'sign-in failed',
    );
    return reply.redirect(
      command === undefined ? pageWith(code) : commandAddress(command, { error: code }),
      303,
    );
  };

  app.get(
    '/v1/sign-in/oidc',
    {
      config: { access: 'public', scoped: 'same' },
      exposeHeadRoute: false,
      schema: {
        tags: ['people'],
        summary: 'Sign in at the OpenID Connect provider; for browsers',
        querystring: BeginQuery,
        response: { ...MOVED, ...commonProblems },
      },
    },
    async (request, reply) => {
      const { oidc, publicUrl } = provider();
      refuseOtherAddress(request, publicUrl);
      refuseSilentRequests(request);
      const kind = protectionOf(request.raw, publicUrl);
      const command = commandOf(request.query);
      const browser = randomText();
      const flow = { nonce: randomText(), verifier: randomText() };
      const started = { flow, settings: oidc, browser, kind, ...(command === undefined ? {} : { command }) };
      const state = desk.flows.put(started, networkOf(request));
      try {
        const to = await desk.oidc.begin(oidc, publicUrl + CALLBACK, flow, state);
        reply.header('set-cookie', cookieHeader('flow', kind, browser, FLOW_MS / 1000));
        return reply.redirect(to.href, 303);
      } catch (error) {
        desk.flows.take(state);
        return giveUp(request, reply, error, command);
      }
    },
  );

  app.get(
    CALLBACK,
    {
      config: { access: 'public', scoped: 'same' },
      exposeHeadRoute: false,
      schema: {
        tags: ['people'],
        summary: 'Come back from the OpenID Connect provider; for browsers',
        querystring: z.looseObject({ state: z.string().max(256).optional() }),
        response: { ...MOVED, ...commonProblems },
      },
    },
    async (request, reply) => {
      const { settings, oidc, publicUrl } = provider();
      const state = request.query.state ?? '';
      const started = desk.flows.take(state);
      const cookie = cookieOf(request.raw, 'flow');
      if (cookie !== undefined) reply.header('set-cookie', cookieHeader('flow', cookie.kind, ''));
      const isSameBrowser = started?.kind === cookie?.kind && sameText(started?.browser, cookie?.value);
      if (started === undefined || !isSameBrowser || !isSameProvider(started.settings, oidc)) {
        const why = 'the way back is too late, was taken before, or began in another browser';
        return giveUp(request, reply, new SignInFailure('expired', why), undefined);
      }
      const { command, flow, kind } = started;
      try {
        const identity = await desk.oidc.finish(oidc, new URL(request.url, publicUrl), flow, state);
        const grant = grantFor(settings, identity);
        if (grant === undefined) {
          const { issuer, subject } = subjectOf(identity);
          const why = `${subject} of ${issuer} has no role: no value of http.auth.sign_in.oidc.grants is in the claim ${oidc.roleClaim}`;
          throw new SignInFailure('no_role', why);
        }
        if (command === undefined) {
          openCookieSession(desk, deps, request, reply, identity, grant, kind);
          return reply.redirect('/', 303);
        }
        const code = desk.codes.put({ identity, challenge: command.challenge }, networkOf(request));
        return reply.redirect(commandAddress(command, { code }), 303);
      } catch (error) {
        return giveUp(request, reply, error, command);
      }
    },
  );

  app.post(
    '/v1/sign-in/oidc/token',
    {
      config: { access: 'public', scoped: 'same' },
      schema: {
        tags: ['people'],
        summary: 'Get the session of a command line, for the code that its browser brought',
        body: RedeemBody,
        response: { 200: TokenAnswerSchema, ...commonProblems },
      },
    },
    async (request) => {
      const { settings, publicUrl } = provider();
      refuseForgedSignIn(request, deps);
      protectionOf(request.raw, publicUrl);
      const { code, verifier } = request.body;
      const proven = desk.codes.take(code);
      const grant = proven === undefined ? undefined : grantFor(settings, proven.identity);
      const challenge = hash('sha256', verifier, 'base64url');
      if (proven === undefined || grant === undefined || !sameText(challenge, proven.challenge)) {
        throw new HttpProblem(
          401,
          'This code is not valid: it is too old, or was used before; sign in again',
          {
            reason: 'code_invalid',
          },
        );
      }
      const { identity } = proven;
      const person = subjectOf(identity);
      return {
        ...callerAnswer({ name: identity.name, ...grant, person }),
        ends_at: timeText(deps.clock() + settings.absoluteSeconds * 1000),
        token: openHeaderSession(desk, deps, request, identity, grant),
      };
    },
  );
}

/**
 * Refuses to begin under another address than the one to which the provider sends people back: the cookie would not come
 * along. A proxy that does not pass `Host` on would also make a distant browser look like one of this machine.
 */
function refuseOtherAddress(request: FastifyRequest, publicUrl: string): void {
  if (request.headers.host === new URL(publicUrl).host) return;
  const detail = `Sign in under ${publicUrl} (http.auth.sign_in.public_url); a proxy must pass Host on`;
  throw new HttpProblem(403, detail, { reason: 'other_address' });
}

/** Refuses what a page sends in the background, such as an image: only a person's own way there begins a sign-in. */
function refuseSilentRequests(request: FastifyRequest): void {
  const mode = request.headers['sec-fetch-mode'];
  if (mode === undefined || mode === 'navigate') return;
  throw new HttpProblem(403, 'Open this address in the browser to sign in', { reason: 'cross_site' });
}

/** The page, which shows the reason. The target is fixed: nothing in a request can lead elsewhere. */
function pageWith(code: SignInFailureCode): string {
  return `/#sign-in=${code}`;
}

/** Returns the address at which a command line waits: always at loopback. */
function commandAddress({ port, state }: WaitingCommand, result: Readonly<Record<string, string>>): string {
  return `http://127.0.0.1:${port}/?${new URLSearchParams({ ...result, state }).toString()}`;
}

function commandOf({ port, challenge, state }: z.output<typeof BeginQuery>): WaitingCommand | undefined {
  if (port === undefined && challenge === undefined && state === undefined) return undefined;
  if (port !== undefined && challenge !== undefined && state !== undefined) return { port, challenge, state };
  throw new HttpProblem(400, 'port, challenge and state belong together');
}

function isSameProvider(one: OidcSettings, other: OidcSettings): boolean {
  return one.issuer === other.issuer && one.clientId === other.clientId;
}

function randomText(): string {
  return randomBytes(32).toString('base64url');
}

function sameText(one: string | undefined, other: string | undefined): boolean {
  return one !== undefined && other !== undefined && isSameSecret(one, other);
}
