/** Bounds a map or a set that is kept in the order of use. Pure. */

/** Forgets the first entry where there are more than `most`. To be called after each entry that is added. */
export function forgetOldest(entries: Map<string, unknown> | Set<string>, most: number): void {
  if (entries.size <= most) return;
  const [oldest] = entries.keys();
  if (oldest !== undefined) entries.delete(oldest);
}
