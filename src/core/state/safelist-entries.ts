/**
 * The safelist entries that were added over the API or by other POPs. Additions win: an addition by the exchange has a
 * tag, a removal names the tags it has seen, and so a removal never takes away an addition that its sender did not know.
 * The order in which both arrive makes no difference, because removed tags are remembered.
 */
import { PrefixTrie } from '../../net/prefix-trie.ts';
import { knownPrefix, type Prefix } from '../../net/prefix.ts';
import { compareVersions } from '../intent.ts';
import type { IntentVersion, SafelistEntry } from '../types.ts';

/** Limits the remembered tags; a request reaches every POP that it will ever reach long before. */
export const REMOVED_TAGS_SIZE = 10_000;

export class SafelistEntries {
  readonly #entries = new Map<string, SafelistEntry>();
  /** Prefixes with tags that were removed, oldest first. */
  readonly #removed = new Set<string>();
  /** Built at first use, so that replaying parses nothing; undefined when it must be rebuilt. */
  #trie: PrefixTrie<SafelistEntry> | undefined;

  /** By prefix. */
  get byPrefix(): ReadonlyMap<string, SafelistEntry> {
    return this.#entries;
  }

  /** Restores a snapshot's lists. */
  restore(entries: Iterable<SafelistEntry>, removed: Iterable<string>): void {
    for (const entry of entries) this.#entries.set(entry.prefix, entry);
    for (const key of removed) this.#removed.add(key);
  }

  /** Returns a snapshot's part about removed tags. */
  removedTags(): { readonly removedTags?: readonly string[] } {
    return this.#removed.size === 0 ? {} : { removedTags: [...this.#removed] };
  }

  isRemoved(prefix: string, tag: IntentVersion): boolean {
    return this.#removed.has(removalKey(prefix, tag));
  }

  /** Returns an entry that overlaps the prefix. */
  overlapping(prefix: Prefix): SafelistEntry | undefined {
    if (this.#entries.size === 0) return undefined;
    this.#trie ??= trieOf(this.#entries.values());
    return this.#trie.anyOverlapping(prefix);
  }

  /** Adds an entry, or joins it with the one for the same prefix. */
  add(entry: SafelistEntry): void {
    const after = joinedEntry(this.#entries.get(entry.prefix), entry);
    this.#entries.set(after.prefix, after);
    this.#trie?.set(knownPrefix(after.prefix), after);
  }

  /** Removes these tags of an entry, and the entry with its last one; without tags, the whole entry. */
  remove(prefix: string, tags: readonly IntentVersion[] | undefined): void {
    const before = this.#entries.get(prefix);
    for (const tag of tags ?? before?.tags ?? []) this.#removed.add(removalKey(prefix, tag));
    for (const oldest of this.#removed) {
      if (this.#removed.size <= REMOVED_TAGS_SIZE) break;
      this.#removed.delete(oldest);
    }
    const after = before === undefined || tags === undefined ? undefined : entryWithout(before, tags);
    if (after === undefined) this.#entries.delete(prefix);
    else this.#entries.set(prefix, after);
    this.#trie = undefined;
  }

  /** Returns a function that restores the present entries. */
  checkpoint(): () => void {
    const [entries, removed] = [[...this.#entries], [...this.#removed]];
    return () => {
      this.#entries.clear();
      for (const [prefix, entry] of entries) this.#entries.set(prefix, entry);
      this.#removed.clear();
      for (const key of removed) this.#removed.add(key);
      this.#trie = undefined;
    };
  }
}

/** Joins two additions of one prefix. The newer one's words are shown; the tags of both count. */
export function joinedEntry(before: SafelistEntry | undefined, added: SafelistEntry): SafelistEntry {
  if (before === undefined) return added;
  const tags = joinedTags(before.tags ?? [], added.tags ?? []);
  const { tags: _, own: __, ...words } = added;
  if (tags.length === 0) return words;
  return isOwnEntry(before) || isOwnEntry(added) ? { ...words, tags, own: true } : { ...words, tags };
}

/** Returns the entry without these tags; undefined when nothing of it is left. */
export function entryWithout(
  entry: SafelistEntry,
  gone: readonly IntentVersion[],
): SafelistEntry | undefined {
  const keys = new Set(gone.map(tagKey));
  const { tags = [], own: _, ...words } = entry;
  const left = tags.filter((tag) => !keys.has(tagKey(tag)));
  if (left.length > 0)
    return isOwnEntry(entry) ? { ...words, tags: left, own: true } : { ...words, tags: left };
  return isOwnEntry(entry) ? words : undefined;
}

/** True when the entry was added here, so that no other POP's removal takes it away. */
export function isOwnEntry({ tags, own }: SafelistEntry): boolean {
  return tags === undefined || own === true;
}

/** Unites two lists of tags: ordered, without repetitions. */
export function joinedTags(
  a: readonly IntentVersion[],
  b: readonly IntentVersion[],
): readonly IntentVersion[] {
  const byKey = new Map([...a, ...b].map((tag) => [tagKey(tag), tag]));
  return [...byKey.values()].sort((x, y) => (x.pop < y.pop ? -1 : x.pop > y.pop ? 1 : compareVersions(x, y)));
}

function removalKey(prefix: string, tag: IntentVersion): string {
  return `${prefix} ${tagKey(tag)}`;
}

function tagKey({ pop, epoch, n }: IntentVersion): string {
  return `${epoch} ${n} ${pop}`;
}

function trieOf(entries: Iterable<SafelistEntry>): PrefixTrie<SafelistEntry> {
  const trie = new PrefixTrie<SafelistEntry>();
  for (const entry of entries) trie.set(knownPrefix(entry.prefix), entry);
  return trie;
}
