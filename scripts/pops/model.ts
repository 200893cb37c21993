/** What each POP must hold, from what happened. Knows nothing of the exchange. */

interface Decided {
  readonly owner: string;
  readonly victim: string;
  readonly pops: readonly string[];
  /** Time of its end (ms, as performance.now). */
  readonly endsAt: number;
  /** The POPs that have ended it; its owner ends it for all. */
  readonly endedAt: Set<string>;
}

/** An end this close to the comparison (ms) may be seen as before or after it. */
const UNCERTAIN_MS = 1_500;

export class Model {
  readonly #pops: readonly string[];
  readonly #decided = new Map<string, Decided>();
  readonly #safelist = new Set<string>();
  /** Victims that some POPs may have on their safelist: a POP crashed before it could ask the others. */
  readonly #perhaps = new Set<string>();
  /** Mitigations that a POP had to hold, and those that it must not, as compared. */
  readonly compared = { must: 0, mustNot: 0 };

  constructor(pops: readonly string[]) {
    this.#pops = pops;
  }

  decided(owner: string, id: string, victim: string, pops: readonly string[], endsAt: number): void {
    this.#decided.set(id, { owner, victim, pops, endsAt, endedAt: new Set() });
  }

  withdrawn(pop: string, id: string): void {
    this.#decided.get(id)?.endedAt.add(pop);
  }

  safelisted(victim: string): void {
    this.#safelist.add(victim);
  }

  perhapsSafelisted(victim: string): void {
    this.#perhaps.add(victim);
  }

  /** A crash loses nothing that is in the journal. */
  crashed(pop: string): void {
    if (!this.#pops.includes(pop)) throw new Error(`${pop} is no POP`);
  }

  /** Time at which a mitigation's TTL ends (ms, as performance.now). */
  endOf(id: string): number | undefined {
    return this.#decided.get(id)?.endsAt;
  }

  /** Says how what a POP holds differs from what it must hold. */
  differences(pop: string, held: ReadonlySet<string>): readonly string[] {
    const now = performance.now();
    const lines: string[] = [];
    for (const [id, one] of this.#decided) {
      if (Math.abs(one.endsAt - now) < UNCERTAIN_MS || this.#perhaps.has(one.victim)) continue;
      const must = this.#mustHold(pop, one, now);
      this.compared[must ? 'must' : 'mustNot']++;
      if (must === held.has(id)) continue;
      lines.push(`${pop} ${must ? 'lacks' : 'still holds'} ${id.slice(0, 8)} ${one.victim} of ${one.owner}`);
    }
    for (const id of held) if (!this.#decided.has(id)) lines.push(`${pop} holds ${id}, which nobody decided`);
    return lines;
  }

  #mustHold(pop: string, { owner, victim, pops, endsAt, endedAt }: Decided, now: number): boolean {
    if (endsAt <= now || this.#safelist.has(victim)) return false;
    if (!pops.includes('*') && !pops.includes(pop)) return false;
    return !endedAt.has(pop) && !endedAt.has(owner);
  }
}
