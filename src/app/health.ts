/** What is wrong right now, in words for whoever is on call. Asked, not pushed: nothing here keeps state but the store's last word. */
import type { Announcer } from '../control/announcer.ts';

export class Health {
  readonly #announcer: Announcer;
  #store: string | null = null;
  #snapshot: string | null = null;

  constructor(announcer: Announcer) {
    this.#announcer = announcer;
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
    return [this.#store, this.#snapshot].filter((one) => one !== null).concat(sessions);
  }
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
