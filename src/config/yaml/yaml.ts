/** Parses YAML and remembers the place of every value in the file. */
import {
  Composer,
  type CST,
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
} from 'yaml';
import { errorText } from '../../net/text.ts';
import { dotted, type Path } from '../config-problem.ts';
import type { ConfigProblem } from '../types.ts';
import { sentence, syntaxFaults } from './yaml-advice.ts';
import { BeyondBounds, YamlBounds } from './yaml-bounds.ts';
import { type Entry, writtenOf, YamlTree } from './yaml-tree.ts';

/** A place in a file; line and column count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A parsed file and its YAML problems. */
export interface YamlSource {
  /** The file's name as shown to the user. */
  readonly file: string;
  /**
   * Plain data with aliases and merge keys (`<<`) applied. A key without a value is omitted, because it means the
   * default.
   */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** False if the problems make the content uncertain, so that further findings would mislead. */
  readonly readable: boolean;
  /** Returns the place of the value at `path` or of its key; if there is none, of the nearest enclosing node. */
  place(path: Path, what: 'key' | 'value'): Place;
  /** Returns an unquoted value exactly as it is written (`010`, `1e3`); undefined for anything else. */
  written(path: Path): string | undefined;
  /**
   * Returns the keys of the section at `path` in the order of the file, with or without values; empty for anything
   * else.
   */
  keys(path: Path): readonly string[];
}

const TOP: Place = { line: 1, column: 1 };

/** Parser errors that are explained. Each is compared with every line, and most follow from the first one. */
const MOST_FAULTS = 100;

/** Parses one YAML document (YAML 1.2 core schema, and merge keys). Never throws: syntax errors are problems. */
export function parseYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  try {
    return parse(file, text, lines, placeAt);
  } catch (error) {
    if (error instanceof BeyondBounds) {
      const { offset, message, fix } = error;
      return unreadable(file, [{ file, ...placeAt(offset), path: '', message, fix }]);
    }
    const message = `cannot be read: ${sentence(errorText(error))}`;
    return unreadable(file, [{ file, ...TOP, path: '', message, fix: 'write it in a simpler form' }]);
  }
}

/** Returns a source without content. */
export function unreadable(file: string, problems: readonly ConfigProblem[]): YamlSource {
  return {
    file,
    value: undefined,
    problems,
    readable: false,
    place: () => TOP,
    written: () => undefined,
    keys: () => [],
  };
}

/** Yields the parser's tokens; checks each lexeme against the limits first. */
function* tokensOf(text: string, lines: LineCounter): Generator<CST.Token> {
  const bounds = new YamlBounds();
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    bounds.take(lexeme);
    yield* parser.next(lexeme);
  }
  yield* parser.end();
}

function parse(
  file: string,
  text: string,
  lines: LineCounter,
  placeAt: (offset: number) => Place,
): YamlSource {
  const composer = new Composer({ prettyErrors: false, logLevel: 'error', uniqueKeys: false });
  const [first, second] = [...composer.compose(tokensOf(text, lines))];
  const document = first ?? new Document({});
  const tree = new YamlTree(document);
  const problems: ConfigProblem[] = [];
  const problem = (offset: number, path: Path, message: string, fix: string): void => {
    problems.push({ file, ...placeAt(offset), path: dotted(path), message, fix });
  };

  for (const { place, message, fix } of syntaxFaults(document.errors.slice(0, MOST_FAULTS), text, placeAt)) {
    problems.push({ file, ...place, path: '', message: `this is not YAML: ${message}`, fix });
  }
  for (const { offset, path, message, fix } of tree.problems) problem(offset, path, message, fix);
  if (second !== undefined) {
    problem(
      second.range[0],
      [],
      'a second document begins here',
      'remove the line "---" and everything after it',
    );
  }
  const { value, tooLarge } = plainOf(tree);
  if (tooLarge !== undefined) {
    problem(
      tooLarge,
      [],
      'this alias expands to too many values: nested aliases multiply each other',
      'write the values out instead of using aliases',
    );
  }
  const unclear =
    document.errors.length > 0 || tooLarge !== undefined || tree.problems.some(({ fatal }) => fatal);
  return {
    file,
    value,
    problems,
    readable: !unclear,
    place(path, what) {
      const offset = find(tree, path, what)?.range?.[0];
      return offset === undefined ? TOP : placeAt(offset);
    },
    written: (path) => writtenOf(tree.resolve(find(tree, path, 'value'))),
    keys(path) {
      const sections = follow(tree, path).filter(isMap);
      return [...new Set(sections.flatMap((section) => [...tree.entries(section).keys()]))];
    },
  };
}

/**
 * Returns the nodes at exactly this path: several if a key is written more than once, none if the path does not exist.
 */
function follow(tree: YamlTree, path: Path): readonly Node[] {
  let nodes: readonly Node[] = tree.root === undefined ? [] : [tree.resolve(tree.root) ?? tree.root];
  for (const part of path) {
    nodes = nodes
      .flatMap((node) => stepInto(tree, node, part))
      .flatMap(({ value }) => tree.resolve(value) ?? []);
  }
  return nodes;
}

