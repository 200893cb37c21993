/**
 * Sends an HTTP request through undici without redirects, with limits on time and response size, and not to private
 * networks.
 */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { parseZonedAddress } from '../net/prefix.ts';
import { notGlobal } from '../net/special-addresses.ts';
import { retryAfter } from '../net/time.ts';

export const HTTP_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** An HTTP request to send. */
export interface HttpRequest {
  /** Default: POST. */
  readonly method?: (typeof HTTP_METHODS)[number];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON; absent: no body. */
  readonly body?: string;
}

export interface PostAnswer {
  readonly status: number;
  /** Time to wait (ms) that a 429 or 503 asks for; undefined if it names none. */
  readonly retryAfterMs: number | undefined;
  /** Start of the body, for the log. */
  readonly text: string;
}

/** Sends requests. Rejects if there is no response, and with RefusedAddressError for a private address. */
export interface Poster {
  post(request: HttpRequest, signal: AbortSignal): Promise<PostAnswer>;
  close(): Promise<void>;
}

/** Thrown for a host whose address is private. */
export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
  readonly code = 'REFUSED_ADDRESS';
}

export type Resolve = (
  host: string,
  callback: (error: Error | null, addresses: readonly LookupAddress[]) => void,
) => void;

export interface PosterOptions {
  readonly allowPrivateAddresses: boolean;
  readonly connectTimeoutMs: number;
  /** Most connections to one server; null: no limit. Default: 1. */
  readonly connections?: number | null;
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: () => number;
  /** Default: the system's resolver. */
  readonly resolve?: Resolve;
}

/** Bytes of a response that are read. */
const ANSWER_OCTETS = 4096;

const systemResolve: Resolve = (host, callback) => dnsLookup(host, { all: true, verbatim: true }, callback);

export function makePoster(options: PosterOptions): Poster {
  const { now = Date.now, connections = 1 } = options;
  const agent = new Agent({ connect: guardedConnector(options), connections, pipelining: 1 });
  return {
    async post({ method = 'POST', url, headers, body = null }, signal) {
      // request() does not follow redirects and returns a 3xx like any other response.
      const answer = await request(url, { method, headers, body, signal, dispatcher: agent });
      const text = await firstOctets(answer.body);
      const retryAfterMs = retryAfter(answer.headers, now());
      return { status: answer.statusCode, retryAfterMs, text };
    },
    close: () => agent.destroy(),
  };
}

/**
 * Checks addresses between resolving and connecting, so that a name that resolves differently the second time (DNS
 * rebinding) is harmless.
 */
function guardedConnector({
  allowPrivateAddresses,
  connectTimeoutMs,
  resolve = systemResolve,
}: PosterOptions): buildConnector.connector {
  const lookup: LookupFunction = (host, lookupOptions, callback) => {
    resolve(host, (error, addresses) => {
      if (error !== null) return callback(error, '', 0);
      const allowed = addresses.filter(({ address }) => allowPrivateAddresses || !isPrivateAddress(address));
      const [first] = allowed;
      if (first === undefined) return callback(refusal(host), '', 0);
      if (lookupOptions.all === true) return callback(null, [...allowed]);
      return callback(null, first.address, first.family);
    });
  };
  const connect = buildConnector({ timeout: connectTimeoutMs, lookup });
  return (target, callback) => {
    if (!allowPrivateAddresses && isPrivateHost(target.hostname)) {
      callback(refusal(target.hostname), null);
      return;
    }
    connect(target, callback);
  };
}

function refusal(host: string): RefusedAddressError {
  return new RefusedAddressError(
    `${host} is a private address; alerts are sent there only with alerting.allow_private_addresses: true`,
  );
}

async function firstOctets(body: AsyncIterable<Uint8Array> & { destroy(): unknown }): Promise<string> {
  const parts: Uint8Array[] = [];
  let octets = 0;
  for await (const part of body) {
    parts.push(part);
    octets += part.length;
    if (octets >= ANSWER_OCTETS) break;
  }
  body.destroy();
  return Buffer.concat(parts).toString('utf8', 0, ANSWER_OCTETS);
}

// Private addresses: alerts must not give access to the operator's own network.

/**
 * True for loopback, private, link-local, multicast and reserved addresses in any notation, and for invalid addresses.
 */
export function isPrivateAddress(text: string): boolean {
  const address = parseZonedAddress(text);
  return address === undefined || notGlobal(address) !== undefined;
}

/**
 * True if a URL's host (`10.0.0.1`, `[::1]`, `hooks.example`) is private without a DNS lookup: a private address, or a
 * name of this machine (RFC 6761 §6.3). Other names are checked after they are resolved.
 */
export function isPrivateHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const name = bare.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return parseZonedAddress(bare) !== undefined && isPrivateAddress(bare);
}
