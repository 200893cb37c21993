/** Providers for tests, on loopback: the certified one, and one that does wrong on demand. */
import { createHash, generateKeyPairSync, type KeyPairKeyObjectResult as KeyPair, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import { request } from 'undici';

export interface TestProvider {
  readonly issuer: string;
  close(): Promise<void>;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closing(server: Server): () => Promise<void> {
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

/** People by their ids at the provider. */
export const ACCOUNTS: Readonly<Record<string, { readonly name: string; readonly groups: string[] }>> = {
  'sub-alice': { name: 'alice', groups: ['staff', 'noc'] },
  'sub-carol': { name: 'carol', groups: ['acme-noc'] },
  'sub-mallory': { name: 'mallory', groups: ['staff'] },
};

/** Runs oidc-provider; its own development pages ask for an account and a consent. */
export async function certifiedProvider(redirectUri: string): Promise<TestProvider> {
  const relay: { handler: (...args: Parameters<ReturnType<Provider['callback']>>) => unknown } = {
    handler: () => undefined,
  };
  const server = createServer((request, response) => void relay.handler(request, response));
  const issuer = await listening(server);
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'prefixd',
        client_secret: 'a-secret-of-the-test',
        redirect_uris: [redirectUri],
        response_types: ['code'],
        grant_types: ['authorization_code'],
      },
    ],
    claims: { openid: ['sub', 'groups', 'preferred_username'] },
    findAccount: (_context, id) => {
      const { name, groups } = ACCOUNTS[id] ?? { name: id, groups: [] };
      return { accountId: id, claims: () => ({ sub: id, preferred_username: name, groups }) };
    },
    cookies: { keys: ['only-for-tests'] },
    pkce: { required: () => true },
  });
  relay.handler = provider.callback();
  return { issuer, close: closing(server) };
}

/** What a wrong provider changes. */
export interface Wrongs {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Signs with a key that it does not publish, or not at all. */
  readonly signature?: 'foreign' | 'none';
  /** The `iss` in its redirect. */
  readonly iss?: string;
}

export interface WrongProvider extends TestProvider {
  /** Set by the test. */
  wrongs: Wrongs;
  /** Codes that were redeemed, with their verifiers. */
  readonly redeemed: { readonly code: string; readonly verifier: string }[];
  /** Returns the address to which it sends the browser back. */
  back(authorization: URL): URL;
}

