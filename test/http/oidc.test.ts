import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createServer as createSocket } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { AuthSettings, HttpDependencies } from '../../src/http/dependencies.ts';
import { createServer } from '../../src/http/server.ts';
import type { OidcSettings } from '../../src/people/sign-in-settings.ts';
import { certifiedProvider, TestBrowser, type Wrongs, wrongProvider } from '../people/oidc-rig.ts';
import { plainRequest } from './sockets.ts';
import { TOKENS, world } from './support.ts';

const GRANTS: OidcSettings['grants'] = [
  { value: 'noc', role: 'operator' },
  { value: 'acme-noc', role: 'operator', scope: { customers: ['acme'] } },
];

function asRecord(value: unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(Object(value)));
}

/** Returns a port that is free now. */
async function freePort(): Promise<number> {
  const server = createSocket();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A daemon's API at loopback, at which people of a provider sign in. */
async function serve(
  t: TestContext,
  port: number,
  oidc: Partial<OidcSettings> & { issuer: string },
  clock?: () => number,
) {
  const base = new URL(`http://127.0.0.1:${port}`);
  const signIn = {
    publicUrl: base.origin,
    users: [],
    idleSeconds: 3600,
    absoluteSeconds: 43_200,
    oidc: {
      clientId: 'prefixd',
      clientSecret: 'a-secret-of-the-test',
      scopes: ['profile'],
      roleClaim: 'groups',
      nameClaim: 'preferred_username',
      grants: GRANTS,
      ...oidc,
    },
  };
  const auth: { current: AuthSettings } = { current: { mode: 'bearer', tokens: TOKENS, signIn } };
  const changes: Partial<HttpDependencies> = { auth: () => auth.current, clock: clock ?? Date.now };
  const made = await world(changes);
  const server = await createServer(made.deps);
  await server.listen({ host: '127.0.0.1', port });
  t.after(() => server.close(0));
  const me = async (browser: TestBrowser) => {
    const response = await browser.send(new URL('/v1/me', base), { headers: { 'x-prefixd-request': '1' } });
    const body = asRecord(await response.json());
    return { status: response.status, body };
  };
  return { ...made, base, me, auth, signIn, begin: new URL('/v1/sign-in/oidc', base) };
}

/** Fills in the pages of oidc-provider: the account, then the consent. Returns where the browser is sent then. */
async function consent(
  browser: TestBrowser,
  from: URL,
  account: string,
  stop: (to: URL) => boolean,
): Promise<URL> {
  let { at, page } = await browser.follow(from, stop);
  for (let n = 0; n < 3 && page !== undefined; n++) {
    const action = /action="([^"]+)"/.exec(page)?.[1] ?? '';
    const form = new URLSearchParams({
      prompt: /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? '',
      login: account,
      password: 'any',
    });
    const to = new URL(action, at);
    const response = await browser.send(to, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
    });
    const next = new URL(response.headers.get('location') ?? '', to);
    ({ at, page } = await browser.follow(next, stop));
  }
  return at;
}

