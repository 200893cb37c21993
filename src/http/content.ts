/** From the octets of a body to its text: content encodings and their limits (RFC 9110 §8.4). */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FastifyRequest } from 'fastify';
import { readingCost } from './body-room.ts';
import { HttpProblem } from './problem.ts';

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
