/** From a YAML tree to plain data. */
import type { Node } from 'yaml';
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Entry, YamlTree } from './yaml-tree.ts';

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
