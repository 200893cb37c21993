import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OneTime } from '../../src/people/one-time.ts';
import { MAX_SESSIONS, SessionStore } from '../../src/people/sessions.ts';
import { grantFor, type Identity, type SignInSettings } from '../../src/people/sign-in-settings.ts';
import { MAX_DELAY_MS, SignInThrottle } from '../../src/people/sign-in-throttle.ts';

const SETTINGS: SignInSettings = {
  users: Array.from({ length: MAX_SESSIONS + 1 }, (_, n) => ({
    name: `user${n}`,
    role: 'viewer',
    passwordHash: 'x',
  })),
  idleSeconds: 60,
  absoluteSeconds: 600,
};

const person = (n: number): Identity => ({ kind: 'local', name: `user${n}` });

function granted(identity: Identity, settings = SETTINGS) {
  const grant = grantFor(settings, identity);
  assert.ok(grant !== undefined);
  return grant;
}

describe('sessions', () => {
  it('are bounded: the one that was not used for longest makes room', () => {
    const store = new SessionStore({ now: () => 0 });
    const secrets = SETTINGS.users.map((_, n) => store.open(person(n), granted(person(n)), 'cookie'));
    assert.equal(store.size, MAX_SESSIONS);
    assert.equal(store.find(secrets[0] ?? '', 'cookie', SETTINGS, true), undefined);
    assert.ok(store.find(secrets[1] ?? '', 'cookie', SETTINGS, true));
    store.open(person(0), granted(person(0)), 'cookie');
    assert.ok(store.find(secrets[1] ?? '', 'cookie', SETTINGS, true));
    assert.equal(store.find(secrets[2] ?? '', 'cookie', SETTINGS, true), undefined);
  });

  it('have secrets that are never the same', () => {
    const store = new SessionStore({ now: () => 0 });
    const secrets = new Set(
      Array.from({ length: 50 }, () => store.open(person(1), granted(person(1)), 'header')),
    );
    assert.equal(secrets.size, 50);
  });

  it('are those of nobody for a secret of another form', () => {
    const store = new SessionStore({ now: () => 0 });
    const secret = store.open(person(1), granted(person(1)), 'cookie');
    for (const wrong of ['', secret.slice(0, -1), `${secret}x`, secret.toUpperCase(), '__proto__']) {
      assert.equal(store.find(wrong, 'cookie', SETTINGS, true), undefined);
    }
    for (const carrier of ['header', 'loopback-cookie'] as const) {
      assert.equal(store.find(secret, carrier, SETTINGS, true), undefined);
      assert.equal(store.close(secret, carrier), undefined);
    }
    assert.ok(store.close(secret, 'cookie'));
  });

  it('end when nobody can sign in any more', () => {
    const store = new SessionStore({ now: () => 0 });
    const secret = store.open(person(1), granted(person(1)), 'cookie');
    assert.equal(store.find(secret, 'cookie', undefined, true), undefined);
    assert.equal(store.find(secret, 'cookie', SETTINGS, true), undefined);
  });
});

describe('the grant of a person', () => {
  const alice: Identity = {
    kind: 'oidc',
    issuer: 'https://login.example',
    clientId: 'prefixd',
    subject: '1',
    name: 'alice',
    values: ['noc', 'staff'],
  };
  const oidc = {
    issuer: 'https://login.example',
    clientId: 'prefixd',
    scopes: [],
    roleClaim: 'groups',
    nameClaim: 'name',
    grants: [
      { value: 'staff', role: 'viewer' as const },
      { value: 'noc', role: 'admin' as const },
    ],
  };

  it('is that of the first value in the order of the file', () => {
    assert.equal(grantFor({ ...SETTINGS, oidc }, alice)?.role, 'viewer');
    const grants = oidc.grants.toReversed();
    assert.equal(grantFor({ ...SETTINGS, oidc: { ...oidc, grants } }, alice)?.role, 'admin');
  });

  it('ends sessions when a stricter grant is put first, though the person had no value of it before', () => {
    const store = new SessionStore({ now: () => 0 });
    const known: Identity = { ...alice, values: ['noc'] };
    const before = { ...SETTINGS, oidc: { ...oidc, grants: oidc.grants.slice(1) } };
    const secret = store.open(known, granted(known, before), 'cookie');
    assert.ok(store.find(secret, 'cookie', { ...before, oidc: { ...before.oidc } }, true));
    const grants = [{ value: 'contractor', role: 'viewer' as const }, ...before.oidc.grants];
    const after = { ...before, oidc: { ...oidc, grants } };
    assert.equal(store.find(secret, 'cookie', after, true), undefined);
  });

  it('is none at another provider, for another client, and without a value', () => {
    for (const change of [{ issuer: 'https://other.example' }, { clientId: 'other' }, { grants: [] }]) {
      assert.equal(grantFor({ ...SETTINGS, oidc: { ...oidc, ...change } }, alice), undefined);
    }
    assert.equal(grantFor(SETTINGS, alice), undefined);
    // A person of the provider is never one of the users file, whatever the name.
    assert.equal(grantFor({ ...SETTINGS, oidc }, { ...alice, name: 'user1', values: [] }), undefined);
  });
});

