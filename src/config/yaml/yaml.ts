/** Reads YAML so that every value can be found again in the file. */
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
import { dotted, type Path } from '../problem.ts';
import type { ConfigProblem } from '../types.ts';
import { sentence, syntaxFaults } from './yaml-advice.ts';
import { BeyondBounds, YamlBounds } from './yaml-bounds.ts';
import { type Entry, writtenOf, YamlTree } from './yaml-tree.ts';

/** A place in a file, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A file that was read, with what is wrong with it as YAML. */
export interface YamlSource {
  /** The file as the reader knows it. */
  readonly file: string;
  /** Plain data, with aliases and merge keys (`<<`) in effect. A key without a value is left out: it means its default. */
  readonly value: unknown;
  readonly problems: readonly ConfigProblem[];
  /** False when the problems make the content uncertain, so that further findings would mislead. */
  readonly readable: boolean;
  /** Where the value at `path` is written, or its key; where there is none, the nearest thing above it. */
  place(path: Path, what: 'key' | 'value'): Place;
  /** A value without quotes exactly as it is written (`010`, `1e3`); undefined for anything else. */
  written(path: Path): string | undefined;
  /** The keys of the section at `path` in the order of the file, those without a value included; empty for anything else. */
  keys(path: Path): readonly string[];
}

const TOP: Place = { line: 1, column: 1 };

/** Errors of the parser that are looked at: each is compared with every line, and most follow from the first. */
const MOST_FAULTS = 100;

/** Parses one YAML document (YAML 1.2 core schema, and merge keys). Never throws: what is not YAML is a problem. */
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
    const message = `this cannot be read: ${sentence(errorText(error))}`;
    return unreadable(file, [{ file, ...TOP, path: '', message, fix: 'write it in a simpler form' }]);
  }
}

/** A file of whose content nothing is known. */
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

/** The parser's tokens, each lexeme judged before the parser has it. */
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
      'remove the line "---" and what follows it',
    );
  }
  const { value, tooLarge } = plainOf(tree);
  if (tooLarge !== undefined) {
    problem(
      tooLarge,
      [],
      'this alias expands too far: nested aliases multiply each other',
      'write the values out in place of aliases',
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

/** The nodes at exactly this path; several where a key is written more than once, none where it does not lead anywhere. */
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
 * Finds the deepest node along the path; the last step may ask for the key instead of the value. Merged content is found
 * where it is written. Of a duplicate key, the last one that contains the rest of the path counts.
 */
function find(tree: YamlTree, path: Path, what: 'key' | 'value'): Node | undefined {
  let nodes: readonly Node[] = tree.root === undefined ? [] : [tree.resolve(tree.root) ?? tree.root];
  for (const [depth, part] of path.entries()) {
    const last = depth === path.length - 1;
    const below = nodes.flatMap((node) => stepInto(tree, node, part));
    const found = below.at(-1);
    if (found === undefined) return nodes.at(-1);
    if (last) return what === 'key' ? (found.key ?? found.value ?? undefined) : (found.value ?? found.key);
    // The last step is the alias where it is written; steps before it follow the alias to its content.
    nodes = below.flatMap(({ key, value }) => tree.resolve(value) ?? key ?? []);
  }
  return nodes.at(-1);
}

interface Step {
  readonly key?: Node;
  readonly value: Node | null;
}

function stepInto(tree: YamlTree, node: Node, part: string | number): readonly Step[] {
  if (isMap(node)) return tree.entries(node).get(String(part)) ?? [];
  if (!isSeq(node) || typeof part !== 'number') return [];
  const item = node.items[part] as Node | null | undefined;
  return item === undefined ? [] : [{ value: item }];
}

// From a YAML tree to plain data.

/** Data and the number of values in it, each use of an alias counted. */
interface Plain {
  readonly value: unknown;
  readonly size: number;
}

/** Text that says nothing. */
const NOTHING: Plain = { value: undefined, size: 1 };

/** Limits how many values aliases may add: a fixed number, and some for each value that is written. */
const ADDED = { atFirst: 250_000, each: 20 } as const;

/**
 * Converts a document to plain data; a key without a value is left out. Of a duplicate section both are read, so that the
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

/** Converts each anchored node once and shares the result, so that expansion is counted and never carried out. */
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
    // An empty item stays in the list: leaving it out would move the others.
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

  /** The value of a key that may be written more than once: sections are put together, of anything else the last counts. */
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
