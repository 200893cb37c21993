/** Does long work in time slices, because the event loop also serves the sessions' hold timers. */
import type { FastifyReply } from 'fastify';
import { type Lane, READS } from './turns.ts';

/** Applies `make` to every item, one time slice per turn. */
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

/** Characters that are encoded at one time: megabytes in one piece would take 30 ms. */
const PIECE = 64 * 1024;

/** Serializes an object to JSON, its arrays in slices. */
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

/** Sends an answer that may be megabytes long as JSON made in slices. The handler must return the result. */
export async function inSlices<Answer extends object>(
  reply: FastifyReply,
  answer: Answer,
  lane: Lane = READS,
): Promise<Answer> {
  const json = await jsonInSlices(answer, lane);
  // The framework sends bytes unchanged, although its types only allow strings.
  const sender: { serializer(make: (payload: unknown) => string | Buffer): unknown } = reply.type(
    'application/json; charset=utf-8',
  );
  sender.serializer(() => json);
  return answer;
}