/**
 * Finds the deepest node along the path; `what` selects the key or the value of the last step. Merged content is found
 * at the place where it is written. For a duplicate key, uses the last one that contains the rest of the path.
 */
function find(tree: YamlTree, path: Path, what: 'key' | 'value'): Node | undefined {
  let nodes: readonly Node[] = tree.root === undefined ? [] : [tree.resolve(tree.root) ?? tree.root];
  for (const [depth, part] of path.entries()) {
    const last = depth === path.length - 1;
    const below = nodes.flatMap((node) => stepInto(tree, node, part));
    const found = below.at(-1);
    if (found === undefined) return nodes.at(-1);
    if (last) return what === 'key' ? (found.key ?? found.value ?? undefined) : (found.value ?? found.key);
    // The last step stays at the alias itself; earlier steps follow an alias to its content.
    nodes = below.flatMap(({ key, value }) => tree.resolve(value) ?? key ?? []);
  }
  return nodes.at(-1);
}

interface YamlStep {
  readonly key?: Node;
  readonly value: Node | null;
}

function stepInto(tree: YamlTree, node: Node, part: string | number): readonly YamlStep[] {
  if (isMap(node)) return tree.entries(node).get(String(part)) ?? [];
  if (!isSeq(node) || typeof part !== 'number') return [];
  const item = node.items[part] as Node | null | undefined;
  return item === undefined ? [] : [{ value: item }];
}

// Conversion to plain data.

/** Plain data and its number of values; every use of an alias counts. */
interface Plain {
  readonly value: unknown;
  readonly size: number;
}

/** An absent value. */
const NOTHING: Plain = { value: undefined, size: 1 };

/** Limits the values that aliases may add: a fixed number, and some for each written value. */
const ADDED = { atFirst: 250_000, each: 20 } as const;

/**
 * Converts a document to plain data without keys that have no value. Reads both of two duplicate sections, so that the
 * problems of both are found. `tooLarge` is the offset of nested aliases that multiply each other ("billion laughs");
 * then there is no value.
 */
export function plainOf(tree: YamlTree): { readonly value: unknown; readonly tooLarge: number | undefined } {
  const reader = new PlainReader(tree, tree.size * (1 + ADDED.each) + ADDED.atFirst);
  const { value } = reader.read(tree.root);
  return reader.tooLarge === undefined
    ? { value, tooLarge: undefined }
    : { value: undefined, tooLarge: reader.tooLarge };
}

/** Converts each anchored node once and shares the result: expansion is counted but never performed. */
class PlainReader {
  readonly #tree: YamlTree;
  readonly #most: number;
  readonly #done = new Map<Node, Plain>();
  tooLarge: number | undefined;

  constructor(tree: YamlTree, most: number) {
    this.#tree = tree;
    this.#most = most;
  }

  read(written: Node | null | undefined): Plain {
    const node = this.#tree.resolve(written);
    if (node === undefined) return NOTHING;
    const before = this.#done.get(node);
    const plain = before ?? this.#convert(node);
    if (before === undefined) this.#done.set(node, plain);
    if (plain.size > this.#most && this.tooLarge === undefined) {
      this.tooLarge = (isAlias(written) ? written : node).range?.[0] ?? 0;
    }
    return plain;
  }

  #convert(node: Node): Plain {
    if (isScalar(node)) return { value: node.value ?? undefined, size: 1 };
    if (isMap(node)) return this.#section(this.#tree.entries(node));
    if (!isSeq(node)) return NOTHING;
    const items = node.items.map((item) => this.read(item as Node | null));
    // Keep an empty item, because removing it would shift the others.
    return { value: items.map(({ value }) => value ?? null), size: sum(items) };
  }

  #section(entries: ReadonlyMap<string, readonly Entry[]>): Plain {
    const fields = [...entries].map(([key, written]) => [key, this.#field(written)] as const);
    const present = fields.filter(([, { value }]) => value !== undefined);
    return {
      value: Object.fromEntries(present.map(([key, { value }]) => [key, value])),
      size: sum(fields.map(([, plain]) => plain)),
    };
  }

  /**
   * Returns the value of a key that may be written more than once: sections are merged, otherwise the last value is
   * used.
   */
  #field(written: readonly Entry[]): Plain {
    const nodes = written.map(({ value }) => this.#tree.resolve(value));
    const sections = nodes.filter(isMap);
    if (sections.length < 2 || sections.length < nodes.length) return this.read(written.at(-1)?.value);
    const together = new Map<string, Entry[]>();
    for (const section of sections) {
      for (const [key, entries] of this.#tree.entries(section)) {
        together.set(key, [...(together.get(key) ?? []), ...entries]);
      }
    }
    return this.#section(together);
  }
}

function sum(parts: readonly Plain[]): number {
  return parts.reduce((total, { size }) => total + size, 1);
}
