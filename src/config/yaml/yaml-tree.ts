/** Resolves aliases and applies merge keys in a parsed YAML document, and collects the problems found there. */
import type { Document, Node, Pair, Scalar, YAMLMap } from 'yaml';
import { isAlias, isMap, isScalar, isSeq } from 'yaml';
import type { Path } from '../config-problem.ts';

/** A key of a section and its value; null if no value is written. */
export interface Entry {
  readonly key: Scalar;
  readonly value: Node | null;
}

/** A problem of the text itself. If `fatal`, the content is uncertain and must not be checked further. */
export interface TreeProblem {
  readonly offset: number;
  readonly path: Path;
  readonly message: string;
  readonly fix: string;
  readonly fatal: boolean;
}

/** A resolved document; read-only. */
export class YamlTree {
  readonly root: Node | undefined;
  readonly problems: readonly TreeProblem[];
  /** Number of nodes in the text, aliases not followed. */
  readonly size: number;
  readonly #targets: ReadonlyMap<Node, Node>;
  readonly #entries = new Map<YAMLMap, ReadonlyMap<string, readonly Entry[]>>();

  constructor(document: Document) {
    this.root = document.contents ?? undefined;
    const walk = new Walk();
    if (this.root !== undefined) walk.enter(this.root, []);
    this.#targets = walk.targets;
    this.problems = walk.problems;
    this.size = walk.size;
  }

  /** Follows an alias to its content; returns any other node as it is. */
  resolve(node: Node | null | undefined): Node | undefined {
    let here = node ?? undefined;
    // YAML forbids anchors on aliases, but the parser does not guarantee it.
    while (isAlias(here)) here = this.#targets.get(here);
    return here;
  }

  /**
   * Returns a section's entries by key, in the order of the file: its own, then those added by merge keys. A key that
   * is written twice has both entries.
   */
  entries(map: YAMLMap): ReadonlyMap<string, readonly Entry[]> {
    const known = this.#entries.get(map);
    if (known !== undefined) return known;
    // A section that merges itself adds nothing.
    this.#entries.set(map, new Map());
    const entries = new Map<string, Entry[]>();
    const merges: Node[] = [];
    for (const pair of map.items) {
      const entry = entryOf(pair);
      if (entry === undefined) continue;
      if (isMergeKey(entry.key)) merges.push(...this.#mergedBy(entry.value));
      else entries.set(keyText(entry.key), [...(entries.get(keyText(entry.key)) ?? []), entry]);
    }
    for (const source of merges) {
      if (!isMap(source)) continue;
      for (const [key, found] of this.entries(source)) {
        if (!entries.has(key)) entries.set(key, [...found]);
      }
    }
    this.#entries.set(map, entries);
    return entries;
  }

  /**
   * Returns the sections of a merge key: one, or those of a list. The first section that has a key takes precedence.
   */
  #mergedBy(value: Node | null): readonly Node[] {
    const node = this.resolve(value);
    const nodes = isSeq(node) ? (node.items as readonly (Node | null)[]) : [node];
    return nodes.flatMap((item) => this.resolve(item) ?? []);
  }
}

/** Walks a document once, in order, because an alias refers to the last anchor of its name above it. */
class Walk {
  readonly targets = new Map<Node, Node>();
  readonly problems: TreeProblem[] = [];
  size = 0;
  readonly #anchors = new Map<string, Node>();
  /** The nodes that contain the current node. */
  readonly #around = new Set<Node>();

  enter(node: Node | null, path: Path): void {
    this.size++;
    if (node === null) return;
    if (isAlias(node)) {
      this.#alias(node, node.source, path);
      return;
    }
    const anchor = 'anchor' in node && typeof node.anchor === 'string' ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, node);
    this.#around.add(node);
    if (isSeq(node)) {
      for (const [i, item] of node.items.entries()) this.enter(item as Node | null, [...path, i]);
    } else if (isMap(node)) {
      this.#section(node, path);
    }
    this.#around.delete(node);
  }

  #section(map: YAMLMap, path: Path): void {
    const seen = new Set<string>();
    for (const pair of map.items) {
      const entry = entryOf(pair);
      if (entry === undefined) {
        this.#report(pair.key as Node, path, 'a key must be plain text', 'write it as plain text', true);
        continue;
      }
      const at = [...path, keyText(entry.key)];
      if (seen.has(identity(entry.key))) {
        const fix = isMergeKey(entry.key)
          ? 'write one with a list: <<: [*one, *other]'
          : 'remove one of the two';
        this.#report(entry.key, at, 'this key is written twice', fix, false);
      }
      seen.add(identity(entry.key));
      this.enter(entry.value, at);
      if (isMergeKey(entry.key)) this.#mergeKey(entry, at);
    }
  }

  #mergeKey({ key, value }: Entry, path: Path): void {
    const target = (node: Node | null | undefined): Node | null | undefined =>
      isAlias(node) ? this.targets.get(node) : node;
    const node = target(value);
    const sources = isSeq(node) ? node.items.map((item) => target(item as Node | null)) : [node];
    // Unknown aliases are already reported, and a key without a value is allowed.
    if (sources.every((source) => source === undefined || isMap(source) || isNothing(source))) return;
    this.#report(
      value ?? key,
      path,
      'the value of a merge key must be a section, or a list of sections',
      'refer to anchors of sections, such as <<: *common',
      true,
    );
  }

  #alias(node: Node, name: string, path: Path): void {
    const target = this.#anchors.get(name);
    if (target === undefined) {
      this.#report(
        node,
        path,
        `the alias *${name} has no anchor &${name} above it`,
        `write &${name} at the content, above this line`,
        true,
      );
    } else if (this.#around.has(target)) {
      this.#report(
        node,
        path,
        `the alias *${name} refers to a section that contains it`,
        'write the values out instead',
        true,
      );
    } else {
      this.targets.set(node, target);
    }
  }

  #report(node: Node, path: Path, message: string, fix: string, fatal: boolean): void {
    this.problems.push({ offset: node.range?.[0] ?? 0, path, message, fix, fatal });
  }
}

function isNothing(node: Node | null): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function entryOf(pair: Pair): Entry | undefined {
  return isScalar(pair.key) ? { key: pair.key, value: pair.value as Node | null } : undefined;
}

/** True for `<<` without quotes (https://yaml.org/type/merge.html). */
function isMergeKey(key: Scalar): boolean {
  return key.value === '<<' && (key.type === undefined || key.type === 'PLAIN');
}

/** Distinguishes a merge key from a quoted key `<<`. */
function identity(key: Scalar): string {
  return isMergeKey(key) ? 'merge' : `key ${keyText(key)}`;
}

/** Returns a key as it is written: YAML reads a plain `010` as a number, but a name is text. */
export function keyText(key: Scalar): string {
  return writtenOf(key) ?? String(key.value);
}

/** Returns a plain scalar as it is written; undefined for quoted ones, whose value is the text. */
export function writtenOf(node: Node | undefined): string | undefined {
  return isScalar(node) && node.type === 'PLAIN' && typeof node.source === 'string' ? node.source : undefined;
}
