/** Guesses the word that a misspelled one was meant to be. */

/**
 * Counts the edits (insert, delete, replace, swap of adjacent characters) that turn one word into the other: optimal
 * string alignment. Ignores case and separators, because people often write `localAsn` or `local-asn` for `local_asn`.
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

/** Counts a missing unit as one edit, because it is the most common mistake (`hold_time` for `hold_time_seconds`). */
function distance(word: string, known: string): number {
  const isBeginning = word.length >= 3 && known.toLowerCase().startsWith(word.toLowerCase());
  return isBeginning ? Math.min(1, editDistance(word, known)) : editDistance(word, known);
}

/** Returns the known word nearest to `word`, the first of equals; undefined if there are no known words. */
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

/** Returns the known word that `word` was probably meant to be; undefined if none is close. */
export function likely(word: string, known: readonly string[]): string | undefined {
  const guess = nearest(word, known);
  return guess !== undefined && looksLike(word, guess) ? guess : undefined;
}

/**
 * Returns the known name that a freely chosen name probably misspells. Undefined if the name is known or extends a
 * known one: `fastnetmon-dc2` is a second detector, not a mistake.
 */
export function slipFor(name: string, known: readonly string[]): string | undefined {
  const guess = known.includes(name) ? undefined : likely(name, known);
  return guess === undefined || name.startsWith(guess) ? undefined : guess;
}

/** True if `word` is so close to `known` that it is probably a misspelling. */
export function looksLike(word: string, known: string): boolean {
  return distance(word, known) <= Math.max(1, Math.floor(Math.max(word.length, known.length) / 3));
}
