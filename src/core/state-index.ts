/** The indexes that the state keeps beside its maps, and how they change. */
import { parsePrefix } from '../net/prefix.ts';
import { PrefixTrie } from './prefix-trie.ts';
import type { Hold, Mitigation, SafelistEntry } from './types.ts';

/** Holds of one version of a mitigation that the other has not: a report changes one of what may be hundreds. */
export function holdsWithout(
  holds: Mitigation['holds'] = [],
  others: Mitigation['holds'] = [],
): readonly Hold[] {
  if (holds === others) return [];
  const known = new Set(others);
  return holds.filter((hold) => !known.has(hold));
}

/** True when the daemon wants to look at it before it expires. */
export function isRenewed(mitigation: Mitigation): mitigation is Mitigation & { readonly renewAt: number } {
  return typeof mitigation.renewAt === 'number' && mitigation.renewAt < mitigation.expiresAt;
}

/** Adds an id under a key. */
export function addTo(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, new Set([id]));
  else ids.add(id);
}

/** Removes an id from under a key. */
export function removeFrom(index: Map<string, Set<string>>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) return;
  ids.delete(id);
  if (ids.size === 0) index.delete(key);
}

/** The entries by their prefixes. */
export function safelistTrie(entries: Iterable<SafelistEntry>): PrefixTrie<SafelistEntry> {
  const trie = new PrefixTrie<SafelistEntry>();
  for (const entry of entries) addToSafelist(trie, entry);
  return trie;
}

/** Adds an entry under its prefix. An entry that is no prefix is a defect (Error). */
export function addToSafelist(trie: PrefixTrie<SafelistEntry>, entry: SafelistEntry): void {
  const prefix = parsePrefix(entry.prefix);
  if (typeof prefix === 'string') throw new Error(`the safelist holds what is no prefix: ${prefix}`);
  trie.set(prefix, entry);
}
