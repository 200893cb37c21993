/**
 * How much of requests is in memory at one time. A body is read whole, and what JSON becomes takes many times its octets, so
 * each request reserves room for both before they are there, and gives it back when it is answered. A client has at most a part
 * of the room, so that no detector takes what the others need.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { countUpTo, endOfString } from './body.ts';
import { HttpProblem } from './http-problem.ts';

/** Bytes for all requests together. */
const ROOM = 96 * 1024 * 1024;
/** Of these, so many for one client: enough for the largest message that is taken. */
const ROOM_OF_CLIENT = 48 * 1024 * 1024;

/** About how many bytes one value of JSON takes: an empty object. */
const COST_OF_VALUE = 64;
/** Texts with fewer commas and brackets than this are not looked at closely: they cost no more than a few MiB. */
const FEW_VALUES = 50_000;

export interface BodyRoomLimits {
  readonly all: number;
  readonly ofClient: number;
}

/** What one request holds. */
export interface Reservation {
  /** Reserves more. Throws HttpProblem: 413 when no request may have so much, 503 when others have it now. */
  grow(bytes: number): void;
  /** Gives everything back; nothing happens the second time. */
  release(): void;
}

export class BodyRoom {
  readonly #limits: BodyRoomLimits;
  readonly #byClient = new Map<string, number>();
  #taken = 0;

  constructor(limits: BodyRoomLimits = { all: ROOM, ofClient: ROOM_OF_CLIENT }) {
    this.#limits = limits;
  }

  /** Bytes that are reserved. */
  get taken(): number {
    return this.#taken;
  }

  /** Begins a request of a client, with nothing reserved. */
  open(client: string): Reservation {
    let held = 0;
    return {
      grow: (bytes) => {
        const { all, ofClient } = this.#limits;
        if (held + bytes > ofClient) {
          throw new HttpProblem(413, 'The body has more values than are read at one time; send it in parts');
        }
        const before = this.#byClient.get(client) ?? 0;
        if (before + bytes > ofClient || this.#taken + bytes > all) {
          throw new HttpProblem(503, 'Too much of other requests is being read; try again', {
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

/** Octets that a request announces, for which `limit` is the most; a compressed one, or one that does not say, may have all. */
export function announcedBytes(headers: IncomingHttpHeaders, limit: number): number {
  const { 'content-length': length, 'content-encoding': encoding = 'identity' } = headers;
  if (length === undefined) return headers['transfer-encoding'] === undefined ? 0 : limit;
  return encoding.trim().toLowerCase() === 'identity' ? Math.min(Number(length), limit) : limit;
}

/** About how many bytes come of a text when it is read as JSON, or as lines of it. */
export function readingCost(text: string): number {
  let marks = 0;
  for (const mark of [',', '[', '{', '\n']) marks += countUpTo(FEW_VALUES, mark, text);
  return text.length + (marks < FEW_VALUES ? marks : marksOutsideStrings(text)) * COST_OF_VALUE;
}

/** Commas in a packet dump are no values. */
function marksOutsideStrings(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = endOfString(text, i + 1);
    else if (c === 0x2c || c === 0x5b || c === 0x7b || c === 0x0a) count++;
  }
  return count;
}

// From the octets of a body to its text: content encodings and their limits (RFC 9110 §8.4).

const inflate = promisify(gunzip);

/**
 * The text of a body, which may be compressed with gzip. Rejects with HttpProblem: 415 for another encoding, 413 for what
 * inflates beyond the limit of its route or holds too many values, 400 for what is not gzip, 503 when there is no room for it now.
 */
export async function bodyText(request: FastifyRequest, body: Buffer): Promise<string> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (encoding === 'identity' || encoding === '') return withRoom(request, body.toString());
  if (encoding !== 'gzip' && encoding !== 'x-gzip') {
    throw new HttpProblem(415, 'The body must be sent as it is or with "Content-Encoding: gzip"', {
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
    throw new HttpProblem(400, 'The body is not valid gzip, as its Content-Encoding says it is');
  }
  return withRoom(request, inflated.toString());
}

/** The text, with room reserved for what comes of reading it. */
function withRoom(request: FastifyRequest, text: string): string {
  request.bodyRoom?.grow(readingCost(text));
  return text;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
