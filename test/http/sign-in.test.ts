import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AuthSettings } from '../../src/http/dependencies.ts';
import type { LocalUser, SignInSettings } from '../../src/people/sign-in-settings.ts';
import { api, MITIGATION_ID, mitigation, TOKENS } from './support.ts';

const ALICE: LocalUser = { name: 'alice', role: 'operator', passwordHash: 'hash of wonderland' };
const BOB: LocalUser = { name: 'bob', role: 'viewer', passwordHash: 'hash of builder' };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const ORIGIN = 'https://prefixd.example';
/** What a browser sends with a request of the page itself, through a TLS proxy. */
const PAGE = { host: 'prefixd.example', origin: ORIGIN, 'x-prefixd-request': '1' };

function settingsOf(users: readonly LocalUser[]): SignInSettings {
  return { publicUrl: ORIGIN, users, idleSeconds: 3600, absoluteSeconds: 12 * 3600 };
}

/** An API at which Alice and Bob may sign in; hashes are `hash of <password>`. */
async function people(users: readonly LocalUser[] = [ALICE, BOB]) {
  const auth: { current: AuthSettings } = {
    current: { mode: 'bearer', tokens: TOKENS, signIn: settingsOf(users) },
  };
  const checked: string[] = [];
  const made = await api({
    auth: () => auth.current,
    checkPassword: async (password, hash) => {
      checked.push(hash);
      return hash === `hash of ${password}`;
    },
  });
  const signIn = (name: string, password: string, headers: Record<string, string> = {}, session = 'cookie') =>
    made.app.inject({
      method: 'POST',
      url: '/v1/sign-in',
      headers: { ...PAGE, ...headers },
      payload: { name, password, session },
      remoteAddress: headers.address ?? '192.0.2.1',
    });
  const reload = (next: readonly LocalUser[]) => {
    auth.current = { mode: 'bearer', tokens: TOKENS, signIn: settingsOf(next) };
  };
  /** Signs in, and returns the Cookie header of the browser. */
  const cookieOf = async (name = 'alice', password = 'wonderland', headers = {}): Promise<string> => {
    const answer = await signIn(name, password, headers);
    assert.equal(answer.statusCode, 200, answer.body);
    return String(answer.headers['set-cookie']).split(';')[0] ?? '';
  };
  const me = (cookie: string, headers: Record<string, string> = PAGE) =>
    made.app.inject({ url: '/v1/me', headers: { ...headers, cookie } });
  return Object.assign(made, { signIn, reload, cookieOf, me, checked, auth });
}

