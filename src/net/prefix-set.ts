/** A set of prefixes that finds overlaps in as many steps as a prefix has bits. */
import type { Prefix } from './prefix.ts';

interface Node {
  zero: Node | undefined;
  one: Node | undefined;
  /** The prefix that ends here. */
  entry: Prefix | undefined;
}

const newNode = (): Node => ({ zero: undefined, one: undefined, entry: undefined });

/** Built once, then only read. Duplicates are harmless. */
export class PrefixSet {
  readonly #roots = { 4: newNode(), 6: newNode() };
  readonly size: number;

  constructor(prefixes: Iterable<Prefix>) {
    let size = 0;
    for (const prefix of prefixes) {
      this.#add(prefix);
      size++;
    }
    this.size = size;
  }

  /**
   * Returns a member that covers the prefix or is covered by it; undefined for none. The shortest covering one wins.
   */
  overlapping(prefix: Prefix): Prefix | undefined {
    let node: Node | undefined = this.#roots[prefix.family];
    for (let depth = 0; depth < prefix.length; depth++) {
      if (node.entry !== undefined) return node.entry;
      node = bit(prefix, depth) ? node.one : node.zero;
      if (node === undefined) return undefined;
    }
    return firstBelow(node);
  }

  #add(prefix: Prefix): void {
    let node = this.#roots[prefix.family];
    for (let depth = 0; depth < prefix.length; depth++) {
      if (bit(prefix, depth)) {
        node.one ??= newNode();
        node = node.one;
      } else {
        node.zero ??= newNode();
        node = node.zero;
      }
    }
    node.entry = prefix;
  }
}

function bit(prefix: Prefix, depth: number): boolean {
  return ((prefix.address[depth >>> 3] as number) & (0x80 >> (depth & 7))) !== 0;
}

/** Follows any path down: every node except a root leads to an entry. */
function firstBelow(start: Node): Prefix | undefined {
  let node: Node | undefined = start;
  while (node !== undefined) {
    if (node.entry !== undefined) return node.entry;
    node = node.zero ?? node.one;
  }
  return undefined;
}
