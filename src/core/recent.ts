/** What is remembered for a while: bans by their detector's id (24 hours), and creations (one minute). */

/** How long a detector's id of a ban is remembered. */
export const BAN_MEMORY_MS = 24 * 60 * 60 * 1000;
/** And how many of them; under a flood of ids the oldest are forgotten first. */
export const BAN_MEMORY_SIZE = 250_000;
/** The span of `max_new_per_minute`. */
export const CREATION_MEMORY_MS = 60_000;

/** A ban that came with an id of its detector. */
export interface RecentBan {
  readonly source: string;
  readonly externalId: string;
  readonly at: number;
  readonly eventId: string;
  readonly mitigationId: string | null;
}

/** Bans by source and id, in order of arrival. */
export class RecentBans {
  readonly #bans = new Map<string, RecentBan>();

  get(source: string, externalId: string): RecentBan | undefined {
    return this.#bans.get(banKey(source, externalId));
  }

  /** Remembers a ban as the newest; returns how to take it back. */
  add(ban: RecentBan): () => void {
    const key = banKey(ban.source, ban.externalId);
    const before = this.#bans.get(key);
    if (before !== undefined) this.#bans.delete(key);
    this.#bans.set(key, ban);
    return () => {
      this.#bans.delete(key);
      if (before !== undefined) this.#bans.set(key, before);
    };
  }

  /** Forgets what is too old or too much. */
  forget(now: number): void {
    for (const [key, ban] of this.#bans) {
      if (ban.at > now - BAN_MEMORY_MS && this.#bans.size <= BAN_MEMORY_SIZE) return;
      this.#bans.delete(key);
    }
  }

  /** Oldest first. */
  list(): readonly RecentBan[] {
    return [...this.#bans.values()].sort((a, b) => a.at - b.at);
  }
}

function banKey(source: string, externalId: string): string {
  return `${source}\n${externalId}`;
}

export interface Creation {
  readonly at: number;
  readonly dryRun: boolean;
}

/** Creations of the last minute, oldest first. */
export class Creations {
  #creations: Creation[] = [];

  add(creation: Creation): void {
    this.#creations.push(creation);
  }

  takeBackLast(): void {
    this.#creations.pop();
  }

  /** How many came after a time, counted up to `limit`. */
  countSince(time: number, dryRun: boolean, limit: number): number {
    let count = 0;
    for (let i = this.#creations.length - 1; i >= 0 && count < limit; i--) {
      const creation = this.#creations[i];
      if (creation === undefined || creation.at <= time) break;
      if (creation.dryRun === dryRun) count++;
    }
    return count;
  }

  forget(now: number): void {
    const oldest = this.#creations[0];
    if (oldest === undefined || oldest.at > now - 2 * CREATION_MEMORY_MS) return;
    this.#creations = this.#creations.filter((creation) => creation.at > now - CREATION_MEMORY_MS);
  }

  list(now: number): readonly Creation[] {
    return this.#creations.filter((creation) => creation.at > now - CREATION_MEMORY_MS);
  }
}
