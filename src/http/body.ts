/**
 * Parses JSON bodies: one value, or newline-delimited values. Bounds their nesting so that later code can walk them.
 */
import { refuseLongBatch } from './batch.ts';
import { HttpProblem } from './http-problem.ts';

/** 1 MiB; a longer body is answered 413. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** 8 MiB for signals, which may contain a packet dump or the annotations of a thousand alerts. */
export const MAX_SIGNAL_BYTES = 8 * 1024 * 1024;
/** Maximum depth of objects and arrays; deeper nesting is answered 400. */
export const MAX_NESTING = 32;

/**
 * A line of a newline-delimited body. It is parsed only when its turn comes, because ten thousand invalid lines take
 * many milliseconds.
 */
export class BodyLine {
  readonly #text: string;
  readonly #number: number;

  constructor(text: string, number: number) {
    this.#text = text;
    this.#number = number;
  }

  get text(): string {
    return this.#text;
  }

  /** Parses the line. Throws HttpProblem 400. */
  value(): unknown {
    return parseJson(this.#text, `line ${this.#number}`);
  }
}

/** Matches a forbidden key, or an escape that may spell one. Texts without either need no walk. */
const SUSPICIOUS = /"(?:__proto__|constructor|prototype)"|\\u00/;

/** Parses a JSON text; an empty one is undefined. Throws HttpProblem 400. */
export function parseJsonBody(text: string): unknown {
  return text === '' ? undefined : parseJson(text, 'the body');
}

/**
 * Splits a body into its lines without empty ones. Throws HttpProblem 413 for more lines, or more empty ones, than
 * MAX_BATCH.
 */
export function parseNdjsonBody(text: string): readonly BodyLine[] {
  const lines: BodyLine[] = [];
  let number = 0;
  for (let from = 0; from <= text.length; ) {
    number++;
    const feed = text.indexOf('\n', from);
    const end = feed < 0 ? text.length : feed;
    const line = text.slice(from, end);
    from = end + 1;
    if (line.trim() !== '') lines.push(new BodyLine(line, number));
    refuseLongBatch(Math.max(lines.length, number - lines.length - 1));
  }
  return lines;
}

function parseJson(text: string, where: string): unknown {
  if (nestsDeeper(text, MAX_NESTING)) {
    throw new HttpProblem(400, `${where} is nested deeper than ${MAX_NESTING} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/[^\x20-\x7e]/g, '?').slice(0, 120) : '';
    throw new HttpProblem(400, `${where} is not valid JSON: ${why}`);
  }
  if (SUSPICIOUS.test(text)) refusePrototypeKeys(value, where);
  return value;
}

/** Returns true if brackets outside strings are nested deeper than `limit`. */
function nestsDeeper(text: string, limit: number): boolean {
  // Most texts have too few brackets to nest that deep, and counting those is much faster than reading every character.
  if (countUpTo(limit, '{', text) + countUpTo(limit, '[', text) <= limit) return false;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x22) i = endOfString(text, i + 1);
    else if (c === 0x7b || c === 0x5b) {
      if (++depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth--;
  }
  return false;
}

/** Counts the occurrences of a character; stops at `limit` + 1. */
export function countUpTo(limit: number, character: string, text: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0 && count <= limit; at = text.indexOf(character, at + 1))
    count++;
  return count;
}

/** Returns the index of the closing quote of the string that begins at `from`, or the text's length. */
export function endOfString(text: string, from: number): number {
  let i = from;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === 0x22) return i;
    i += c === 0x5c ? 2 : 1;
  }
  return text.length;
}

/**
 * Refuses keys that could reach an object's prototype when a value is copied key by key. Nesting is already bounded.
 */
function refusePrototypeKeys(value: unknown, where: string): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__' || key === 'constructor' || key === 'prototype') {
      throw new HttpProblem(400, `${where} has the key "${key}", which is not allowed`);
    }
    refusePrototypeKeys(inner, where);
  }
}