describe('signing in at the certified provider', () => {
  async function certified(t: TestContext) {
    const port = await freePort();
    const provider = await certifiedProvider(`http://127.0.0.1:${port}/v1/sign-in/oidc/callback`);
    t.after(() => provider.close());
    const made = await serve(t, port, { issuer: provider.issuer });
    const atHome = (to: URL) => to.host === made.base.host && !to.pathname.startsWith('/v1/sign-in');
    const enter = async (account: string) => {
      const browser = new TestBrowser();
      const at = await consent(browser, made.begin, account, atHome);
      return { browser, at };
    };
    return { ...made, enter };
  }

  it('gives the role of the first matching group, and records issuer and subject', async (t) => {
    const { enter, me, actions, signIn } = await certified(t);
    const { browser, at } = await enter('sub-alice');
    assert.equal(at.pathname + at.hash, '/');
    const { status, body } = await me(browser);
    assert.equal(status, 200);
    assert.deepEqual(
      [body.name, body.role, body.issuer, body.subject],
      ['alice', 'operator', signIn.oidc.issuer, 'sub-alice'],
    );
    const [opened] = actions;
    assert.deepEqual([opened?.type, opened?.actor.subject], ['person.signed_in', 'sub-alice']);
  });

  it('gives the scope of a group, and nothing without one', async (t) => {
    const { enter, me } = await certified(t);
    const carol = await enter('sub-carol');
    assert.deepEqual((await me(carol.browser)).body.scope, {
      customers: ['acme'],
      pops: null,
      actions: null,
    });
    const mallory = await enter('sub-mallory');
    assert.equal(mallory.at.hash, '#sign-in=no_role');
    assert.equal((await me(mallory.browser)).status, 401);
  });

  it('begins when a person opens the address, and for nothing that a page sends in the background', async (t) => {
    const port = await freePort();
    const { begin } = await serve(t, port, { issuer: 'http://127.0.0.1:1' });
    for (const mode of ['no-cors', 'cors']) {
      const answer = await new TestBrowser().send(begin, { headers: { 'sec-fetch-mode': mode } });
      assert.equal(answer.status, 403, mode);
      assert.equal(asRecord(await answer.json()).reason, 'cross_site');
    }
    assert.equal((await new TestBrowser().send(begin)).status, 303);
  });

  it('ends the session when a reload takes the group, or the provider, away', async (t) => {
    const { enter, me, auth, signIn } = await certified(t);
    for (const oidc of [
      { ...signIn.oidc, grants: GRANTS.slice(1) },
      { ...signIn.oidc, issuer: 'https://other.example' },
    ]) {
      const { browser } = await enter('sub-alice');
      assert.equal((await me(browser)).status, 200);
      auth.current = { mode: 'bearer', tokens: TOKENS, signIn: { ...signIn, oidc } };
      assert.equal((await me(browser)).status, 401);
      auth.current = { mode: 'bearer', tokens: TOKENS, signIn };
    }
  });

  it('lets a command line in through its browser, once for each code, and only that command line', async (t) => {
    const { begin, base } = await certified(t);
    const verifier = randomBytes(32).toString('base64url');
    const challenge = createHash('sha256').update(verifier).digest('base64url');
    const state = randomBytes(32).toString('base64url');
    const url = new URL(begin);
    url.search = new URLSearchParams({ port: '45678', challenge, state }).toString();
    const at = await consent(new TestBrowser(), url, 'sub-alice', (to) => to.port === '45678');
    assert.equal(at.origin, 'http://127.0.0.1:45678');
    assert.equal(at.searchParams.get('state'), state);
    const code = at.searchParams.get('code') ?? '';
    const redeem = (body: object) =>
      fetch(new URL('/v1/sign-in/oidc/token', base), {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-prefixd-request': '1' },
        body: JSON.stringify(body),
      });
    const answer = await redeem({ code, verifier });
    assert.equal(answer.status, 200);
    const { token, name } = asRecord(await answer.json());
    assert.equal(name, 'alice');
    const mine = await fetch(new URL('/v1/me', base), { headers: { authorization: `Bearer ${token}` } });
    assert.equal(asRecord(await mine.json()).subject, 'sub-alice');
    assert.equal((await redeem({ code, verifier })).status, 401);
    assert.equal((await redeem({ code, verifier: randomBytes(32).toString('base64url') })).status, 401);
  });
});

