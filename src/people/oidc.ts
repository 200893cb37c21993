/**
 * Signs people in at an OpenID Connect provider: authorization code with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).
 * The library is loaded when the first person signs in, because a start must not wait for it.
 */
import { readFile } from 'node:fs/promises';
import { asError, errorText } from '../net/text.ts';
import type { Identity, OidcSettings } from './sign-in-settings.ts';

type OidcLibrary = typeof import('openid-client');
type OidcConfiguration = Awaited<ReturnType<OidcLibrary['discovery']>>;

/** As the library calls it. */
type OidcFetch = (
  url: string,
  options: {
    readonly body?: unknown;
    readonly headers: Record<string, string>;
    readonly method: string;
    readonly signal?: AbortSignal;
  },
) => Promise<Response>;

/** What is remembered between the way to the provider and the way back. */
export interface OidcFlow {
  readonly nonce: string;
  readonly verifier: string;
}

/** Sign-in failed. `code` is for the person, the message for the log. */
export class SignInFailure extends Error {
  override readonly name = 'SignInFailure';
  readonly code: SignInFailureCode;

  constructor(code: SignInFailureCode, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * `denied`: by the provider; `expired`: it took too long, or began in another browser; `no_role`: nobody gave this person
 * a role; `unavailable`: the provider does not answer; `failed`: its answer is not valid.
 */
export type SignInFailureCode = 'denied' | 'expired' | 'no_role' | 'unavailable' | 'failed';

export interface OidcOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Time after which the provider's metadata are read again (ms). */
const METADATA_MS = 3_600_000;
/** Time for one request to the provider (s), and the longest answer (bytes). */
const TIMEOUT_SECONDS = 10;
const MAX_ANSWER_BYTES = 1024 * 1024;
/** How far the provider's clock may differ (s). */
const CLOCK_TOLERANCE_SECONDS = 30;
const MAX_NAME = 128;

export class OidcClient {
  readonly #now: () => number;
  #known:
    | { readonly settings: OidcSettings; readonly at: number; readonly made: Promise<ProviderConnection> }
    | undefined;

  constructor({ now }: OidcOptions) {
    this.#now = now;
  }

  /** Returns the address to which the browser is sent. Rejects with SignInFailure. */
  async begin(
    settings: OidcSettings,
    redirectUri: string,
    { nonce, verifier }: OidcFlow,
    state: string,
  ): Promise<URL> {
    const { library, configuration } = await this.#session(settings);
    return library.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: [...new Set(['openid', ...settings.scopes])].join(' '),
      response_type: 'code',
      state,
      nonce,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    });
  }

