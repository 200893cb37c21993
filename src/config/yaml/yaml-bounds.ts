/**
 * Bounds a YAML text, lexeme by lexeme, before the parser sees it. Some short texts take a parser more than linear
 * time: keys written with `?` double the work with each level, and unlimited nesting overflows the stack.
 */
import { LIMITS } from '../file-limits.ts';

/** Stops reading a text that exceeds a limit. */
export class BeyondBounds extends Error {
  /** Characters from the start of the text. */
  readonly offset: number;
  readonly fix: string;

  constructor(offset: number, message: string, fix: string) {
    super(message);
    this.name = 'BeyondBounds';
    this.offset = offset;
    this.fix = fix;
  }
}

/**
 * Characters that the lexer inserts: the start of a document, the end of flow style after an error, before a scalar.
 */
const START = '\u0002';
const FLOW_END = '\u0018';
const SCALAR = '\u001f';

/** Counts nodes and depth along the lexemes of one text. */
export class YamlBounds {
  #offset = 0;
  #lineStart = 0;
  #nodes = 0;
  #atScalar = false;
  /** Number of open brackets. */
  #flow = 0;
  /** Columns of the enclosing lists and sections that are written by indentation. */
  readonly #columns: number[] = [];
  /** Column of the last scalar, which is a key if a colon follows. */
  #scalarColumn = 0;

  /** Takes the next lexeme. Throws BeyondBounds. */
  take(lexeme: string): void {
    const isScalar = this.#atScalar;
    this.#atScalar = !isScalar && lexeme === SCALAR;
    if (!isScalar && (lexeme === START || lexeme === SCALAR)) return;
    if (!isScalar && lexeme === FLOW_END) {
      this.#flow = 0;
      return;
    }
    if (isScalar) this.#scalar();
    else this.#indicator(lexeme);
    const lineEnd = lexeme.lastIndexOf('\n');
    if (lineEnd >= 0) this.#lineStart = this.#offset + lineEnd + 1;
    this.#offset += lexeme.length;
  }

  #indicator(lexeme: string): void {
    switch (lexeme[0]) {
      case '[':
      case '{':
        this.#flow++;
        this.#count();
        this.#checkDepth();
        return;
      case ']':
      case '}':
        this.#flow = Math.max(0, this.#flow - 1);
        return;
      case '-':
        if (lexeme === '-') this.#block(this.#offset - this.#lineStart);
        this.#count();
        return;
      case ':':
        this.#block(this.#scalarColumn);
        return;
      case '?':
        throw new BeyondBounds(this.#offset, 'keys written with "?" are not supported', 'write "key: value"');
      case '"':
      case "'":
      case '*':
        this.#scalar();
        return;
      default:
    }
  }

  #scalar(): void {
    if (this.#flow === 0) this.#scalarColumn = this.#offset - this.#lineStart;
    this.#count();
  }

  /** Enters the list or section that has an item or key at this column. */
  #block(column: number): void {
    if (this.#flow > 0) return;
    while ((this.#columns.at(-1) ?? -1) > column) this.#columns.pop();
    if (this.#columns.at(-1) !== column) this.#columns.push(column);
    this.#checkDepth();
  }

  #checkDepth(): void {
    if (this.#columns.length + this.#flow <= LIMITS.depth) return;
    const message = `lists and sections are nested more than ${LIMITS.depth} deep here`;
    throw new BeyondBounds(this.#offset, message, 'no setting needs that depth: look for unclosed brackets');
  }

  #count(): void {
    if (++this.#nodes <= LIMITS.nodes) return;
    const message = `this file contains more than ${LIMITS.nodes.toLocaleString('en')} values`;
    throw new BeyondBounds(this.#offset, message, 'make the file smaller');
  }
}
