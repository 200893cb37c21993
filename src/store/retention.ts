/** What is removed after a snapshot: snapshots but the newest two, and segments that nothing but an audit would read. */
import { type Files, storeError } from './files.ts';
import { readFolder } from './segments.ts';

/** How many segments, and how old ones (ms since they were last written), are kept beyond those that a restart may need. */
export interface Retention {
  readonly segments: number;
  readonly ageMs: number;
}

/**
 * Two snapshots stay, so that a damaged one can be made up for: a segment is old when all of its facts are in the older
 * of the two. Of the old ones those go that are more than `segments` or older than `ageMs`.
 */
export async function removeOld(
  files: Files,
  folder: string,
  retention: Retention,
  now: number,
): Promise<void> {
  try {
    const { segments, snapshots } = await readFolder(files, folder);
    const fallback = snapshots.at(-2)?.seq ?? 0;
    // The facts of a segment end where the next one begins.
    const old = segments.slice(0, -1).filter((_, index) => (segments[index + 1]?.seq ?? 0) - 1 <= fallback);
    // In order, so that what stays has no holes whenever this ends.
    for (const [index, segment] of old.entries()) {
      const surplus = old.length - index > retention.segments;
      if (!surplus && now - (await files.status(segment.path)).modifiedAt <= retention.ageMs) break;
      await files.remove(segment.path);
    }
    for (const snapshot of snapshots.slice(0, -2)) await files.remove(snapshot.path);
  } catch (error) {
    throw storeError('remove old segments in', folder, error);
  }
}