describe('signing in with a password', () => {
  it('begins a session whose cookie scripts, other sites and plain HTTP cannot get at', async () => {
    const { signIn, me } = await people();
    const answer = await signIn('alice', 'wonderland');
    const cookie = String(answer.headers['set-cookie']);
    assert.match(
      cookie,
      /^__Host-prefixd-session=pxs_[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    assert.equal(answer.json().token, null);
    const caller = (await me(cookie.split(';')[0] ?? '')).json();
    assert.deepEqual(
      [caller.name, caller.role, caller.issuer, caller.subject, caller.scope],
      ['alice', 'operator', 'local', 'alice', null],
    );
  });

  it('answers a wrong password, an unknown name and an empty file alike, after the same work', async () => {
    const { signIn, checked } = await people();
    const answers = [await signIn('alice', 'guess'), await signIn('nobody', 'wonderland')];
    for (const answer of answers) {
      assert.equal(answer.statusCode, 401);
      assert.equal(answer.json().reason, 'wrong_password');
      assert.equal(answer.headers['set-cookie'], undefined);
    }
    assert.equal(answers[0]?.json().detail, answers[1]?.json().detail);
    assert.equal(checked.length, 2);
  });

  it('does not log names that nobody has: people type passwords there', async () => {
    const { signIn, log } = await people();
    await signIn('my secret passphrase', 'x');
    await signIn('alice', 'hunter2');
    const text = JSON.stringify(log.lines);
    assert.doesNotMatch(text, /passphrase|hunter2/);
    assert.match(text, /"user":"alice"/);
  });

  it('is recorded with issuer and subject, and so is what follows', async () => {
    const { app, actions, engine, cookieOf } = await people();
    const cookie = await cookieOf();
    const [opened] = actions;
    assert.equal(opened?.type, 'person.signed_in');
    assert.deepEqual([opened.actor.issuer, opened.actor.subject], ['local', 'alice']);
    engine.answer = () => ({ type: 'done', affected: [] });
    const payload = { operator_id: 'somebody else', reason: 'maintenance' };
    const headers = { ...PAGE, cookie };
    await app.inject({ method: 'POST', url: '/v1/control/pause', headers, payload });
    const [command] = engine.commands;
    assert.ok(command?.type === 'pause');
    const { name, via, issuer, subject } = command.actor;
    assert.deepEqual([name, via, issuer, subject], ['alice', undefined, 'local', 'alice']);
  });

  it('is refused over plain HTTP, except at loopback, where the cookie has no Secure', async () => {
    const { signIn, me, app } = await people();
    const far = await signIn('alice', 'wonderland', { host: 'prefixd.lan', origin: 'http://prefixd.lan' });
    assert.equal(far.statusCode, 403);
    assert.equal(far.json().reason, 'not_encrypted');
    const local = { host: '127.0.0.1:8080', origin: 'http://127.0.0.1:8080', 'x-prefixd-request': '1' };
    const near = await signIn('alice', 'wonderland', { ...local, address: '127.0.0.1' });
    const cookie = String(near.headers['set-cookie']);
    assert.match(cookie, /^prefixd-session=pxs_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
    const pair = cookie.split(';')[0] ?? '';
    assert.equal((await me(pair, local)).statusCode, 200);
    // From anywhere else the cookie without a prefix is not looked at: another host of the domain may have set it.
    const far2 = await app.inject({
      url: '/v1/me',
      headers: { ...PAGE, cookie: pair },
      remoteAddress: '192.0.2.1',
    });
    assert.equal(far2.statusCode, 401);
    assert.equal((await me(pair.replace('prefixd-session', '__Host-prefixd-session'))).statusCode, 401);
  });

  it('never takes over a session that the browser had before (fixation)', async () => {
    const { signIn, me, cookieOf } = await people();
    const planted = '__Host-prefixd-session=pxs_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';
    const answer = await signIn('alice', 'wonderland', { cookie: planted });
    assert.equal(answer.statusCode, 200);
    assert.equal((await me(planted)).statusCode, 401);
    // A session that a stranger really had, as bob, ends when alice signs in on top of it.
    const bobs = await cookieOf('bob', 'builder');
    const alices = await cookieOf('alice', 'wonderland', { cookie: bobs });
    assert.notEqual(alices, bobs);
    assert.equal((await me(bobs)).statusCode, 401);
    assert.equal((await me(alices)).json().name, 'alice');
  });

  it('wants the page itself, so that no other page signs the browser in as somebody else', async () => {
    const { signIn } = await people();
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      assert.equal((await signIn('alice', 'wonderland', headers)).statusCode, 403, JSON.stringify(headers));
    }
  });

  it('is off until it is configured', async () => {
    const { app } = await api();
    const ways = (await app.inject({ url: '/v1/sign-in' })).json();
    assert.deepEqual(ways, { password: false, oidc: null, token: true });
    const payload = { name: 'alice', password: 'x' };
    const answer = await app.inject({ method: 'POST', url: '/v1/sign-in', headers: PAGE, payload });
    assert.equal(answer.statusCode, 409);
  });
});

describe("a session's cookie", () => {
  it('is worth nothing without the header and the origin of the page (CSRF)', async () => {
    const { app, engine, cookieOf } = await people();
    engine.record({ type: 'mitigation.created', mitigation: mitigation() });
    const cookie = await cookieOf();
    const url = `/v1/mitigations/${MITIGATION_ID}/withdraw`;
    const payload = { operator_id: 'x', reason: 'x' };
    const { host, origin } = PAGE;
    for (const headers of [
      { host, origin },
      { host, 'x-prefixd-request': '1' },
      { host, origin: 'https://evil.example', 'x-prefixd-request': '1' },
      { host, origin: 'null', 'x-prefixd-request': '1' },
      { host, origin: 'http://prefixd.example', 'x-prefixd-request': '1' },
      { ...PAGE, 'sec-fetch-site': 'same-site' },
    ]) {
      const answer = await app.inject({ method: 'POST', url, headers: { ...headers, cookie }, payload });
      assert.equal(answer.statusCode, 403, JSON.stringify(headers));
      const read = await app.inject({
        url: '/v1/mitigations',
        headers: { ...headers, cookie, 'sec-fetch-site': 'cross-site' },
      });
      assert.equal(read.statusCode, 403);
    }
    assert.equal(engine.commands.length, 0);
  });

  it('is no bearer token, and a bearer session is no cookie', async () => {
    const { app, signIn, cookieOf, me } = await people();
    const secret = (await cookieOf()).split('=')[1] ?? '';
    const asBearer = await app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${secret}` } });
    assert.equal(asBearer.statusCode, 401);
    const { token } = (await signIn('alice', 'wonderland', {}, 'token')).json();
    assert.match(token, /^pxs_/);
    const withToken = await app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${token}` } });
    assert.equal(withToken.json().name, 'alice');
    assert.equal((await me(`__Host-prefixd-session=${token}`)).statusCode, 401);
  });

  it('is refused when it is hostile: twice, empty, long, or with odd characters', async () => {
    const { me, cookieOf } = await people();
    const good = await cookieOf();
    const other = '__Host-prefixd-session=pxs_BBBB';
    for (const cookie of [
      `${good}; ${other}`,
      `${other}; ${good}`,
      '__Host-prefixd-session=',
      `__Host-prefixd-session=${'a'.repeat(5000)}`,
      '__Host-prefixd-session=__proto__',
      '__Host-prefixd-session="pxs_x"',
      good.replace('__Host-', '__host-'),
      `x=y;${'='.repeat(100)};;; =`,
    ]) {
      assert.equal((await me(cookie)).statusCode, 401, cookie.slice(0, 80));
    }
    assert.equal((await me(`theme=dark; ${good}; lang=en`)).statusCode, 200);
  });
});

