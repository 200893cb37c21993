/** The command line of a run that is repeatable: `[SECONDS] [--seed N]`. */

/** A whole number from the command line; exits 2 when it is none. */
function wholeNumber(text: string, what: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  console.error(`${what} must be a whole number, not "${text}"`);
  process.exit(2);
}

/** Reads the run's length (s) and seed (default: from the clock). Exits with 2 if either is not a whole number. */
export function secondsAndSeed(
  seconds: string | undefined,
  seed: string | undefined,
  defaultSeconds: number,
): { readonly seconds: number; readonly seed: number } {
  return {
    seconds: seconds === undefined ? defaultSeconds : wholeNumber(seconds, 'SECONDS'),
    seed: seed === undefined ? Date.now() % 2 ** 31 : wholeNumber(seed, '--seed'),
  };
}
