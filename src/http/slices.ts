/** Long work in short turns, because the event loop is shared with the hold timers of the sessions. */
import type { FastifyReply } from 'fastify';

/** Applies `make` to everything, `perTurn` items in a turn of the event loop. */
export async function mapInSlices<From, To>(
  items: readonly From[],
  make: (item: From) => To,
  perTurn = 100,
): Promise<To[]> {
  const made: To[] = [];
  for (const item of items) {
    if (made.length > 0 && made.length % perTurn === 0) await nextTurn();
    made.push(make(item));
  }
  return made;
}

/** The JSON of an object, its lists put into words `perTurn` items in a turn of the event loop. */
export async function textInSlices(answer: object, perTurn = 100): Promise<string> {
  const members: string[] = [];
  for (const [key, value] of Object.entries(answer)) {
    if (value === undefined) continue;
    const text = Array.isArray(value)
      ? `[${(await mapInSlices(value, (item) => JSON.stringify(item), perTurn)).join(',')}]`
      : JSON.stringify(value);
    members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(',')}}`;
}

/** Has an answer that may be megabytes long sent as text that is made in slices; to be returned by the handler. */
export async function inSlices<Answer extends object>(reply: FastifyReply, answer: Answer): Promise<Answer> {
  const text = await textInSlices(answer);
  reply.type('application/json; charset=utf-8').serializer(() => text);
  return answer;
}

/** Resolves after other events have had their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
