import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { api } from './support.ts';

const DIRECTORY = new URL('../../src/dashboard/', import.meta.url);
const source = (name: string): string => readFileSync(new URL(name, DIRECTORY), 'utf8');
const scripts = readdirSync(DIRECTORY).filter((name) => name.endsWith('.js'));

describe('the dashboard', () => {
  it('is served at / to anybody, with a policy that lets nothing foreign in', async () => {
    const { app } = await api();
    const response = await app.inject({ url: '/' });
    assert.equal(response.statusCode, 200);
    assert.match(String(response.headers['content-type']), /^text\/html/);
    assert.match(String(response.headers['content-security-policy']), /^default-src 'self';/);
    assert.equal(response.headers['x-frame-options'], 'DENY');
    assert.equal(response.headers['x-content-type-options'], 'nosniff');
    const again = await app.inject({ url: '/', headers: { 'if-none-match': String(response.headers.etag) } });
    assert.equal(again.statusCode, 304);
    assert.equal(again.body, '');
  });

  it('serves every file that the page and its modules name', async () => {
    const { app } = await api();
    const named = [...source('index.html').matchAll(/(?:href|src)="(dashboard\/[^"]+)"/g)].map(
      ([, path]) => `/${path}`,
    );
    const imported = scripts.flatMap((name) =>
      [...source(name).matchAll(/from '\.\/([^']+)'/g)].map(([, path]) => `/dashboard/${path}`),
    );
    assert.ok(named.length >= 3 && imported.length >= 4);
    for (const url of new Set([...named, ...imported])) {
      const response = await app.inject({ url });
      assert.equal(response.statusCode, 200, url);
    }
  });

  it('serves nothing else', async () => {
    const { app } = await api();
    for (const url of [
      '/dashboard/',
      '/dashboard/../api.ts',
      '/dashboard/%2e%2e%2fhttp%2fapi.ts',
      '/dashboard/index.html',
    ]) {
      assert.equal((await app.inject({ url })).statusCode, 404, url);
    }
  });

  it('has no inline script, style or handler, which its own policy would refuse', () => {
    const page = source('index.html');
    assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)[^>]*>/);
    assert.doesNotMatch(page, /<style|\sstyle=|\son\w+=/);
    assert.doesNotMatch(page, /https?:/);
  });

  it('never takes text for markup or code', () => {
    for (const name of scripts) {
      const forbidden =
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser/;
      assert.doesNotMatch(source(name), forbidden, name);
    }
  });

  it('finds every element that its script looks for, each once', () => {
    const page = source('index.html');
    const code = source('main.js') + source('people.js');
    const wanted = [...code.matchAll(/(?:byId|show)\('([^']+)'/g)].map(([, id]) => id);
    assert.ok(wanted.length > 20);
    for (const id of new Set(wanted)) {
      assert.equal(page.split(`id="${id}"`).length - 1, 1, `id ${id}`);
    }
  });

  it('labels its fields, its tables and its dialog', () => {
    const page = source('index.html');
    for (const [, id] of page.matchAll(/<input id="([^"]+)"/g))
      assert.ok(page.includes(`<label for="${id}">`), id);
    for (const [, id] of page.matchAll(/aria-labelledby="([^"]+)"/g))
      assert.ok(page.includes(`id="${id}"`), id);
    assert.match(page, /<html lang="en">/);
    assert.equal(page.match(/<th /g)?.length, page.match(/<th scope="col">/g)?.length);
  });
});
