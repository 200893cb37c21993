/** Medians and what surrounds them. On a machine that others use too, a mean says little. */

/** A number measured several times. `low` and `high` are the 10th and 90th percentile. */
export interface Summary {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** The value below which `share` (0..1) of the values lie, by nearest rank. RangeError when there are none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const found = sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
  if (found === undefined) throw new RangeError('no values to take a percentile of');
  return found;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError('no values to take a median of');
  return (upper + lower) / 2;
}

export function summarize(values: readonly number[]): Summary {
  return {
    median: median(values),
    low: percentile(values, 0.1),
    high: percentile(values, 0.9),
    count: values.length,
  };
}
