/**
 * A path-compressed binary trie over IPv4 and IPv6 prefixes: cost depends on the depth of nesting, not on their number.
 */
import type { Prefix } from './prefix.ts';

/** An address as four words of 32 bits, most significant first; an IPv4 address is the first word alone. */
type Words = readonly [w0: number, w1: number, w2: number, w3: number];

/**
 * Nodes are adjacent in one array of 32-bit words, which suits the processor's cache. A node has eight words: the
 * address, the prefix length, the child nodes for next bit 0 and 1, and the value. Node 0 and value 0 mean none.
 */
const NODE = { size: 8, length: 4, children: 5, value: 7 } as const;

/** Roots by family. */
interface Roots {
  4: number;
  6: number;
}

/** Maps prefixes to values. `T` must not include undefined. */
export class PrefixTrie<T> {
  #nodes = new Int32Array(16 * NODE.size);
  #count = 1;
  readonly #values: (T | undefined)[] = [undefined];
  readonly #roots: Roots = { 4: 0, 6: 0 };

  /** Adds a prefix, or replaces its value. Returns the previous value. */
  set(prefix: Prefix, value: T): T | undefined {
    const words = wordsOf(prefix.address);
    let parent = 0;
    let node = this.#roots[prefix.family];
    while (node !== 0) {
      const length = this.#field(node, NODE.length);
      const shared = this.#sharedBits(node, words, Math.min(length, prefix.length));
      if (shared === length && shared === prefix.length) return this.#give(node, value);
      if (shared < length) break;
      parent = node;
      node = this.#child(node, bitAt(words, length));
    }
    const leaf = this.#newNode(words, prefix.length);
    this.#give(leaf, value);
    this.#hang(prefix.family, parent, node === 0 ? leaf : this.#above(node, leaf, words, prefix.length));
    return undefined;
  }

  /** Returns the value of exactly this prefix. */
  get(prefix: Prefix): T | undefined {
    const node = this.#path(prefix).at(-1) ?? 0;
    if (this.#field(node, NODE.length) !== prefix.length) return undefined;
    return this.#values[this.#field(node, NODE.value)];
  }

  /** Returns the values of all prefixes that cover the given one, itself included, longest first. */
  covering(prefix: Prefix): readonly T[] {
    const values: T[] = [];
    for (const node of this.#path(prefix).reverse()) {
      const value = this.#values[this.#field(node, NODE.value)];
      if (value !== undefined) values.push(value);
    }
    return values;
  }

  /** Yields the values of all prefixes inside the given one, itself included, in the order of their addresses. */
  *within(prefix: Prefix): Generator<T> {
    const words = wordsOf(prefix.address);
    let node = this.#roots[prefix.family];
    while (node !== 0) {
      const length = this.#field(node, NODE.length);
      const shared = Math.min(length, prefix.length);
      if (this.#sharedBits(node, words, shared) < shared) return;
      if (length >= prefix.length) break;
      node = this.#child(node, bitAt(words, length));
    }
    yield* this.#below(node);
  }

  /** Yields all values, IPv4 first, in the order of their addresses. */
  *values(): Generator<T> {
    yield* this.#below(this.#roots[4]);
    yield* this.#below(this.#roots[6]);
  }

  /** Returns the value of the longest prefix that covers an address of 4 or 16 octets. */
  longestMatch(address: Uint8Array): T | undefined {
    return this.#walk(address.length === 4 ? 4 : 6, wordsOf(address), address.length * 8);
  }

  /** Returns the value of the longest prefix that covers the given one and is shorter. */
  parentOf(prefix: Prefix): T | undefined {
    return this.#walk(prefix.family, wordsOf(prefix.address), prefix.length - 1);
  }

  /** Returns the value of any prefix that covers the given one or is inside it. */
  anyOverlapping(prefix: Prefix): T | undefined {
    const words = wordsOf(prefix.address);
    let node = this.#roots[prefix.family];
    while (node !== 0) {
      const length = this.#field(node, NODE.length);
      const shared = Math.min(length, prefix.length);
      if (this.#sharedBits(node, words, shared) < shared) return undefined;
      const value = this.#values[this.#field(node, NODE.value)];
      if (value !== undefined) return value;
      // Every path below the given prefix ends in a value, because a leaf has one.
      if (length >= prefix.length) node = this.#child(node, 0) || this.#child(node, 1);
      else node = this.#child(node, bitAt(words, length));
    }
    return undefined;
  }

  /** Returns the nodes that cover a prefix, from the root down. */
  #path(prefix: Prefix): number[] {
    const words = wordsOf(prefix.address);
    const path: number[] = [];
    let node = this.#roots[prefix.family];
    while (node !== 0) {
      const length = this.#field(node, NODE.length);
      if (length > prefix.length || this.#sharedBits(node, words, length) < length) break;
      path.push(node);
      if (length === prefix.length) break;
      node = this.#child(node, bitAt(words, length));
    }
    return path;
  }

  *#below(top: number): Generator<T> {
    const open = [top];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      if (node === 0) continue;
      const value = this.#values[this.#field(node, NODE.value)];
      if (value !== undefined) yield value;
      open.push(this.#child(node, 1), this.#child(node, 0));
    }
  }

  /** Follows an address down and returns the last value seen on nodes no longer than `maxLength`. */
  #walk(family: 4 | 6, words: Words, maxLength: number): T | undefined {
    const nodes = this.#nodes;
    let node = this.#roots[family];
    let best = 0;
    while (node !== 0) {
      const base = node * NODE.size;
      const length = nodes[base + NODE.length] ?? 0;
      if (length > maxLength || this.#sharedBits(node, words, length) < length) break;
      best = nodes[base + NODE.value] || best;
      if (length === 128) break;
      node = nodes[base + NODE.children + bitAt(words, length)] ?? 0;
    }
    return this.#values[best];
  }

  /**
   * Adds a node above an existing node and a new leaf, where they diverge; or returns the leaf if it covers the node.
   */
  #above(node: number, leaf: number, words: Words, length: number): number {
    const shared = this.#sharedBits(node, words, Math.min(this.#field(node, NODE.length), length));
    const above = shared === length ? leaf : this.#newNode(words, shared);
    if (above !== leaf) this.#attach(above, leaf);
    this.#attach(above, node);
    return above;
  }

  #hang(family: 4 | 6, parent: number, node: number): void {
    if (parent === 0) this.#roots[family] = node;
    else this.#attach(parent, node);
  }

