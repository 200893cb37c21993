/**
 * Bounds the memory that request bodies take. A body is read whole, and parsed JSON takes many times its size, so each
 * request reserves memory for both in advance and releases it when it is answered. One client may reserve only a share,
 * so that no detector takes what the others need.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { countUpTo, endOfString } from './body.ts';
import { HttpProblem } from './http-problem.ts';

/** Limit for all requests together (bytes). */
const ROOM = 96 * 1024 * 1024;
/** Limit for one client (bytes): enough for the largest message that is accepted. */
const ROOM_OF_CLIENT = 48 * 1024 * 1024;

/** Approximate size of one parsed JSON value (bytes): that of an empty object. */
const COST_OF_VALUE = 64;
/** Texts with fewer commas and brackets than this are not examined closely: they cost at most a few MiB. */
const FEW_VALUES = 50_000;

export interface BodyRoomLimits {
  readonly all: number;
  readonly ofClient: number;
}

/** The memory that one request has reserved. */
export interface Reservation {
  /** Reserves more. Throws HttpProblem: 413 if no request may have that much, 503 if others use it now. */
  grow(bytes: number): void;
  /** Releases everything; a second call does nothing. */
  release(): void;
}

export class BodyRoom {
  readonly #limits: BodyRoomLimits;
  readonly #byClient = new Map<string, number>();
  #taken = 0;

  constructor(limits: BodyRoomLimits = { all: ROOM, ofClient: ROOM_OF_CLIENT }) {
    this.#limits = limits;
  }

  /** Reserved bytes. */
  get taken(): number {
    return this.#taken;
  }

  /** Opens an empty reservation for a client's request. */
  open(client: string): Reservation {
    let held = 0;
    return {
      grow: (bytes) => {
        const { all, ofClient } = this.#limits;
        if (held + bytes > ofClient) {
          throw new HttpProblem(413, 'The body contains too many values; send it in several requests');
        }
        const before = this.#byClient.get(client) ?? 0;
        if (before + bytes > ofClient || this.#taken + bytes > all) {
          throw new HttpProblem(503, 'Too much memory is in use by other requests; try again', {
            headers: { 'retry-after': '1' },
          });
        }
        held += bytes;
        this.#taken += bytes;
        this.#byClient.set(client, before + bytes);
      },
      release: () => {
        const left = (this.#byClient.get(client) ?? 0) - held;
        if (left > 0) this.#byClient.set(client, left);
        else this.#byClient.delete(client);
        this.#taken -= held;
        held = 0;
      },
    };
  }
}

/**
 * Returns the body size that a request announces, at most `limit` (bytes); `limit` if compressed or without a length.
 */
export function announcedBytes(headers: IncomingHttpHeaders, limit: number): number {
  const { 'content-length': length, 'content-encoding': encoding = 'identity' } = headers;
  if (length === undefined) return headers['transfer-encoding'] === undefined ? 0 : limit;
  return encoding.trim().toLowerCase() === 'identity' ? Math.min(Number(length), limit) : limit;
}

/** Estimates the memory (bytes) that a text takes when it is parsed as JSON or JSON lines. */
export function readingCost(text: string): number {
  let marks = 0;
  for (const mark of [',', '[', '{', '\n']) marks += countUpTo(FEW_VALUES, mark, text);
  return text.length + (marks < FEW_VALUES ? marks : marksOutsideStrings(text)) * COST_OF_VALUE;
}

/** Counts separators outside strings: commas in a packet dump are not values. */
function marksOutsideStrings(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = endOfString(text, i + 1);
    else if (c === 0x2c || c === 0x5b || c === 0x7b || c === 0x0a) count++;
  }
  return count;
}

// Decoding a body: content encodings and their limits (RFC 9110 §8.4).

const inflate = promisify(gunzip);

/**
 * Returns the text of a body, which may be compressed with gzip. Rejects with HttpProblem: 415 for another encoding,
 * 413 if it inflates beyond its route's limit or contains too many values, 400 for invalid gzip, 503 if there is no
 * memory for it now.
 */
export async function bodyText(request: FastifyRequest, body: Buffer): Promise<string> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return withRoom(request, body.toString());
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new HttpProblem(415, 'The body must be sent uncompressed or with "Content-Encoding: gzip"', {
      headers: { 'accept-encoding': 'gzip' },
    });
  }
  const limit = request.routeOptions.bodyLimit;
  let inflated: Buffer;
  try {
    inflated = await inflate(body, { maxOutputLength: limit });
  } catch (error) {
    if (codeOf(error) === 'ERR_BUFFER_TOO_LARGE') {
      throw new HttpProblem(413, `The body inflates to more than ${limit / 1024 / 1024} MiB`);
    }
    throw new HttpProblem(400, 'The body is not valid gzip, although its Content-Encoding is gzip');
  }
  return withRoom(request, inflated.toString());
}

/** Returns the text after reserving the memory to parse it. */
function withRoom(request: FastifyRequest, text: string): string {
  request.bodyRoom?.grow(readingCost(text));
  return text;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
