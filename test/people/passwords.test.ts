import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import {
  checkPassword,
  hashPassword,
  isPasswordHash,
  NOBODYS_HASH,
  PasswordChecks,
} from '../../src/people/passwords.ts';

/** Cheap enough for tests. */
const LOW = { ln: 14, r: 8, p: 1 };

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64').replaceAll('=', '');

describe('a password hash', () => {
  it('is scrypt, as in the test vectors of RFC 7914 §12', async () => {
    const salt = Buffer.from('SodiumChloride').toString('base64').replaceAll('=', '');
    const key = base64('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2');
    const hash = `$scrypt$ln=14,r=8,p=1$${salt}$${key}`;
    assert.equal(await checkPassword('pleaseletmein', hash), true);
    assert.equal(await checkPassword('pleaseletmeout', hash), false);
  });

  it('has a salt of its own, and is that of one password only', async () => {
    const [one, other] = [await hashPassword('correct horse', LOW), await hashPassword('correct horse', LOW)];
    assert.notEqual(one, other);
    assert.ok(isPasswordHash(one));
    assert.equal(await checkPassword('correct horse', one), true);
    assert.equal(await checkPassword('correct horse ', one), false);
    assert.equal(await checkPassword('', one), false);
  });

  it('is the same however the letters were typed', async () => {
    const hash = await hashPassword('gr\u00fcn', LOW);
    assert.equal(await checkPassword('gru\u0308n', hash), true);
  });

  it('is refused when it is cheap, too expensive, or no hash', () => {
    const [, , , salt = '', key = ''] = NOBODYS_HASH.split('$');
    assert.ok(isPasswordHash(`$scrypt$ln=14,r=8,p=1$${salt}$${key}`));
    for (const text of [
      `$scrypt$ln=13,r=8,p=1$${salt}$${key}`,
      `$scrypt$ln=18,r=8,p=1$${salt}$${key}`,
      `$scrypt$ln=16,r=9,p=1$${salt}$${key}`,
      `$scrypt$ln=16,r=8,p=99$${salt}$${key}`,
      `$scrypt$ln=16,r=0,p=1$${salt}$${key}`,
      `$scrypt$ln=16,r=8,p=1$${salt}$${key}A`,
      `$2b$12$${'a'.repeat(53)}`,
      'wonderland',
      '',
    ]) {
      assert.equal(isPasswordHash(text), false, text);
    }
  });
});

describe('checking passwords', () => {
  it('is done one at a time, and refused when too many wait', async () => {
    let running = 0;
    let most = 0;
    const finish: (() => void)[] = [];
    const checks = new PasswordChecks(async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => finish.push(resolve));
      running--;
      return true;
    });
    const results = Array.from({ length: 20 }, () => checks.check('x', 'y'));
    for (let n = 0; n < 17; n++) {
      while (finish.length === 0) await new Promise((resolve) => setImmediate(resolve));
      finish.shift()?.();
    }
    const all = await Promise.all(results);
    assert.equal(most, 1);
    assert.equal(all.filter((result) => result === true).length, 17);
    assert.equal(all.filter((result) => result === undefined).length, 3);
  });

  it('continues after one that fails', async () => {
    const checks = new PasswordChecks(checkPassword);
    await assert.rejects(checks.check('x', 'no hash'), RangeError);
    assert.equal(await checks.check('x', await hashPassword('x', LOW)), true);
  });
});

describe('what signing in needs', () => {
  it('is loaded when somebody signs in, because a start must not wait for it', () => {
    const text = readFileSync(new URL('../../src/people/oidc.ts', import.meta.url), 'utf8');
    for (const name of ['openid-client', 'undici']) {
      assert.doesNotMatch(text, new RegExp(`^import .*'${name}'`, 'm'));
      assert.match(text, new RegExp(`await import\\('${name}'\\)`));
    }
  });
});
