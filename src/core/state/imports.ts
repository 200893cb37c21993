/**
 * What is remembered of other POPs' mitigations that are not active here: that they were refused, and that they have
 * ended, so that no statement made before that begins them again. What is forgotten depends on the facts and their
 * times alone.
 */
import { Fifo } from '../../net/queue.ts';
import { compareVersions } from '../intent.ts';
import type { Fact } from '../facts.ts';
import type { Ending, IntentVersion, Mitigation, RefusalReason } from '../types.ts';

/** No mitigation lasts longer than a day without another statement. */
export const IMPORT_MEMORY_MS = 24 * 60 * 60 * 1000;
/** Limits the number of entries; beyond it the oldest are forgotten first. */
export const IMPORT_MEMORY_SIZE = 50_000;

/** What is known of another POP's mitigation. */
export interface RememberedImport {
  /** Id of the mitigation. */
  readonly id: string;
  /** Time of the newest fact about it (ms). */
  readonly at: number;
  /** The newest statement that was in effect here, or that ended it; absent: none was, or it may take effect again. */
  readonly version?: IntentVersion;
  /** It was withdrawn, here or by its POP: no later statement begins it again. Absent: it may begin again. */
  readonly isFinal?: true;
  /** The reasons for which it was refused, ascending; absent: it was not. */
  readonly refused?: readonly RefusalReason[];
}

/** Joins what is known of one mitigation: the newer statement, the last word, all refusals. The order is irrelevant. */
export function joinedImport(a: RememberedImport | undefined, b: RememberedImport): RememberedImport {
  if (a === undefined) return b;
  const version = newerOf(a.version, b.version);
  const refused = [...new Set([...(a.refused ?? []), ...(b.refused ?? [])])].sort();
  return {
    id: b.id,
    at: Math.max(a.at, b.at),
    ...(version === undefined ? {} : { version }),
    ...(a.isFinal === true || b.isFinal === true ? { isFinal: true } : {}),
    ...(refused.length === 0 ? {} : { refused }),
  };
}

function newerOf(a: IntentVersion | undefined, b: IntentVersion | undefined): IntentVersion | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareVersions(a, b) < 0 ? b : a;
}

/**
 * True when an ending is the last word about a mitigation: someone withdrew it, or its own POP ended it. One that
 * expired here for want of news may begin again when there is news, and one that a policy forbade when another allows it.
 */
export function isFinalEnding({ to, actor, revocable }: Ending): boolean {
  return to === 'withdrawn' ? revocable !== true : actor.via !== undefined;
}

/** Imports by id, in the order of the newest fact about them. */
export class ImportMemory {
  readonly #entries = new Map<string, RememberedImport>();
  readonly #order = new Fifo<RememberedImport>();
  /** Forgotten ones at the beginning of the order, which `settle` removes. */
  #forgotten = 0;

  /** Returns what is known of a mitigation at `now`. */
  get(id: string, now: number): RememberedImport | undefined {
    const entry = this.#entries.get(id);
    return entry !== undefined && entry.at > now - IMPORT_MEMORY_MS ? entry : undefined;
  }

  /** Takes note of a fact, with the mitigation that it is about. Returns a function that undoes it. */
  record(fact: Fact, at: number, about?: Mitigation): (() => void) | undefined {
    switch (fact.type) {
      case 'import.refused':
        return this.add({
          id: fact.mitigationId,
          at,
          refused: [fact.reason],
          ...(fact.reason === 'import_withdrawn' ? { isFinal: true } : {}),
        });
      case 'import.ended':
        return this.add({ id: fact.mitigationId, at, version: fact.origin, isFinal: true });
      case 'mitigation.ending': {
        if (about?.origin === undefined) return undefined;
        const isFinal = isFinalEnding(fact.ending) ? { isFinal: true as const } : {};
        const version = fact.ending.revocable === true ? {} : { version: about.origin };
        return this.add({ id: fact.id, at, ...version, ...isFinal });
      }
      default:
        return undefined;
    }
  }

  /** Adds to what is known of a mitigation. Returns a function that undoes it while it is the newest. */
  add(news: RememberedImport): () => void {
    const before = this.#entries.get(news.id);
    const entry = joinedImport(before, news);
    this.#entries.set(entry.id, entry);
    this.#order.push(entry);
    return () => {
      this.#order.pop();
      if (before === undefined) this.#entries.delete(entry.id);
      else this.#entries.set(entry.id, before);
    };
  }

  /** Forgets what is too old or too much. Returns a function that undoes it, or undefined when there is nothing. */
  forget(now: number): (() => void) | undefined {
    const forgotten = this.#forgotten;
    for (;;) {
      const oldest = this.#order.at(this.#forgotten);
      if (oldest === undefined) break;
      const fits = this.#order.size - this.#forgotten <= IMPORT_MEMORY_SIZE;
      if (oldest.at > now - IMPORT_MEMORY_MS && fits) break;
      this.#forgotten++;
    }
    if (this.#forgotten === forgotten) return undefined;
    return () => {
      this.#forgotten = forgotten;
    };
  }

  /** Removes what was forgotten. Not while it may be undone. */
  settle(): void {
    for (; this.#forgotten > 0; this.#forgotten--) {
      const oldest = this.#order.shift();
      if (oldest !== undefined && this.#entries.get(oldest.id) === oldest) this.#entries.delete(oldest.id);
    }
  }

  /** Returns a snapshot's part, oldest first. */
  snapshot(): { readonly imports?: readonly RememberedImport[] } {
    const imports = this.#order.list().slice(this.#forgotten);
    return imports.length === 0 ? {} : { imports };
  }
}
