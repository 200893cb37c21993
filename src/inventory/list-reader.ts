/**
 * Reads NetBox's lists page by page, so that objects which come and go meanwhile leave no gap.
 *
 * - From 4.6, by cursor: `start=<last id + 1>`. What exists during the whole read is read exactly once.
 * - Before, by offset and ordered by id. An object that vanishes moves those behind it one place forward, and one of
 *   them would be skipped between two pages. So each page begins with the last object of the page before; if another one
 *   is there, the list has moved, and it is read again.
 *
 * The addresses of the next pages are computed here. `next` only tells whether there is one: it may name another host
 * (behind a proxy it often does), or lead in a circle.
 */
import { z } from 'zod';
import { failed, ok, type Result } from '../net/result.ts';
import type { SourceClient, SourceFailure } from './get-json.ts';
import type { ReadLimits } from './source-settings.ts';

/** The form of a list's page (since NetBox 2.0; `count` is null with a cursor). */
const pageSchema = z.object({
  count: z.int().min(0).nullable(),
  next: z.string().nullable(),
  results: z.array(z.record(z.string(), z.unknown())),
});

type ListPage = z.output<typeof pageSchema>;

/** One object of a list, as it was answered. */
export type RawObject = Readonly<Record<string, unknown>>;

/** How a list is narrowed: query parameters, some of them repeated. */
export type ListQuery = readonly (readonly [name: string, value: string])[];

export interface ListReaderOptions {
  readonly client: SourceClient;
  /** URL of the API's root, with a slash at its end. */
  readonly root: string;
  readonly limits: ReadLimits;
  /** Waits (ms); rejects when the read is stopped. */
  readonly wait: (milliseconds: number) => Promise<void>;
  /** Called for every page, with the number of objects read so far. */
  readonly onPage?: (list: string, objects: number) => void;
}

/** Failures after which the same page is worth another attempt within the read. */
const PASSING: ReadonlySet<SourceFailure['code']> = new Set(['too_many_requests', 'unavailable']);

/** Pause before the first repetition if the server names none (ms); doubled with each further one. */
const FIRST_PAUSE_MS = 1_000;

export class ListReader {
  readonly #options: ListReaderOptions;
  #objects = 0;
  /** Known after the first page of the first list. */
  #hasCursor: boolean | undefined;
  #apiVersion: string | undefined;

  constructor(options: ListReaderOptions) {
    this.#options = options;
  }

  /** The version of the API that has answered, such as `4.2`. */
  get apiVersion(): string | undefined {
    return this.#apiVersion;
  }

  /** Number of objects read, including those that were read again. */
  get objects(): number {
    return this.#objects;
  }

  /** Reads a whole list; `keep` reduces each object, and returns a failure in words for one that is invalid. */
  async read<Kept>(
    path: string,
    query: ListQuery,
    keep: (object: RawObject) => Result<Kept>,
  ): Promise<Result<readonly Kept[], SourceFailure>> {
    for (let attempt = 0; attempt <= this.#options.limits.again; attempt++) {
      const list =
        this.#hasCursor === false
          ? await this.#byOffset(path, query, keep)
          : await this.#byCursor(path, query, keep);
      if (list !== 'moved') return list;
    }
    const text = `${path} changes faster than it can be read; it is read again later`;
    return failed({ code: 'changing', text });
  }