  /**
   * Returns who has come back from the provider with this address. Rejects with SignInFailure unless its state, issuer,
   * code, and the ID token's signature, issuer, audience, nonce and times are right.
   */
  async finish(
    settings: OidcSettings,
    currentUrl: URL,
    { nonce, verifier }: OidcFlow,
    state: string,
  ): Promise<Identity> {
    const { library, configuration } = await this.#session(settings);
    try {
      const tokens = await library.authorizationCodeGrant(configuration, currentUrl, {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new SignInFailure('failed', 'the provider sent no ID token');
      const isThere = claimAt(claims, settings.roleClaim) !== undefined;
      const more = isThere
        ? {}
        : await library
            .fetchUserInfo(configuration, tokens.access_token, claims.sub)
            .catch((error: unknown) => {
              throw new SignInFailure('failed', `the provider's user info: ${reasonOf(error)}`);
            });
      return identityOf(settings, claims.sub, { ...more, ...claims });
    } catch (error) {
      if (error instanceof SignInFailure) throw error;
      const code = isDenial(error) ? 'denied' : 'failed';
      throw new SignInFailure(code, reasonOf(error));
    }
  }

  #session(settings: OidcSettings): Promise<ProviderConnection> {
    const known = this.#known;
    if (known?.settings === settings && this.#now() - known.at < METADATA_MS) return known.made;
    const made = connect(settings, this.#now).catch((error: unknown) => {
      // The next person tries again.
      if (this.#known?.made === made) this.#known = undefined;
      throw new SignInFailure('unavailable', `${settings.issuer}: ${reasonOf(error)}`);
    });
    this.#known = { settings, at: this.#now(), made };
    return made;
  }
}

/** The library with the provider's metadata. */
interface ProviderConnection {
  readonly library: OidcLibrary;
  readonly configuration: OidcConfiguration;
}

async function connect(settings: OidcSettings, now: () => number): Promise<ProviderConnection> {
  const library = await import('openid-client');
  const { issuer, clientId, clientSecret, caPath } = settings;
  const server = new URL(issuer);
  const configuration = await library.discovery(
    server,
    clientId,
    {
      ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
      // Times in ID tokens are compared with this daemon's clock.
      [library.clockSkew]: Math.round((now() - Date.now()) / 1000),
      [library.clockTolerance]: CLOCK_TOLERANCE_SECONDS,
    },
    clientAuthentication(library, clientSecret),
    {
      timeout: TIMEOUT_SECONDS,
      [library.customFetch]: await fetchThrough(caPath),
      // `check` allows http only for a provider on this machine.
      ...(server.protocol === 'http:' ? { execute: [library.allowInsecureRequests] } : {}),
    },
  );
  // Without it the library trusts TLS alone for ID tokens from the token endpoint (Core §3.1.3.7, 6).
  library.enableNonRepudiationChecks(configuration);
  return { library, configuration };
}

/** Sends the secret as the provider wants it: HTTP Basic, which is the usual way, or in the body. */
function clientAuthentication(
  library: OidcLibrary,
  secret: string | undefined,
): ReturnType<OidcLibrary['None']> {
  if (secret === undefined) return library.None();
  const [basic, post] = [library.ClientSecretBasic(secret), library.ClientSecretPost(secret)];
  return (server, client, body, headers) => {
    const ways = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const way = ways.includes('client_secret_basic') || !ways.includes('client_secret_post') ? basic : post;
    return way(server, client, body, headers);
  };
}

/** Returns a fetch without redirects, with a limit on answers, and with the CA of the settings. */
async function fetchThrough(caPath: string | undefined): Promise<OidcFetch> {
  const { Agent, request } = await import('undici');
  const ca = caPath === undefined ? undefined : await readFile(caPath);
  const dispatcher = new Agent({
    connect: { timeout: TIMEOUT_SECONDS * 1000, ...(ca === undefined ? {} : { ca }) },
    keepAliveTimeout: 1_000,
    maxResponseSize: MAX_ANSWER_BYTES,
  });
  return async (url, { method, headers, body, signal }) => {
    const sent = body instanceof URLSearchParams ? body.toString() : typeof body === 'string' ? body : null;
    const answer = await request(url, {
      method: method === 'POST' ? 'POST' : 'GET',
      headers,
      body: sent,
      dispatcher,
      ...(signal === undefined ? {} : { signal }),
    });
    const bytes = await answer.body.arrayBuffer();
    const received = new Headers();
    for (const [name, value] of Object.entries(answer.headers)) {
      for (const one of [value ?? []].flat()) received.append(name, one);
    }
    const content = bytes.byteLength === 0 ? null : bytes;
    return new Response(content, { status: answer.statusCode, headers: received });
  };
}

function identityOf(
  { issuer, clientId, roleClaim, nameClaim, grants }: OidcSettings,
  subject: string,
  claims: Readonly<Record<string, unknown>>,
): Identity {
  const claimed = [claimAt(claims, roleClaim)].flat().filter((value) => typeof value === 'string');
  // Only those that mean something here: some providers list thousands of groups.
  const values = grants.map(({ value }) => value).filter((value) => claimed.includes(value));
  const name = claimAt(claims, nameClaim);
  return {
    kind: 'oidc',
    issuer,
    clientId,
    subject,
    name: plainName(typeof name === 'string' ? name : '') || plainName(subject),
    values: [...new Set(values)],
  };
}

/** Returns a claim by its name, or if there is none, by a path with dots, such as `realm_access.roles`. */
function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  return name.split('.').reduce<unknown>((here, key) => {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, key)) return undefined;
    return Reflect.get(here, key);
  }, claims);
}

/** Makes a name safe for logs and tables. */
function plainName(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '')
    .trim()
    .slice(0, MAX_NAME);
}

function isDenial(error: unknown): boolean {
  return asError(error).name === 'AuthorizationResponseError';
}

/** Describes an error with its causes; the library's own messages contain no codes or tokens. */
function reasonOf(error: unknown): string {
  const lines: string[] = [];
  for (let one: unknown = error; one instanceof Error && lines.length < 4; one = one.cause) {
    const code: unknown = Reflect.get(one, 'code');
    const kind: unknown = Reflect.get(one, 'error');
    const notes = [code, kind].filter((note) => typeof note === 'string' && note !== '');
    lines.push(notes.length === 0 ? one.message : `${one.message} (${notes.join(', ')})`);
  }
  return lines.length === 0 ? errorText(error) : lines.join(': ');
}
