/** Calls the daemon's API with the session of this browser, or with a token that is kept in this tab. */
import { createFeedParser } from './feed-parser.js';

const TOKEN_KEY = 'prefixd-token';

/** The daemon's clock minus this one (ms), from the Date header of its responses. */
let clockOffset = 0;

/** Returns the time by the daemon's clock (ms). */
export function serverNow() {
  return Date.now() + clockOffset;
}

export function hasToken() {
  return sessionStorage.getItem(TOKEN_KEY) !== null;
}

export function setToken(token) {
  sessionStorage.setItem(TOKEN_KEY, token);
}

export function forgetToken() {
  sessionStorage.removeItem(TOKEN_KEY);
}

/** Time since the last key or click for which somebody counts as being at work (ms). */
const AT_WORK_MS = 60_000;
let lastInputAt = Date.now();
for (const type of ['keydown', 'pointerdown']) {
  addEventListener(type, () => {
    lastInputAt = Date.now();
  });
}

/** Tells the daemon that the page itself asks, and whether for somebody at work: a page left alone is signed out in time. */
function requestHeader(isBackground) {
  const atWork = !isBackground && Date.now() - lastInputAt < AT_WORK_MS;
  return { 'x-prefixd-request': atWork ? '1' : 'background' };
}

/** Reports an error response. */
export class ApiError extends Error {
  constructor(status, detail) {
    super(detail);
    this.name = 'ApiError';
    this.status = status;
  }
}

async function ask(path, options = {}, isBackground = false) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = {
    ...options.headers,
    ...requestHeader(isBackground),
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  const response = await fetch(path, { ...options, headers, cache: 'no-store' });
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) clockOffset = Math.abs(date - Date.now()) < 2000 ? 0 : date - Date.now();
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new ApiError(
    response.status,
    problem.detail ?? `The daemon responded with status ${response.status}`,
  );
}

export async function read(path) {
  return (await ask(path)).json();
}

/** Sends a command, without a body if there is none. Returns the answer; null for an empty one. */
export async function command(path, body) {
  const content =
    body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await ask(path, { method: 'POST', ...content });
  return response.status === 204 ? null : response.json();
}

/** Reads the feed until the daemon closes it; rejects if it cannot be opened, breaks, or is aborted by `signal`. */
export async function follow(lastEventId, onOpen, onMessage, signal) {
  const headers = lastEventId === null ? {} : { 'last-event-id': lastEventId };
  const response = await ask('/v1/feed', { headers, signal }, true);
  onOpen();
  const parse = createFeedParser(onMessage);
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parse(decoder.decode(value, { stream: true }));
  }
}
