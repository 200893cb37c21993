/** Long work in slices that are measured in time, because the event loop is shared with the hold timers of the sessions. */
import type { FastifyReply } from 'fastify';
import { type Lane, READS } from './turns.ts';

/** Applies `make` to everything, a slice in each turn that the work has. */
export async function mapInSlices<From, To>(
  items: readonly From[],
  make: (item: From) => To,
  lane: Lane = READS,
): Promise<To[]> {
  const made: To[] = [];
  for (const item of items) {
    if (lane.spent) await lane.next();
    made.push(make(item));
  }
  return made;
}

/** Characters that are put into bytes at one time: to make one text of megabytes, and bytes of that, takes 30 ms. */
const PIECE = 64 * 1024;

/** The JSON of an object, its lists put into words in slices. */
export async function jsonInSlices(answer: object, lane: Lane = READS): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let text = '{';
  const add = (more: string): void => {
    text += more;
    if (text.length < PIECE) return;
    pieces.push(Buffer.from(text));
    text = '';
  };
  let members = 0;
  for (const [key, value] of Object.entries(answer)) {
    if (value === undefined) continue;
    add(`${members++ === 0 ? '' : ','}${JSON.stringify(key)}:`);
    if (!Array.isArray(value)) {
      add(JSON.stringify(value));
      continue;
    }
    add('[');
    for (const [index, item] of value.entries()) {
      if (lane.spent) await lane.next();
      add(`${index === 0 ? '' : ','}${JSON.stringify(item) ?? 'null'}`);
    }
    add(']');
  }
  pieces.push(Buffer.from(`${text}}`));
  return Buffer.concat(pieces);
}

/** Has an answer that may be megabytes long sent as JSON that is made in slices; to be returned by the handler. */
export async function inSlices<Answer extends object>(
  reply: FastifyReply,
  answer: Answer,
  lane: Lane = READS,
): Promise<Answer> {
  const json = await jsonInSlices(answer, lane);
  // The framework sends bytes as they are, although its types know texts alone.
  const sender: { serializer(make: (payload: unknown) => string | Buffer): unknown } = reply.type(
    'application/json; charset=utf-8',
  );
  sender.serializer(() => json);
  return answer;
}