  #attach(parent: number, child: number): void {
    const length = this.#field(parent, NODE.length);
    const word = this.#field(child, length >>> 5);
    const bit = (word >>> (31 - (length & 31))) & 1;
    this.#nodes[parent * NODE.size + NODE.children + bit] = child;
  }

  /** Leaves the bits behind the length unchanged, because nothing reads them. */
  #newNode(words: Words, length: number): number {
    const node = this.#count++;
    const base = node * NODE.size;
    if (base + NODE.size > this.#nodes.length) {
      const larger = new Int32Array(this.#nodes.length * 2);
      larger.set(this.#nodes);
      this.#nodes = larger;
    }
    this.#nodes.set(words, base);
    this.#nodes[base + NODE.length] = length;
    return node;
  }

  /** Sets a node's value; returns the previous one. */
  #give(node: number, value: T): T | undefined {
    const index = this.#field(node, NODE.value);
    const before = this.#values[index];
    if (index === 0) this.#nodes[node * NODE.size + NODE.value] = this.#values.push(value) - 1;
    else this.#values[index] = value;
    return before;
  }

  #field(node: number, field: number): number {
    return this.#nodes[node * NODE.size + field] ?? 0;
  }

  #child(node: number, bit: number): number {
    return this.#field(node, NODE.children + bit);
  }

  /** Counts the bits that a node and an address share, up to `max`. */
  #sharedBits(node: number, words: Words, max: number): number {
    const nodes = this.#nodes;
    const base = node * NODE.size;
    for (let i = 0; i << 5 < max; i++) {
      const difference = (nodes[base + i] ?? 0) ^ (words[i] ?? 0);
      if (difference !== 0) return Math.min(max, (i << 5) + Math.clz32(difference));
    }
    return max;
  }
}

function wordsOf(address: Uint8Array): Words {
  const w0 = wordAt(address, 0);
  if (address.length === 4) return [w0, 0, 0, 0];
  return [w0, wordAt(address, 4), wordAt(address, 8), wordAt(address, 12)];
}

function wordAt(address: Uint8Array, i: number): number {
  return (
    ((address[i] ?? 0) << 24) |
    ((address[i + 1] ?? 0) << 16) |
    ((address[i + 2] ?? 0) << 8) |
    (address[i + 3] ?? 0)
  );
}

function bitAt(words: Words, index: number): number {
  return ((words[index >>> 5] ?? 0) >>> (31 - (index & 31))) & 1;
}

// Finds overlaps in a long, unchanging list of prefixes.

/** Indexes by list: lists belong to a policy, which never changes, so each is indexed once, at first use. */
const indexes = new WeakMap<readonly Prefix[], PrefixTrie<Prefix>>();

/** Returns a prefix of the list that covers the given one or is inside it. */
export function overlappingPrefix(list: readonly Prefix[], prefix: Prefix): Prefix | undefined {
  if (list.length === 0) return undefined;
  let index = indexes.get(list);
  if (index === undefined) {
    index = new PrefixTrie<Prefix>();
    for (const entry of list) index.set(entry, entry);
    indexes.set(list, index);
  }
  return index.anyOverlapping(prefix);
}