describe('what may be taken once', () => {
  it('is gone afterwards, in time, and when its client has too many newer ones', () => {
    let now = 0;
    const once = new OneTime<string>({ now: () => now, lifetimeMs: 1000, most: 3, mostOfClient: 2 });
    const first = once.put('a', 'x');
    assert.equal(once.take(first), 'a');
    assert.equal(once.take(first), undefined);
    const second = once.put('b', 'x');
    const third = once.put('c', 'x');
    const fourth = once.put('d', 'x');
    assert.equal(once.take(second), undefined);
    assert.equal(once.size, 2);
    const other = once.put('e', 'y');
    // All together have too many: the client with most gives way, not the newcomer.
    const newcomer = once.put('f', 'z');
    assert.equal(once.take(third), undefined);
    assert.deepEqual([once.take(other), once.take(newcomer)], ['e', 'f']);
    now = 1000;
    assert.equal(once.take(fourth), undefined);
    assert.equal(once.size, 0);
    assert.ok(once.put('g', 'x'));
  });
});

describe('the throttle', () => {
  it('waits longer after each failure, up to a limit', () => {
    let now = 0;
    const throttle = new SignInThrottle(() => now);
    const attempt = { name: 'alice', network: '192.0.2.1' };
    for (let n = 0; n < 5; n++) assert.equal(throttle.attempt(attempt), 0);
    const waits: number[] = [];
    for (let n = 0; n < 14; n++) {
      const wait = throttle.attempt(attempt);
      waits.push(wait);
      now += wait;
      assert.equal(throttle.attempt(attempt), 0);
    }
    assert.deepEqual(waits.slice(0, 4), [1000, 2000, 4000, 8000]);
    assert.equal(Math.max(...waits), MAX_DELAY_MS);
  });

  it('counts parallel attempts before any of them is decided', () => {
    const throttle = new SignInThrottle(() => 0);
    const waits = Array.from({ length: 50 }, () => throttle.attempt({ name: 'alice', network: '192.0.2.1' }));
    assert.equal(waits.filter((wait) => wait === 0).length, 5);
  });

  it('tells nobody who has signed in from a network before', () => {
    const throttle = new SignInThrottle(() => 0);
    const known = { name: 'bob', network: 'proxy' };
    throttle.attempt(known);
    throttle.succeeded(known);
    for (let n = 0; n < 20; n++) throttle.attempt({ name: `guess${n}`, network: 'proxy' });
    assert.equal(throttle.attempt(known), throttle.attempt({ name: 'nobody', network: 'proxy' }));
    assert.ok(throttle.attempt(known) > 0);
  });

  it('delays nobody by guesses from elsewhere where that person has signed in before', () => {
    const throttle = new SignInThrottle(() => 0);
    const known = { name: 'bob', network: 'home' };
    throttle.attempt(known);
    throttle.succeeded(known);
    for (let n = 0; n < 20; n++) throttle.attempt({ name: 'bob', network: `bots${n}` });
    assert.ok(throttle.attempt({ name: 'bob', network: 'other' }) > 0);
    assert.equal(throttle.attempt(known), 0);
  });

  it('takes nobody for somebody else by tricks with names', () => {
    const throttle = new SignInThrottle(() => 0);
    for (let n = 0; n < 6; n++) throttle.attempt({ name: 'a","b', network: 'c' });
    assert.equal(throttle.attempt({ name: 'a', network: 'b","c' }), 0);
  });
});
