/** Splits operator notation into words and signs, each with its position in the text. */
import { likely } from '../../../net/nearest.ts';

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

/** Longest word (characters) for which a similar one is sought; comparing takes the product of both lengths. */
const LONGEST_GUESSED = 32;

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
  const nearest =
    token.kind === 'word' && token.text.length <= LONGEST_GUESSED
      ? likely(token.text, [...known])
      : undefined;
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
