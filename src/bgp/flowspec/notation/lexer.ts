/** Operator notation as a row of words and signs, each with its place in the text. */

/** What is wrong with a text, and where. */
export interface NotationError {
  /** In one sentence, the word included. */
  readonly message: string;
  /** Where the word begins, in UTF-16 units from the start of the text. */
  readonly offset: number;
  /** How long it is; 0 when something is missing at the end. */
  readonly length: number;
  /** What would have been right here. */
  readonly expected: string;
  /** The known word that comes nearest, when one is near. */
  readonly nearest?: string;
}

/** A word, a sign (`, & < <= > >= = != !`), or the end of the text. */
export interface Token {
  readonly kind: 'word' | 'sign' | 'end';
  readonly text: string;
  readonly offset: number;
}

/** How the parser leaves from deep inside; parseRule turns it into a value. */
export class NotationFailure extends Error {
  override readonly name = 'NotationFailure';
  readonly error: NotationError;

  constructor(error: NotationError) {
    super(error.message);
    this.error = error;
  }
}

const TOKEN = /\s*([,&]|[<>!]=?|=|[^\s,&<>=!]+)/y;

/** Words and signs of a text, the end last. Any text has some. */
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

/** Goes through the tokens of a text once. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  /** The next token; the end stays the next one forever. */
  peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** Takes the next token. */
  take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  /** Takes the next token when it is this word or sign. */
  takeIf(text: string): boolean {
    const token = this.peek();
    if (token.kind === 'end' || token.text !== text) return false;
    this.#at++;
    return true;
  }

  /** Takes a word; fails with what was expected when something else or nothing follows. */
  word(expected: string): Token {
    const token = this.peek();
    if (token.kind !== 'word') throw failure(token, expected);
    return this.take();
  }
}

/** The failure at a token: `expected` completes "expected ...". `known` are the words among which the nearest is sought. */
export function failure(token: Token, expected: string, known: Iterable<string> = []): NotationFailure {
  const what = token.kind === 'end' ? 'the text ends' : `"${token.text}" is not understood`;
  const nearest = token.kind === 'word' ? nearestWord(token.text, known) : undefined;
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  return failureAt(token, `${what}, expected ${expected}${hint}`, expected, nearest);
}

/** The failure at a token with a sentence of its own. */
export function failureAt(
  token: Token,
  message: string,
  expected: string,
  nearest?: string,
): NotationFailure {
  const place = { message, offset: token.offset, length: token.text.length, expected };
  return new NotationFailure(nearest === undefined ? place : { ...place, nearest });
}

/** The known word with the fewest edits, at most a third of its length; failing that, one that continues the word or is its beginning. */
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

/** Edits (insertion, deletion, replacement, swap of neighbors) that turn one word into the other. */
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
