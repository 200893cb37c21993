/** One HTTP POST through undici: no redirects, a limit on time and on what is read, and no way into private networks. */
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, request } from 'undici';
import type { AlertRequest } from './alert.ts';
import { isPrivateAddress, isPrivateHost } from './private-address.ts';

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
  /** The system's resolver unless a test brings its own. */
  readonly resolve?: Resolve;
}

/** Octets of an answer that are read. */
const ANSWER_OCTETS = 4096;

const systemResolve: Resolve = (host, callback) => dnsLookup(host, { all: true, verbatim: true }, callback);

export function makePoster(options: PosterOptions): Poster {
  const agent = new Agent({ connect: guardedConnector(options), connections: 1, pipelining: 1 });
  return {
    async post({ url, headers, body }, signal) {
      // request() follows no redirect; a 3xx is an answer like any other.
      const answer = await request(url, { method: 'POST', headers, body, signal, dispatcher: agent });
      const text = await firstOctets(answer.body);
      return { status: answer.statusCode, retryAfterMs: retryAfter(answer.headers['retry-after']), text };
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

/** Seconds (RFC 9110 §10.2.3); the form with a date is taken for silence. */
function retryAfter(header: string | readonly string[] | undefined): number | null {
  return typeof header === 'string' && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : null;
}
