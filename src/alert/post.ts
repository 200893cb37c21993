/** One HTTP POST through undici: no redirects, a limit on time and on what is read, and no way into private networks. */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import { parseAddress } from '../net/prefix.ts';
import { notGlobal } from '../net/special-addresses.ts';
import type { AlertRequest } from './alert.ts';

export interface PostAnswer {
  readonly status: number;
  /** What a 429 or 503 asks to wait (ms); null when it does not say. */
  readonly retryAfterMs: number | null;
  /** The first few hundred characters, for whoever reads the log. */
  readonly text: string;
}

/** Sends requests; rejects when there is no answer, with RefusedAddressError when there must not be one. */
export interface Poster {
  post(request: AlertRequest, signal: AbortSignal): Promise<PostAnswer>;
  close(): Promise<void>;
}

/** The address that a name resolved to, or that a URL names, is not one that alerts may go to. */
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
  /** Milliseconds since the epoch; the system's clock unless a test brings its own. */
  readonly now?: () => number;
  /** The system's resolver unless a test brings its own. */
  readonly resolve?: Resolve;
}

/** Octets of an answer that are read. */
const ANSWER_OCTETS = 4096;

const systemResolve: Resolve = (host, callback) => dnsLookup(host, { all: true, verbatim: true }, callback);

export function makePoster(options: PosterOptions): Poster {
  const { now = Date.now } = options;
  const agent = new Agent({ connect: guardedConnector(options), connections: 1, pipelining: 1 });
  return {
    async post({ url, headers, body }, signal) {
      // request() follows no redirect; a 3xx is an answer like any other.
      const answer = await request(url, { method: 'POST', headers, body, signal, dispatcher: agent });
      const text = await firstOctets(answer.body);
      const retryAfterMs = retryAfter(answer.headers, now);
      return { status: answer.statusCode, retryAfterMs, text };
    },
    close: () => agent.destroy(),
  };
}

/**
 * Judges addresses where they are used, between resolving and connecting, so that a name that resolves to something
 * else the second time (DNS rebinding) gains nothing.
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
    `${host} is a private address; alerts go there only with alerting.allow_private_addresses: true`,
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

/**
 * How long to wait (ms) by Retry-After: seconds or a date (RFC 9110 §10.2.3), which counts from the answer's own Date so that a clock
 * that is wrong here does not matter. Null when it says neither.
 */
function retryAfter(headers: Readonly<Record<string, unknown>>, now: () => number): number | null {
  const wanted = headers['retry-after'];
  if (typeof wanted !== 'string') return null;
  if (/^\d{1,9}$/.test(wanted)) return Number(wanted) * 1000;
  const until = httpDate(wanted);
  return until === undefined ? null : Math.max(0, until - (httpDate(headers.date) ?? now()));
}

/** A date in any of the forms of RFC 9110 §5.6.7 (ms since the epoch). */
function httpDate(value: unknown): number | undefined {
  if (typeof value !== 'string' || !/^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
  // The form of asctime() names no zone and means GMT.
  const time = Date.parse(value.endsWith(' GMT') ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : time;
}

// Addresses that are not the public Internet's: an alert must not become a way into the operator's own network.

/** True for loopback, private, link-local, multicast and reserved addresses, in any disguise; and for what is no address. */
export function isPrivateAddress(text: string): boolean {
  const zone = text.indexOf('%');
  const address = parseAddress(zone < 0 ? text : text.slice(0, zone));
  return address === undefined || notGlobal(address) !== undefined;
}

/**
 * True when a host as a URL names it (`10.0.0.1`, `[::1]`, `hooks.example`) is private without any look-up: an address
 * that is, or a name of this machine (RFC 6761 §6.3). Other names are judged by what they resolve to.
 */
export function isPrivateHost(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  const name = bare.toLowerCase().replace(/\.$/, '');
  if (name === 'localhost' || name.endsWith('.localhost')) return true;
  return parseAddress(bare.split('%', 1)[0] ?? bare) !== undefined && isPrivateAddress(bare);
}
