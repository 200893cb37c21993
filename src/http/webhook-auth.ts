/** Authenticates the senders of webhooks by a signature of the body, or by user and password. */
import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isSameSecret, UnknownToken } from './auth.ts';
import type { Caller } from './caller.ts';
import type { Webhook, WebhookAuth } from './dependencies.ts';
import { HttpProblem } from './http-problem.ts';

/** A route's own way to authenticate a request. */
export interface SenderCheck {
  /** True: the request can be authenticated only when its body has been read. */
  readonly needsBody: boolean;
  /** Returns the caller, or throws HttpProblem 401. `body`: the raw octets; empty unless `needsBody`. */
  readonly authenticate: (request: IncomingMessage, body: Uint8Array) => Caller;
}

/** Returns the check of a webhook's sender; undefined if `http.auth` checks it. */
export function senderCheck({ name, auth }: Webhook): SenderCheck | undefined {
  // No token can have this name.
  const caller: Caller = { name: `webhook:${name}`, role: 'detector' };
  switch (auth.kind) {
    case 'bearer':
      return undefined;
    case 'hmac':
      return { needsBody: true, authenticate: (request, body) => bySignature(request, body, auth, caller) };
    case 'basic':
      return { needsBody: false, authenticate: (request) => byPassword(request, auth, caller) };
  }
}

type HmacAuth = Extract<WebhookAuth, { kind: 'hmac' }>;
type BasicAuth = Extract<WebhookAuth, { kind: 'basic' }>;

const SIGNATURE_CHALLENGE = 'Signature realm="prefixd"';
const BASIC_CHALLENGE = 'Basic realm="prefixd", charset="UTF-8"';

/** Compares the signature of the raw body (RFC 2104) with the header's, in hexadecimal or base64. */
function bySignature(request: IncomingMessage, body: Uint8Array, auth: HmacAuth, caller: Caller): Caller {
  const { header, algorithm, prefix, secret } = auth;
  const said = request.headers[header];
  if (said === undefined)
    throw refused(`The header ${header} with the signature is missing`, SIGNATURE_CHALLENGE);
  const text = String(said).trim();
  const expected = createHmac(algorithm, secret).update(body).digest();
  const presented = text.startsWith(prefix)
    ? decoded(text.slice(prefix.length).trim(), expected.length)
    : undefined;
  if (isSameSecret(expected, presented ?? new Uint8Array())) return caller;
  throw unknown(`the signature in ${header} does not match the body`, SIGNATURE_CHALLENGE);
}

/** Decodes a signature of `length` octets; undefined if it is neither hexadecimal nor base64 of that length. */
function decoded(text: string, length: number): Uint8Array | undefined {
  if (text.length === 2 * length && /^[0-9a-f]+$/i.test(text)) return Buffer.from(text, 'hex');
  if (text.length > 2 * length || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return undefined;
  return Buffer.from(text, 'base64');
}

function byPassword(request: IncomingMessage, { user, password }: BasicAuth, caller: Caller): Caller {
  const { authorization } = request.headers;
  if (authorization === undefined) throw refused('User and password are required', BASIC_CHALLENGE);
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(authorization)?.[1] ?? '';
  if (isSameSecret(Buffer.from(`${user}:${password}`), Buffer.from(encoded, 'base64'))) return caller;
  throw unknown('invalid user or password', BASIC_CHALLENGE);
}

function refused(detail: string, challenge: string): HttpProblem {
  return new HttpProblem(401, detail, { headers: { 'www-authenticate': challenge } });
}

function unknown(detail: string, challenge: string): UnknownToken {
  return new UnknownToken(401, detail, { headers: { 'www-authenticate': challenge } });
}
