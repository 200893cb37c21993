/** Guessing what somebody meant to write. */

/**
 * Edits (insert, delete, replace, swap of neighbors) that turn one word into the other: optimal string alignment. Case
 * and the kind of separator count for nothing, because `localAsn` and `local-asn` are how people misremember `local_asn`.
 */
export function editDistance(one: string, other: string): number {
  const a = one.toLowerCase().replaceAll(/[-_. ]/g, '');
  const b = other.toLowerCase().replaceAll(/[-_. ]/g, '');
  let twoBack: number[] = [];
  let back = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((back[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (back[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (twoBack[j - 2] ?? 0) + 1);
      }
      row.push(best);
    }
    twoBack = back;
    back = row;
  }
  return back[b.length] ?? 0;
}

/** Leaving out the unit is the commonest slip (`hold_time` for `hold_time_seconds`) and counts as one edit. */
function distance(word: string, known: string): number {
  const isBeginning = word.length >= 3 && known.toLowerCase().startsWith(word.toLowerCase());
  return isBeginning ? Math.min(1, editDistance(word, known)) : editDistance(word, known);
}

/** The known word nearest to `word`, the first of equals; undefined when nothing is known. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of known) {
    const edits = distance(word, candidate);
    if (edits < least) {
      best = candidate;
      least = edits;
    }
  }
  return best;
}

/** The known word that `word` most likely was to be; undefined when none is close. */
export function likely(word: string, known: readonly string[]): string | undefined {
  const guess = nearest(word, known);
  return guess !== undefined && looksLike(word, guess) ? guess : undefined;
}

/**
 * The known name that a name of one's own choice differs from by a slip; undefined when it is known, or most likely meant:
 * `fastnetmon-dc2` is a second one, not a slip.
 */
export function slipFor(name: string, known: readonly string[]): string | undefined {
  const guess = known.includes(name) ? undefined : likely(name, known);
  return guess === undefined || name.startsWith(guess) ? undefined : guess;
}

/** True when `word` is so close to `known` that it can only be a slip. */
export function looksLike(word: string, known: string): boolean {
  return distance(word, known) <= Math.max(1, Math.floor(Math.max(word.length, known.length) / 3));
}
