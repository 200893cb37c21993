/** When the lines of a simulation happen: at their own time, or at one that follows from their place in the file. */

export interface Placement {
  /** The time between one line without a time and the line before it (ms); 0 or more. */
  readonly spacing: number;
  /** When a first line without a time happens (ms since the epoch); null: by `spacing` before the first line that has one. */
  readonly start: number | null;
  /** When a file happens in which no line has a time and no start is given (ms since the epoch). */
  readonly now: number;
}

/**
 * A time (ms since the epoch) for every line; null is a line without one. A line without a time happens `spacing` after the line before
 * it, and evenly between its neighbors where the next time in the file would come first. Times never run backwards: an
 * earlier one counts as that of the line before. Undefined when `start` is later than the first time in the file.
 */
export function placeInTime(
  times: readonly (number | null)[],
  { spacing, start, now }: Placement,
): readonly number[] | undefined {
  const firstDated = times.findIndex((time) => time !== null);
  const dated = firstDated === -1 ? undefined : (times[firstDated] as number);
  if (firstDated !== 0 && start !== null && dated !== undefined && start > dated) return undefined;
  const placed: number[] = [];
  /** The line before, and how far the next one without a time is from it. */
  let before = start ?? (dated === undefined ? now : dated - firstDated * spacing);
  let step = 0;
  for (const [i, time] of times.entries()) {
    if (time !== null) {
      before = placed.length === 0 ? time : Math.max(before, time);
      step = gapBehind(times, i, before, spacing);
    } else if (placed.length === 0) {
      step = gapBehind(times, i, before, spacing);
    } else {
      before += step;
    }
    placed.push(Math.round(before));
  }
  return placed;
}

/** How far apart the lines without a time behind line `i` are, which happens at `at`. */
function gapBehind(times: readonly (number | null)[], i: number, at: number, spacing: number): number {
  let next = i + 1;
  while (next < times.length && times[next] === null) next++;
  const until = times[next];
  if (until === undefined || until === null) return spacing;
  return Math.min(spacing, Math.max(0, until - at) / (next - i));
}
