/**
 * Slows down guessing of passwords, by the name that is tried and by the network that tries. A person who has signed in
 * from a network before has a counter of the own name there, so that guesses from elsewhere do not lock that person out; guesses from
 * the same network do. Every attempt counts against the network, so that an answer does not tell who exists.
 */
import { forgetOldest } from '../net/queue.ts';

/** Failures without a delay: for a name, and for a network, which several people may share. */
const FREE = { name: 5, network: 20 } as const;
/** The first delay (ms). It doubles with each further failure, up to MAX_DELAY_MS. */
const FIRST_DELAY_MS = 1_000;
export const MAX_DELAY_MS = 120_000;
/** Time in which one failure is forgiven (ms). */
const FORGIVE_MS = 120_000;
/** Highest count, so that an attack that has stopped is forgiven within the hour. */
const MAX_COUNT = 25;
/** Counted names, networks and known pairs; the oldest are forgotten. */
const MAX_KEYS = 4_096;

interface Failures {
  /** Failures that are not forgiven, as of `at`. */
  count: number;
  at: number;
}

/** An attempt that was let in; it counts as a failure until it succeeds. */
export interface SignInAttempt {
  readonly name: string;
  readonly network: string;
}

export class SignInThrottle {
  readonly #now: () => number;
  readonly #failures = new Map<string, Failures>();
  readonly #known = new Set<string>();

  /** `now` returns milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts an attempt and returns 0, or refuses it and returns the time to wait (ms). */
  attempt({ name, network }: SignInAttempt): number {
    const counters = this.#countersOf({ name, network });
    const wait = Math.max(...counters.map(([key, free]) => this.#waitOf(key, free)));
    if (wait > 0) return wait;
    for (const [key] of counters) this.#count(key, 1);
    return 0;
  }

  /** Takes back the failure that `attempt` counted: the password was not checked. */
  forgive(attempt: SignInAttempt): void {
    for (const [key] of this.#countersOf(attempt)) this.#count(key, -1);
  }

  /** Takes back the failure that `attempt` counted, and remembers that this person signs in from there. */
  succeeded({ name, network }: SignInAttempt): void {
    this.forgive({ name, network });
    const pair = pairKey(name, network);
    this.#failures.delete(pair);
    this.#known.delete(pair);
    this.#known.add(pair);
    forgetOldest(this.#known, MAX_KEYS);
  }

  #countersOf({ name, network }: SignInAttempt): readonly (readonly [key: string, free: number])[] {
    const pair = pairKey(name, network);
    return [
      [this.#known.has(pair) ? pair : JSON.stringify(['name', name]), FREE.name],
      [JSON.stringify(['network', network]), FREE.network],
    ];
  }

  #waitOf(key: string, free: number): number {
    const record = this.#failures.get(key);
    if (record === undefined) return 0;
    const beyond = Math.ceil(this.#countOf(record)) - free;
    if (beyond < 0) return 0;
    const delay = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** beyond);
    return Math.max(0, record.at + delay - this.#now());
  }

  #count(key: string, change: 1 | -1): void {
    const now = this.#now();
    const record = this.#failures.get(key) ?? { count: 0, at: now };
    record.count = Math.min(MAX_COUNT, Math.max(0, this.#countOf(record) + change));
    record.at = now;
    this.#failures.delete(key);
    if (record.count === 0) return;
    this.#failures.set(key, record);
    forgetOldest(this.#failures, MAX_KEYS);
  }

  #countOf({ count, at }: Failures): number {
    return Math.max(0, count - (this.#now() - at) / FORGIVE_MS);
  }
}

function pairKey(name: string, network: string): string {
  return JSON.stringify(['pair', name, network]);
}