describe('a provider, or somebody in its place, that does wrong', () => {
  const HOUR_S = 3600;

  async function wrong(t: TestContext, clock?: () => number) {
    const now = () => (clock ?? Date.now)() / 1000;
    const provider = await wrongProvider(now);
    t.after(() => provider.close());
    const made = await serve(t, await freePort(), { issuer: provider.issuer }, clock);
    /** Goes to the provider and returns, with the address changed on the way. */
    const enter = async (wrongs: Wrongs, change: (back: URL) => URL = (back) => back) => {
      provider.wrongs = wrongs;
      const browser = new TestBrowser();
      const there = await browser.follow(made.begin, (to) => to.origin === provider.issuer);
      const back = change(provider.back(there.at));
      const { at } = await browser.follow(back, (to) => !to.pathname.startsWith('/v1/sign-in'));
      return { browser, at, back, there: there.at };
    };
    return { ...made, provider, enter };
  }

  it('lets nobody in with a token that is not signed by it, for this client, for this sign-in, and now', async (t) => {
    const { enter, me, log } = await wrong(t);
    const good = await enter({});
    assert.equal(good.at.hash, '');
    assert.equal((await me(good.browser)).status, 200);
    const at = Math.floor(Date.now() / 1000);
    for (const [what, wrongs] of Object.entries<Wrongs>({
      'alg none': { header: { alg: 'none' }, signature: 'none' },
      'alg none with a signature': { header: { alg: 'none' } },
      'a signature left out': { signature: 'none' },
      'the signature of a stranger': { signature: 'foreign' },
      'a symmetric alg': { header: { alg: 'HS256' } },
      'another nonce': { claims: { nonce: 'other' } },
      'no nonce': { claims: { nonce: undefined } },
      'another audience': { claims: { aud: 'other' } },
      'several audiences without the authorized party': {
        claims: { aud: ['prefixd', 'other'], azp: 'other' },
      },
      'another issuer': { claims: { iss: 'https://other.example' } },
      'another issuer in the redirect': { iss: 'https://other.example' },
      'a time that is over': { claims: { iat: at - 2 * HOUR_S, exp: at - HOUR_S } },
      'a time that has not begun': { claims: { nbf: at + HOUR_S } },
      'no end': { claims: { exp: undefined } },
      'no subject': { claims: { sub: undefined } },
    })) {
      const { browser, at: end } = await enter(wrongs);
      assert.equal(end.pathname + end.search, '/', what);
      assert.match(end.hash, /^#sign-in=(failed|denied)$/, what);
      assert.equal((await me(browser)).status, 401, what);
    }
    assert.doesNotMatch(JSON.stringify(log.lines), /code-\d|a-secret-of-the-test|eyJ/);
  });

  it('is judged by the clock of this daemon, with half a minute of difference', async (t) => {
    const at = Math.floor(Date.now() / 1000);
    const claims = { iat: at, nbf: at, exp: at + 300 };
    for (const [aheadSeconds, isIn] of [
      [0, true],
      [320, true],
      [340, false],
      [-20, true],
      [-60, false],
    ] as const) {
      const { enter, me } = await wrong(t, () => Date.now() + aheadSeconds * 1000);
      const { browser } = await enter({ claims });
      assert.equal((await me(browser)).status === 200, isIn, `${aheadSeconds} s ahead`);
    }
  });

  it('cannot be answered twice, late, or by another browser', async (t) => {
    const made = await wrong(t);
    const { enter, base } = made;
    const { browser, back } = await enter({});
    const again = await browser.follow(back, (to) => !to.pathname.startsWith('/v1/sign-in'));
    assert.equal(again.at.hash, '#sign-in=expired');
    // Somebody gives the way back of an own sign-in to another browser (login CSRF).
    const victim = new TestBrowser();
    made.provider.wrongs = {};
    const attacker = new TestBrowser();
    const there = await attacker.follow(made.begin, (to) => to.origin === made.provider.issuer);
    const given = await victim.follow(
      made.provider.back(there.at),
      (to) => !to.pathname.startsWith('/v1/sign-in'),
    );
    assert.equal(given.at.hash, '#sign-in=expired');
    assert.equal((await made.me(victim)).status, 401);
    // A state that nobody was given, and several of them.
    for (const search of [
      '?code=x&state=AAAA',
      '?code=x',
      '?state=a&state=b&code=x',
      `?state=${'a'.repeat(300)}`,
    ]) {
      const response = await victim.send(new URL(`/v1/sign-in/oidc/callback${search}`, base));
      assert.ok([303, 400].includes(response.status), search);
      assert.equal(response.headers.get('location') ?? '/#sign-in=expired', '/#sign-in=expired');
    }
  });

  it('says why it sends somebody back', async (t) => {
    const { enter } = await wrong(t);
    const denied = await enter({}, (back) => {
      back.searchParams.delete('code');
      back.searchParams.set('error', 'access_denied');
      return back;
    });
    assert.equal(denied.at.hash, '#sign-in=denied');
  });

  it('gets PKCE, state and nonce of its own for each sign-in', async (t) => {
    const { enter, provider } = await wrong(t);
    const seen = [await enter({}), await enter({})].map(({ there }) => there.searchParams);
    for (const name of ['state', 'nonce', 'code_challenge']) {
      assert.notEqual(seen[0]?.get(name), seen[1]?.get(name));
      assert.match(seen[0]?.get(name) ?? '', /^[\w-]{43}$/);
    }
    assert.equal(seen[0]?.get('code_challenge_method'), 'S256');
    assert.equal(new Set(provider.redeemed.map(({ verifier }) => verifier)).size, 2);
  });

  it('cannot lead anywhere else, nor can anybody who asks (open redirect)', async (t) => {
    const { begin, base } = await wrong(t);
    const browser = new TestBrowser();
    const evil = 'https://evil.example';
    for (const search of [
      `?return_to=${evil}`,
      `?redirect_uri=${evil}`,
      '?port=1&challenge=x&state=y',
      '?port=80@evil.example',
      `?port=${evil}`,
    ]) {
      const response = await browser.send(new URL(begin.pathname + search, base));
      assert.equal(response.status, 400, search);
    }
    for (const path of [
      `/v1/sign-in/oidc/callback?return_to=${evil}&state=x&code=y`,
      '/v1/sign-in/oidc/callback?error=x&error_uri=https://evil.example',
    ]) {
      const response = await browser.send(new URL(path, base));
      assert.equal(response.headers.get('location'), '/#sign-in=expired');
    }
  });

  it('is begun under the address to which it sends people back, and no other', async (t) => {
    const { base } = await wrong(t);
    for (const host of [`localhost:${base.port}`, 'prefixd.example', `127.0.0.1:${Number(base.port) + 1}`]) {
      const { status, body } = await plainRequest(Number(base.port), '/v1/sign-in/oidc', { host });
      assert.equal(status, 403, host);
      assert.equal(JSON.parse(body).reason, 'other_address');
    }
  });

  it('is unavailable without harm, and asked again by the next person', async (t) => {
    const port = await freePort();
    const gone = `http://127.0.0.1:${await freePort()}`;
    const { begin, log } = await serve(t, port, { issuer: gone });
    for (let n = 0; n < 2; n++) {
      const { at } = await new TestBrowser().follow(begin, (to) => to.pathname === '/');
      assert.equal(at.hash, '#sign-in=unavailable');
    }
    assert.equal(log.lines.filter(({ message }) => message === 'sign-in failed').length, 2);
  });
});