/** Key pairs of the provider and of a stranger; making them takes long. */
const keys = ((): (() => { readonly own: KeyPair; readonly foreign: KeyPair }) => {
  let made: { readonly own: KeyPair; readonly foreign: KeyPair } | undefined;
  const pair = (): KeyPair => generateKeyPairSync('rsa', { modulusLength: 2048 });
  return () => {
    made ??= { own: pair(), foreign: pair() };
    return made;
  };
})();

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Runs a provider with just enough of the protocol, whose tokens may be wrong. `now`: seconds since the epoch. */
export async function wrongProvider(now: () => number): Promise<WrongProvider> {
  const { own, foreign } = keys();
  const jwk = { ...own.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
  const flows = new Map<string, { nonce: string; challenge: string }>();
  const redeemed: WrongProvider['redeemed'] = [];
  const made = { wrongs: {} as Wrongs };

  const token = (nonce: string): string => {
    const { header, claims, signature } = made.wrongs;
    const head = base64({ alg: 'RS256', kid: 'k1', typ: 'JWT', ...header });
    const at = Math.floor(now());
    const body = base64({
      iss: issuer,
      sub: 'sub-alice',
      aud: 'prefixd',
      iat: at,
      exp: at + 300,
      nonce,
      groups: ['noc'],
      preferred_username: 'alice',
      ...claims,
    });
    const signed = Buffer.from(`${head}.${body}`);
    if (signature === 'none') return `${head}.${body}.`;
    const key = signature === 'foreign' ? foreign.privateKey : own.privateKey;
    return `${head}.${body}.${sign('sha256', signed, key).toString('base64url')}`;
  };

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    switch (request.url) {
      case '/.well-known/openid-configuration':
        return {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/jwks`,
          id_token_signing_alg_values_supported: ['RS256', 'none'],
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          authorization_response_iss_parameter_supported: true,
        };
      case '/jwks':
        return { keys: [jwk] };
      case '/token': {
        let text = '';
        for await (const chunk of request) text += String(chunk);
        const form = new URLSearchParams(text);
        const code = form.get('code') ?? '';
        const verifier = form.get('code_verifier') ?? '';
        redeemed.push({ code, verifier });
        const flow = flows.get(code);
        flows.delete(code);
        const challenge = createHash('sha256').update(verifier).digest('base64url');
        if (flow?.challenge !== challenge) return undefined;
        return { access_token: 'at', token_type: 'Bearer', expires_in: 60, id_token: token(flow.nonce) };
      }
      default:
        return undefined;
    }
  };
  const server = createServer((request, response) => {
    void answer(request).then((body) => {
      response.writeHead(body === undefined ? 400 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body ?? { error: 'invalid_grant' }));
    });
  });
  const issuer = await listening(server);
  return Object.assign(made, {
    issuer,
    redeemed,
    close: closing(server),
    back: (authorization: URL): URL => {
      const asked = authorization.searchParams;
      const code = `code-${flows.size}-${redeemed.length}`;
      flows.set(code, { nonce: asked.get('nonce') ?? '', challenge: asked.get('code_challenge') ?? '' });
      const back = new URL(asked.get('redirect_uri') ?? '');
      back.searchParams.set('code', code);
      back.searchParams.set('state', asked.get('state') ?? '');
      back.searchParams.set('iss', made.wrongs.iss ?? issuer);
      return back;
    },
  });
}

async function requested(url: URL, init: RequestInit, headers: Headers): Promise<Response> {
  const { method = 'GET', body } = init;
  if (body instanceof URLSearchParams) headers.set('content-type', 'application/x-www-form-urlencoded');
  const text = body === undefined || body === null ? null : String(body);
  const answer = await request(url, {
    method: method === 'POST' ? 'POST' : 'GET',
    headers: Object.fromEntries(headers),
    body: text,
  });
  const taken = new Headers();
  for (const [name, values] of Object.entries(answer.headers)) {
    for (const value of [values ?? []].flat()) taken.append(name, value);
  }
  const content = await answer.body.text();
  return new Response(content === '' ? null : content, { status: answer.statusCode, headers: taken });
}

/** A browser as far as these tests need one: it keeps cookies by host and path, and follows redirects. */
export class TestBrowser {
  readonly #jar = new Map<string, { readonly value: string; readonly path: string }>();

  cookie(url: URL, name: string): string | undefined {
    return this.#jar.get(`${url.host} ${name}`)?.value;
  }

  /** Sends one request without following. */
  async send(url: URL, init: RequestInit = {}): Promise<Response> {
    const cookies = [...this.#jar]
      .filter(([key, { path }]) => key.startsWith(`${url.host} `) && url.pathname.startsWith(path))
      .map(([key, { value }]) => `${key.split(' ')[1]}=${value}`);
    const headers = new Headers(init.headers);
    if (cookies.length > 0) headers.set('cookie', cookies.join('; '));
    // As for an address that a person opens; Node's fetch would say `cors`.
    if (!headers.has('sec-fetch-mode')) headers.set('sec-fetch-mode', 'navigate');
    const response = await requested(url, init, headers);
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const [name = '', ...value] = pair.split('=');
      const path = attributes.find((one) => one.toLowerCase().startsWith('path='))?.slice(5) ?? '/';
      const key = `${url.host} ${name}`;
      const isGone = attributes.some((one) => /^(max-age=0|expires=thu, 01 jan 1970)/i.test(one));
      if (isGone) this.#jar.delete(key);
      else this.#jar.set(key, { value: value.join('='), path });
    }
    return response;
  }

  /** Follows redirects until one leads to `stop`, or there is a page. */
  async follow(url: URL, stop: (to: URL) => boolean): Promise<{ readonly at: URL; readonly page?: string }> {
    let at = url;
    for (let hops = 0; hops < 20; hops++) {
      if (stop(at)) return { at };
      const response = await this.send(at);
      const to = response.headers.get('location');
      if (to === null) return { at, page: await response.text() };
      at = new URL(to, at);
    }
    throw new Error(`too many redirects, the last to ${at.href}`);
  }
}
