/** A path-compressed binary trie over IPv4 and IPv6 prefixes: cost grows with the depth of nesting, not with their number. */
import type { Prefix } from '../net/prefix.ts';

/** An address as four words of 32 bits, most significant first; an IPv4 address is the first word alone. Words compare fast. */
interface Words {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

interface Node<T> extends Words {
  readonly length: number;
  value: T | undefined;
  zero: Node<T> | undefined;
  one: Node<T> | undefined;
}

/** Maps prefixes to values. `T` must not include undefined. */
export class PrefixTrie<T> {
  #v4: Node<T> | undefined;
  #v6: Node<T> | undefined;

  /** Adds a prefix, or replaces its value. Returns the value it had. */
  set(prefix: Prefix, value: T): T | undefined {
    const result = insert(this.#root(prefix.family), wordsOf(prefix.address), prefix.length, value);
    if (prefix.family === 4) this.#v4 = result.root;
    else this.#v6 = result.root;
    return result.before;
  }

  /** The value of the longest prefix that covers an address of 4 or 16 octets. */
  longestMatch(address: Uint8Array): T | undefined {
    const family = address.length === 4 ? 4 : 6;
    return walk(this.#root(family), wordsOf(address), address.length * 8);
  }

  /** The value of the longest prefix that covers the given one and is shorter than it. */
  parentOf(prefix: Prefix): T | undefined {
    return walk(this.#root(prefix.family), wordsOf(prefix.address), prefix.length - 1);
  }

  /** The value of any prefix that covers the given one or lies within it. */
  anyOverlapping(prefix: Prefix): T | undefined {
    const words = wordsOf(prefix.address);
    let node = this.#root(prefix.family);
    while (node !== undefined) {
      if (!sameBits(node, words, Math.min(node.length, prefix.length))) return undefined;
      if (node.value !== undefined) return node.value;
      // Below the given prefix every way down ends in a value, because a leaf has one.
      if (node.length >= prefix.length) node = node.zero ?? node.one;
      else node = bitAt(words, node.length) === 1 ? node.one : node.zero;
    }
    return undefined;
  }

  #root(family: 4 | 6): Node<T> | undefined {
    return family === 4 ? this.#v4 : this.#v6;
  }
}

/** Follows an address down and returns the last value seen on nodes no longer than `maxLength`. */
function walk<T>(root: Node<T> | undefined, words: Words, maxLength: number): T | undefined {
  let node = root;
  let best: T | undefined;
  while (node !== undefined && node.length <= maxLength && sameBits(node, words, node.length)) {
    if (node.value !== undefined) best = node.value;
    if (node.length === 128) break;
    node = bitAt(words, node.length) === 1 ? node.one : node.zero;
  }
  return best;
}

function insert<T>(
  root: Node<T> | undefined,
  words: Words,
  length: number,
  value: T,
): { readonly root: Node<T>; readonly before: T | undefined } {
  const leaf = nodeOf(words, length, value);
  let parent: Node<T> | undefined;
  let node = root;
  while (node !== undefined) {
    const shared = sharedBits(node, words, Math.min(node.length, length));
    if (shared === node.length && shared === length) {
      const before = node.value;
      node.value = value;
      return { root: root ?? node, before };
    }
    if (shared < node.length) {
      const above = shared === length ? leaf : fork(leaf, shared);
      attach(above, node);
      return { root: hang(root, parent, above), before: undefined };
    }
    parent = node;
    node = bitAt(words, node.length) === 1 ? node.one : node.zero;
  }
  return { root: hang(root, parent, leaf), before: undefined };
}

/** Puts a node under its parent, or makes it the root when it has none. Returns the root. */
function hang<T>(root: Node<T> | undefined, parent: Node<T> | undefined, node: Node<T>): Node<T> {
  if (root === undefined || parent === undefined) return node;
  attach(parent, node);
  return root;
}

/** A node without a value where two ways part, with one of them attached. */
function fork<T>(child: Node<T>, length: number): Node<T> {
  const node = nodeOf<T>(child, length, undefined);
  attach(node, child);
  return node;
}

/** Bits behind the length stay as they are: nothing looks at them. */
function nodeOf<T>({ w0, w1, w2, w3 }: Words, length: number, value: T | undefined): Node<T> {
  return { w0, w1, w2, w3, length, value, zero: undefined, one: undefined };
}

function attach<T>(parent: Node<T>, child: Node<T>): void {
  if (bitAt(child, parent.length) === 1) parent.one = child;
  else parent.zero = child;
}

function wordsOf(address: Uint8Array): Words {
  const w0 = wordAt(address, 0);
  if (address.length === 4) return { w0, w1: 0, w2: 0, w3: 0 };
  return { w0, w1: wordAt(address, 4), w2: wordAt(address, 8), w3: wordAt(address, 12) };
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
  const word = index < 32 ? words.w0 : index < 64 ? words.w1 : index < 96 ? words.w2 : words.w3;
  return (word >>> (31 - (index & 31))) & 1;
}

function sameBits(a: Words, b: Words, bits: number): boolean {
  if (bits <= 32) return bits === 0 || (a.w0 ^ b.w0) >>> (32 - bits) === 0;
  return sharedBits(a, b, bits) === bits;
}

function sharedBits(a: Words, b: Words, max: number): number {
  if (a.w0 !== b.w0) return Math.min(max, Math.clz32(a.w0 ^ b.w0));
  if (a.w1 !== b.w1) return Math.min(max, 32 + Math.clz32(a.w1 ^ b.w1));
  if (a.w2 !== b.w2) return Math.min(max, 64 + Math.clz32(a.w2 ^ b.w2));
  return Math.min(max, 96 + Math.clz32(a.w3 ^ b.w3));
}
