/** What is wrong right now, in words for whoever is on call. Asked, not pushed: nothing here keeps state but the store's last word. */
import type { Announcer } from '../control/announcer.ts';
import type { Shortfall } from '../control/types.ts';

/** Lines about rules that neighbors lack; one for each neighbor and reason. */
const MAX_LINES = 10;

export class Health {
  readonly #announcer: Announcer;
  readonly #shortfalls: () => readonly Shortfall[];
  readonly #quotas: () => readonly string[];
  #store: string | null = null;
  #snapshot: string | null = null;

  /** `shortfalls`: what is not enforced where; `quotas`: which are used up, in words. Both are asked at each question. */
  constructor(announcer: Announcer, shortfalls: () => readonly Shortfall[], quotas: () => readonly string[]) {
    this.#announcer = announcer;
    this.#shortfalls = shortfalls;
    this.#quotas = quotas;
  }

  /** The store wrote again. */
  storeWorks(): void {
    this.#store = null;
  }

  /** The store could not write: events are answered 503 until it can. */
  storeFails(error: unknown): void {
    this.#store = `the journal cannot be written, events are refused: ${words(error)}`;
  }

  /** A snapshot could not be written: the journal holds everything, and the next start takes longer. */
  snapshotFails(error: unknown): void {
    this.#snapshot = `the last snapshot could not be written, the journal goes on: ${words(error)}`;
  }

  /** Empty when all is well. */
  problems(): readonly string[] {
    const sessions = this.#announcer
      .peers()
      .filter((peer) => peer.enabled && peer.state !== 'established')
      .map((peer) => `${peer.name} is ${peer.state}${peer.lastError === null ? '' : `: ${peer.lastError}`}`);
    return [
      ...[this.#store, this.#snapshot].filter((one) => one !== null),
      ...sessions,
      ...shortfallLines(this.#shortfalls()),
      ...this.#quotas(),
    ];
  }
}

function shortfallLines(shortfalls: readonly Shortfall[]): readonly string[] {
  const lines = shortfalls.slice(0, MAX_LINES).map(({ neighbor, state, why, count }) => {
    const mitigations = count === 1 ? '1 active mitigation' : `${count} active mitigations`;
    const lack = state === 'over_budget' ? 'has no room for' : 'cannot enforce';
    return `${neighbor} ${lack} ${mitigations}: ${why}`;
  });
  const more = shortfalls.length - lines.length;
  if (more > 0)
    lines.push(`and ${more} more neighbors or reasons; prefixd mitigations get shows them for one`);
  return lines;
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
