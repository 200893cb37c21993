/** A path-compressed binary trie over IPv4 and IPv6 prefixes: cost grows with the depth of nesting, not with their number. */
import { familyBits, type Prefix } from '../net/prefix.ts';

interface Node<T> {
  readonly address: Uint8Array;
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
    const root = prefix.family === 4 ? this.#v4 : this.#v6;
    const result = insert(root, prefix, value);
    if (prefix.family === 4) this.#v4 = result.node;
    else this.#v6 = result.node;
    return result.before;
  }

  /** The value of the longest prefix that covers an address of 4 or 16 octets. */
  longestMatch(address: Uint8Array): T | undefined {
    return walk(this.#root(address.length === 4 ? 4 : 6), address, address.length * 8);
  }

  /** The value of the longest prefix that covers the given one and is shorter than it. */
  parentOf(prefix: Prefix): T | undefined {
    return walk(this.#root(prefix.family), prefix.address, prefix.length - 1);
  }

  /** The value of any prefix that covers the given one or lies within it. */
  anyOverlapping(prefix: Prefix): T | undefined {
    let node = this.#root(prefix.family);
    let checked = 0;
    while (node !== undefined) {
      const shared = Math.min(node.length, prefix.length);
      if (!sameBits(node.address, prefix.address, checked, shared)) return undefined;
      if (node.value !== undefined) return node.value;
      checked = shared;
      // Below the given prefix every way down ends in a value, because a leaf has one.
      if (node.length >= prefix.length) node = node.zero ?? node.one;
      else node = bitAt(prefix.address, node.length) === 1 ? node.one : node.zero;
    }
    return undefined;
  }

  #root(family: 4 | 6): Node<T> | undefined {
    return family === 4 ? this.#v4 : this.#v6;
  }
}

/** Follows an address down and returns the last value seen on nodes no longer than `maxLength`. */
function walk<T>(root: Node<T> | undefined, address: Uint8Array, maxLength: number): T | undefined {
  let node = root;
  let best: T | undefined;
  let checked = 0;
  const bits = address.length * 8;
  while (node !== undefined && node.length <= maxLength) {
    if (!sameBits(node.address, address, checked, node.length)) break;
    if (node.value !== undefined) best = node.value;
    if (node.length === bits) break;
    checked = node.length;
    node = bitAt(address, checked) === 1 ? node.one : node.zero;
  }
  return best;
}

function insert<T>(
  root: Node<T> | undefined,
  prefix: Prefix,
  value: T,
): { readonly node: Node<T>; readonly before: T | undefined } {
  const leaf: Node<T> = {
    address: prefix.address,
    length: prefix.length,
    value,
    zero: undefined,
    one: undefined,
  };
  if (root === undefined) return { node: leaf, before: undefined };

  let parent: Node<T> | undefined;
  let node: Node<T> | undefined = root;
  while (node !== undefined) {
    const shared = sharedBits(node.address, prefix.address, Math.min(node.length, prefix.length));
    if (shared === node.length && shared === prefix.length) {
      const before = node.value;
      node.value = value;
      return { node: root, before };
    }
    if (shared < node.length) {
      const above = shared === prefix.length ? leaf : fork(prefix, shared, leaf);
      attach(above, node);
      if (parent === undefined) return { node: above, before: undefined };
      attach(parent, above);
      return { node: root, before: undefined };
    }
    parent = node;
    node = bitAt(prefix.address, node.length) === 1 ? node.one : node.zero;
  }
  if (parent !== undefined) attach(parent, leaf);
  return { node: root, before: undefined };
}

/** A node without a value where two ways part, with one of them attached. */
function fork<T>(prefix: Prefix, length: number, child: Node<T>): Node<T> {
  const address = new Uint8Array(familyBits(prefix.family) / 8);
  address.set(prefix.address.subarray(0, (length + 7) >>> 3));
  const node: Node<T> = { address, length, value: undefined, zero: undefined, one: undefined };
  attach(node, child);
  return node;
}

function attach<T>(parent: Node<T>, child: Node<T>): void {
  if (bitAt(child.address, parent.length) === 1) parent.one = child;
  else parent.zero = child;
}

function bitAt(address: Uint8Array, index: number): number {
  return ((address[index >>> 3] ?? 0) >>> (7 - (index & 7))) & 1;
}

/** True when two addresses agree in the bits from `from` (rounded down to an octet) up to `to`. */
function sameBits(a: Uint8Array, b: Uint8Array, from: number, to: number): boolean {
  const whole = to >>> 3;
  for (let i = from >>> 3; i < whole; i++) if (a[i] !== b[i]) return false;
  const rest = to & 7;
  if (rest === 0) return true;
  return (((a[whole] ?? 0) ^ (b[whole] ?? 0)) & (0xff00 >>> rest) & 0xff) === 0;
}

function sharedBits(a: Uint8Array, b: Uint8Array, max: number): number {
  for (let i = 0; i << 3 < max; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0);
    if (difference !== 0) return Math.min(max, (i << 3) + Math.clz32(difference) - 24);
  }
  return max;
}
