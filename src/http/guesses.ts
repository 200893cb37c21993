/**
 * Slows the guessing of bearer tokens. Once a network has presented too many that are not known, what it presents is answered
 * late, a right token as late as a wrong one: hanging up early tells a guesser nothing. A token that was used from the same
 * network before is answered at once, so that a detector behind the same NAT is never locked out, and a new one only waits.
 */
import { forgetOldest } from '../net/forget-oldest.ts';

/** Networks whose wrong tokens are counted, and pairs of network and caller that are remembered; the oldest go first. */
const MAX_NETWORKS = 4_096;
const MAX_PROVEN = 4_096;
/** Wrong tokens that cost nothing: a typing error, a script with an old token. */
const FREE = 10;
/** One wrong token is forgiven in this time (ms). */
const FORGIVE_MS = 30_000;
/** The first delay, doubled with each further wrong token up to the last (ms). */
const FIRST_DELAY_MS = 250;
export const MAX_DELAY_MS = 5_000;
/** Wrong tokens beyond this count no further, so that what has stopped is forgiven within the hour. */
const MAX_COUNT = 100;
/** That a network guesses is told once in this time (ms). */
const TELL_EVERY_MS = 600_000;

interface WrongTokens {
  /** Those that are not forgiven, as of `at`. */
  count: number;
  at: number;
  toldAt: number;
}

export class Guesses {
  readonly #now: () => number;
  readonly #networks = new Map<string, WrongTokens>();
  readonly #proven = new Set<string>();

  /** `now`: milliseconds from any beginning, that never go back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** How long (ms) the answer to a token from this network waits; `caller` is whose token it is, null when it is nobody's. */
  delayOf(network: string, caller: string | null): number {
    if (caller !== null && this.#proven.has(pairKey(network, caller))) return 0;
    const record = this.#networks.get(network);
    if (record === undefined) return 0;
    const beyond = Math.ceil(this.#countOf(record)) - FREE;
    return beyond < 0 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(beyond, 10));
  }

  /** Takes note of a token that nobody has. True when it is time to tell that this network guesses. */
  wrong(network: string): boolean {
    const now = this.#now();
    const known = this.#networks.get(network) ?? { count: 0, at: now, toldAt: Number.NEGATIVE_INFINITY };
    known.count = Math.min(MAX_COUNT, this.#countOf(known) + 1);
    known.at = now;
    this.#networks.delete(network);
    this.#networks.set(network, known);
    forgetOldest(this.#networks, MAX_NETWORKS);
    if (Math.ceil(known.count) < FREE || now - known.toldAt < TELL_EVERY_MS) return false;
    known.toldAt = now;
    return true;
  }

  /** A caller's token came from this network. */
  right(network: string, caller: string): void {
    const key = pairKey(network, caller);
    if (this.#proven.has(key)) return;
    this.#proven.add(key);
    forgetOldest(this.#proven, MAX_PROVEN);
  }

  #countOf({ count, at }: WrongTokens): number {
    return Math.max(0, count - (this.#now() - at) / FORGIVE_MS);
  }
}

function pairKey(network: string, caller: string): string {
  return `${network} ${caller}`;
}
