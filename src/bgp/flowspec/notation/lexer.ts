/** Splits operator notation into words and signs, each with its position in the text. */

/** An error in a text, with its position. */
export interface NotationError {
  /** One sentence that includes the word. */
  readonly message: string;
  /** Start of the word, in UTF-16 units from the start of the text. */
  readonly offset: number;
  /** Length of the word; 0 if something is missing at the end. */
  readonly length: number;
  /** A valid text for this position. */
  readonly expected: string;
  /** The most similar known word, if there is one. */
  readonly nearest?: string;
}

/** A word, a sign (`, & < <= > >= = != !`), or the end of the text. */
export interface Token {
  readonly kind: 'word' | 'sign' | 'end';
  readonly text: string;
  readonly offset: number;
}

/** Unwinds the parser on an error; parseRule turns it into a value. */
export class NotationFailure extends Error {
  override readonly name = 'NotationFailure';
  readonly error: NotationError;

  constructor(error: NotationError) {
    super(error.message);
    this.error = error;
  }
}

const TOKEN = /\s*([,&]|[<>!]=?|=|[^\s,&<>=!]+)/y;

/** Splits a text into words and signs, followed by an end token. Accepts any text. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (;;) {
    const match = TOKEN.exec(text);
    const found = match?.[1];
    if (match === null || found === undefined) break;
    const kind = /^[,&<>=!]/.test(found) ? 'sign' : 'word';
    tokens.push({ kind, text: found, offset: match.index + match[0].length - found.length });
  }
  tokens.push({ kind: 'end', text: '', offset: text.length });
  return tokens;
}

/** Reads the tokens of a text once, in order. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  /** Returns the next token without taking it; at the end, always the end token. */
  peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** Takes the next token. */
  take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  /** Takes the next token if it is this word or sign. */
  takeIf(text: string): boolean {
    const token = this.peek();
    if (token.kind === 'end' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  /** Takes a word; throws an error that names `expected` if something else or nothing follows. */
  word(expected: string): Token {
    const token = this.peek();
    if (token.kind !== 'word') throw failure(token, expected);
    return this.take();
  }
}

/**
 * Returns the failure at a token. `expected` completes "expected ..."; the most similar word of `known` is suggested.
 */
export function failure(token: Token, expected: string, known: Iterable<string> = []): NotationFailure {
  const what = token.kind === 'end' ? 'the text ends' : `"${token.text}" is not understood`;
  const nearest = token.kind === 'word' ? nearestWord(token.text, known) : undefined;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return failureAt(token, `${what}, expected ${expected}${hint}`, expected, nearest);
}

/** Returns the failure at a token with its own message. */
export function failureAt(
  token: Token,
  message: string,
  expected: string,
  nearest?: string,
): NotationFailure {
  const place = { message, offset: token.offset, length: token.text.length, expected };
  return new NotationFailure(nearest === undefined ? place : { ...place, nearest });
}

/**
 * Returns the known word with the fewest edits, at most a third of its length; otherwise one that begins with the word
 * or that the word begins with.
 */
function nearestWord(text: string, known: Iterable<string>): string | undefined {
  if (text.length > 32) return undefined;
  const word = text.toLowerCase();
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const edits = editDistance(word, candidate);
    const continues = word.length > 2 && (candidate.startsWith(word) || word.startsWith(candidate));
    const isNear = edits <= Math.max(1, candidate.length / 3);
    const distance = isNear ? edits : continues ? word.length + edits : Number.POSITIVE_INFINITY;
    if (distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

/** Counts the edits (insertion, deletion, replacement, swap of adjacent letters) that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(replaced, (last[j] as number) + 1, (row[j - 1] as number) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] as number) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] as number;
}
