/** Long work in short turns, because the event loop is shared with the hold timers of the sessions. */

/** Applies `make` to everything, `perTurn` items in a turn of the event loop. */
export async function mapInSlices<From, To>(
  items: readonly From[],
  make: (item: From) => To,
  perTurn = 100,
): Promise<To[]> {
  const made: To[] = [];
  for (const item of items) {
    if (made.length > 0 && made.length % perTurn === 0) await nextTurn();
    made.push(make(item));
  }
  return made;
}

/** Resolves after other events have had their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