describe('a session ends', () => {
  it('at sign-out, for good (replay)', async () => {
    const { app, me, cookieOf, actions } = await people();
    const cookie = await cookieOf();
    const out = await app.inject({ method: 'POST', url: '/v1/sign-out', headers: { ...PAGE, cookie } });
    assert.equal(out.statusCode, 204);
    assert.match(String(out.headers['set-cookie']), /^__Host-prefixd-session=; .*Max-Age=0/);
    const after = await me(cookie);
    assert.equal(after.statusCode, 401);
    assert.equal(after.json().reason, 'session_ended');
    assert.equal(actions.at(-1)?.type, 'person.signed_out');
  });

  it('when nobody has used it for an hour; a page that nobody touches does not use it', async () => {
    const made = await people();
    const [used, left] = [await made.cookieOf(), await made.cookieOf()];
    for (let minute = 0; minute < 120; minute += 30) {
      made.now += 30 * MINUTE;
      assert.equal((await made.me(used)).statusCode, 200);
      const background = await made.me(left, { ...PAGE, 'x-prefixd-request': 'background' });
      assert.equal(background.statusCode, minute === 0 ? 200 : 401, `after ${minute + 30} min`);
    }
  });

  it('after twelve hours, however busy it is', async () => {
    const made = await people();
    const cookie = await made.cookieOf();
    for (let minutes = 30; minutes < 12 * 60; minutes += 30) {
      made.now += 30 * MINUTE;
      assert.equal((await made.me(cookie)).statusCode, 200, `after ${minutes} min`);
    }
    made.now += 30 * MINUTE;
    assert.equal((await made.me(cookie)).statusCode, 401);
  });

  it('when the role, the scope or the password changes, or the person is removed', async () => {
    for (const change of [
      [{ ...ALICE, role: 'viewer' as const }, BOB],
      [{ ...ALICE, scope: { customers: ['acme'] } }, BOB],
      [{ ...ALICE, passwordHash: 'hash of other' }, BOB],
      [BOB],
    ]) {
      const { me, cookieOf, reload } = await people();
      const [alices, bobs] = [await cookieOf(), await cookieOf('bob', 'builder')];
      reload(change);
      assert.equal((await me(alices)).statusCode, 401);
      assert.equal((await me(bobs)).statusCode, 200);
      // It does not come back when the change is undone.
      reload([ALICE, BOB]);
      assert.equal((await me(alices)).statusCode, 401);
    }
  });

  it('but not at a reload that changes nothing about the person', async () => {
    const { me, cookieOf, reload } = await people();
    const cookie = await cookieOf();
    reload([{ ...ALICE }, { ...BOB, role: 'admin' }]);
    assert.equal((await me(cookie)).statusCode, 200);
  });

  it('when it is the oldest of more than twenty of one person', async () => {
    const made = await people();
    const first = await made.cookieOf();
    const others: string[] = [];
    for (let n = 0; n < 20; n++) others.push(await made.cookieOf());
    assert.equal((await made.me(first)).statusCode, 401);
    assert.equal((await made.me(others[0] ?? '')).statusCode, 200);
  });
});

describe('guessing passwords', () => {
  it('is slowed down for the name, from wherever it comes, whether or not anybody has it', async () => {
    for (const name of ['alice', 'nobody']) {
      const { signIn, checked } = await people();
      for (let n = 0; n < 5; n++) {
        assert.equal((await signIn(name, 'guess', { address: `192.0.2.${n}` })).statusCode, 401);
      }
      const next = await signIn(name, 'wonderland', { address: '192.0.2.99' });
      assert.equal(next.statusCode, 429);
      assert.ok(Number(next.headers['retry-after']) >= 1);
      assert.equal(checked.length, 5);
    }
  });

  it('is slowed down for the address, whatever the names', async () => {
    const { signIn } = await people();
    for (let n = 0; n < 20; n++) assert.equal((await signIn(`user${n}`, 'guess')).statusCode, 401);
    assert.equal((await signIn('bob', 'builder')).statusCode, 429);
    assert.equal((await signIn('bob', 'builder', { address: '192.0.2.2' })).statusCode, 200);
  });

  it('does not lock out whom it is about, from where that person has signed in before', async () => {
    const made = await people();
    await made.cookieOf('alice', 'wonderland', { address: '198.51.100.1' });
    for (let n = 0; n < 30; n++) await made.signIn('alice', 'guess', { address: `192.0.2.${n}` });
    assert.equal((await made.signIn('alice', 'wonderland', { address: '192.0.2.99' })).statusCode, 429);
    assert.equal((await made.signIn('alice', 'wonderland', { address: '198.51.100.1' })).statusCode, 200);
  });

  it('is forgiven in time', async () => {
    const made = await people();
    for (let n = 0; n < 8; n++) await made.signIn('alice', 'guess');
    assert.equal((await made.signIn('alice', 'wonderland')).statusCode, 429);
    made.now += HOUR;
    assert.equal((await made.signIn('alice', 'wonderland')).statusCode, 200);
  });
});