  async #byCursor<Kept>(
    path: string,
    query: ListQuery,
    keep: (object: RawObject) => Result<Kept>,
  ): Promise<Result<readonly Kept[], SourceFailure> | 'moved'> {
    const kept: Kept[] = [];
    let last = 0;
    for (;;) {
      const page = await this.#page(path, [...query, ['start', String(last === 0 ? 0 : last + 1)]]);
      if (!page.ok) return page;
      // A server without cursors ignores `start`, and counts.
      if (page.value.count !== null) {
        if (this.#hasCursor === true) return failed(invalid(path, 'count is not null with a cursor'));
        this.#hasCursor = false;
        return this.#byOffset(path, query, keep);
      }
      this.#hasCursor = true;
      const taken = take(page.value.results, last, path, keep, kept);
      if (!taken.ok) return taken;
      if (page.value.next === null) return ok(kept);
      if (taken.value === last) return failed(invalid(path, 'an empty page names a next one'));
      last = taken.value;
    }
  }

  async #byOffset<Kept>(
    path: string,
    query: ListQuery,
    keep: (object: RawObject) => Result<Kept>,
  ): Promise<Result<readonly Kept[], SourceFailure> | 'moved'> {
    const kept: Kept[] = [];
    let last = 0;
    for (;;) {
      const offset = Math.max(0, kept.length - 1);
      const page = await this.#page(path, [...query, ['ordering', 'id'], ['offset', String(offset)]]);
      if (!page.ok) return page;
      const { results, next, count } = page.value;
      if (count === null) return failed(invalid(path, 'count is null without a cursor'));
      const [first] = results;
      if (kept.length > 0) {
        // The list has become shorter than what was read of it, or other objects are in that place now.
        if (first === undefined || idOf(first) !== last) return 'moved';
        if (results.length === 1 && next !== null) {
          return failed(invalid(path, 'pages have one object; raise MAX_PAGE_SIZE'));
        }
      }
      const taken = take(kept.length > 0 ? results.slice(1) : results, last, path, keep, kept);
      if (!taken.ok) return taken;
      if (next === null) return kept.length < count ? 'moved' : ok(kept);
      if (results.length === 0) return failed(invalid(path, 'an empty page names a next one'));
      last = taken.value;
    }
  }

  /** Gets a page; waits and asks again while the server is too busy. */
  async #page(path: string, query: ListQuery): Promise<Result<ListPage, SourceFailure>> {
    const { client, limits, root, wait, onPage } = this.#options;
    const url = new URL(path, root);
    for (const [name, value] of query) url.searchParams.append(name, value);
    url.searchParams.set('limit', String(limits.pageSize));
    for (let attempt = 1; ; attempt++) {
      const answer = await client.get(url.href);
      if (!answer.ok) {
        const pause = answer.error.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (attempt - 1);
        const isPassing = PASSING.has(answer.error.code) && attempt <= limits.patience;
        if (!isPassing || pause > limits.longestPauseMs) return answer;
        await wait(pause);
        continue;
      }
      this.#apiVersion ??= answer.value.apiVersion;
      const page = pageSchema.safeParse(answer.value.data);
      if (!page.success) return failed(invalid(path, 'the answer is no list of NetBox'));
      this.#objects += page.data.results.length;
      if (this.#objects > limits.objects) {
        const text = `${path}: more than ${limits.objects} objects; narrow them with inventory.filter`;
        return failed({ code: 'too_large', text });
      }
      onPage?.(path, this.#objects);
      return ok(page.data);
    }
  }
}

/** Returns an object's id; undefined if it is not a positive whole number. */
export function idOf({ id }: RawObject): number | undefined {
  return typeof id === 'number' && Number.isSafeInteger(id) && id > 0 ? id : undefined;
}

/** Keeps a page's objects, whose ids must ascend from `last` on. Returns the last id. */
function take<Kept>(
  results: readonly RawObject[],
  last: number,
  path: string,
  keep: (object: RawObject) => Result<Kept>,
  into: Kept[],
): Result<number, SourceFailure> {
  let before = last;
  for (const object of results) {
    const id = idOf(object);
    if (id === undefined) return failed(invalid(path, 'an object has no id'));
    if (id <= before) return failed(invalid(path, `object ${id} comes after object ${before}`));
    const kept = keep(object);
    if (!kept.ok) return failed(invalid(path, `object ${id}: ${kept.error}`));
    into.push(kept.value);
    before = id;
  }
  return ok(before);
}

function invalid(path: string, what: string): SourceFailure {
  return { code: 'invalid', text: `${path}: ${what}` };
}
