/** Cuts plain data into pieces that are cheap to send between threads, and joins them again. Pure. */

type Scalar = string | number | boolean | null;

/** A part of the data, in order. `values` has one entry for each key and each value. */
export interface Piece {
  readonly codes: Uint8Array;
  readonly values: readonly Scalar[];
}

const CODE = { value: 0, key: 1, list: 2, section: 3, end: 4 } as const;

/** Limits a piece in codes and in characters of text, so that joining it takes about a millisecond. */
const MOST = { codes: 4000, characters: 100_000 } as const;

/**
 * Cuts lists, sections and plain values (as in JSON) and omits keys without a value. Throws RangeError for other data.
 */
export function* cut(data: unknown): Generator<Piece> {
  let codes: number[] = [];
  let values: Scalar[] = [];
  let characters = 0;
  for (const [code, value] of tokens(data)) {
    codes.push(code);
    if (value !== undefined) values.push(value);
    if (typeof value === 'string') characters += value.length;
    if (codes.length < MOST.codes && characters < MOST.characters) continue;
    yield { codes: Uint8Array.from(codes), values };
    codes = [];
    values = [];
    characters = 0;
  }
  if (codes.length > 0) yield { codes: Uint8Array.from(codes), values };
}

function* tokens(data: unknown): Generator<readonly [code: number, value?: Scalar]> {
  if (data === null || typeof data === 'string' || typeof data === 'number' || typeof data === 'boolean') {
    yield [CODE.value, data];
  } else if (Array.isArray(data)) {
    yield [CODE.list];
    for (const item of data) yield* tokens(item);
    yield [CODE.end];
  } else if (typeof data === 'object') {
    yield [CODE.section];
    for (const [key, value] of Object.entries(data)) {
      if (value === undefined) continue;
      yield [CODE.key, key];
      yield* tokens(value);
    }
    yield [CODE.end];
  } else throw new RangeError(`${typeof data} is not plain data`);
}

type OpenPiece = { readonly list: unknown[] } | { readonly section: Record<string, unknown>; key: string };

/** Joins pieces in order. */
export class Assembly {
  readonly #open: OpenPiece[] = [];
  #whole: unknown;

  /** The joined data; undefined before the last piece. */
  get whole(): unknown {
    return this.#whole;
  }

  take({ codes, values }: Piece): void {
    let at = 0;
    for (const code of codes) {
      switch (code) {
        case CODE.value:
          this.#add(values[at++]);
          break;
        case CODE.key: {
          const top = this.#open.at(-1);
          if (top !== undefined && 'section' in top) top.key = String(values[at++]);
          break;
        }
        case CODE.list:
          this.#open.push({ list: [] });
          break;
        case CODE.section:
          this.#open.push({ section: {}, key: '' });
          break;
        default: {
          const done = this.#open.pop();
          if (done !== undefined) this.#add('list' in done ? done.list : done.section);
        }
      }
    }
  }

  #add(value: unknown): void {
    const top = this.#open.at(-1);
    if (top === undefined) this.#whole = value;
    else if ('list' in top) top.list.push(value);
    // Assigning to a key named __proto__ would set the prototype.
    else if (top.key === '__proto__') {
      Object.defineProperty(top.section, top.key, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else top.section[top.key] = value;
  }
}
