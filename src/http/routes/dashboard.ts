/** Serves the dashboard's static files, which are read once at the start. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import type { App } from '../request-context.ts';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Headers that allow the page to load, run and contact only what this daemon serves, and forbid framing. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
};

/** Serves `index.html` at `/` and other files at `/dashboard/<name>`, without credentials: they contain no data. */
export async function registerDashboard(
  app: App,
  directory = new URL('../../dashboard/', import.meta.url),
): Promise<void> {
  for (const name of await readdir(directory)) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const body = await readFile(new URL(name, directory));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    const url = name === 'index.html' ? '/' : `/dashboard/${name}`;
    app.get(url, { config: { access: 'public' }, schema: { hide: true } }, (request, reply) => {
      reply.headers({ ...HEADERS, etag }).type(type);
      return request.headers['if-none-match'] === etag ? reply.code(304).send() : reply.send(body);
    });
  }
}
