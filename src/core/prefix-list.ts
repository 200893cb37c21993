/** Asking a long, unchanging list of prefixes whether one of them has an address in common with another. */
import type { Prefix } from '../net/prefix.ts';
import { PrefixTrie } from './prefix-trie.ts';

/** Lists belong to a policy, which never changes: each is indexed once, when it is first asked. */
const indexes = new WeakMap<readonly Prefix[], PrefixTrie<Prefix>>();

/** A prefix of the list that covers the given one or lies within it. */
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
