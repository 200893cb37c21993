/**
 * Pages over items in order of creation, newest first, with opaque cursors that stay valid while new items are added.
 */
import { invalidField } from './http-problem.ts';
import { type Lane, READS } from './turns.ts';

/** Accessors and filter for paging over `T`. */
export interface PageOf<T> {
  readonly id: (item: T) => string;
  /** Returns the time of creation (ms). */
  readonly at: (item: T) => number;
  readonly wanted: (item: T) => boolean;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextCursor: string | undefined;
}

/**
 * Returns up to `limit` wanted items, newest first, starting after the item that `cursor` names. `all` is in order of
 * creation. Rejects with HttpProblem 400 for an invalid cursor. Works in slices, because it may have to search all
 * items.
 */
export async function page<T>(
  all: ReadonlyMap<string, T>,
  { id, at, wanted }: PageOf<T>,
  limit: number,
  cursor: string | undefined,
  lane: Lane = READS,
): Promise<Page<T>> {
  const list = [...all.values()];
  let index = cursor === undefined ? list.length : startBehind(list, decodeCursor(cursor), id, at, all);
  const items: T[] = [];
  while (index > 0) {
    if (lane.spent) await lane.next();
    const item = list[--index];
    if (item === undefined || !wanted(item)) continue;
    // One more than asked for shows that there is another page.
    if (items.length === limit) {
      const last = items[limit - 1];
      return {
        items,
        nextCursor: last === undefined ? undefined : encodeCursor({ at: at(last), id: id(last) }),
      };
    }
    items.push(item);
  }
  return { items, nextCursor: undefined };
}

interface Position {
  readonly at: number;
  readonly id: string;
}

/** Returns the index of the item at the position, or if it no longer exists, of the first item that is not older. */
function startBehind<T>(
  list: readonly T[],
  position: Position,
  id: (item: T) => string,
  at: (item: T) => number,
  all: ReadonlyMap<string, T>,
): number {
  if (all.has(position.id)) return list.findIndex((item) => id(item) === position.id);
  const newer = list.findIndex((item) => at(item) >= position.at);
  return newer < 0 ? list.length : newer;
}

function encodeCursor({ at, id }: Position): string {
  return Buffer.from(`${at}/${id}`).toString('base64url');
}

function decodeCursor(text: string): Position {
  const match = /^(\d{1,16})\/([0-9a-f-]{1,64})$/.exec(Buffer.from(text, 'base64url').toString());
  if (match?.[1] === undefined || match[2] === undefined) {
    throw invalidField('cursor', 'is not a cursor from this API');
  }
  return { at: Number(match[1]), id: match[2] };
}
