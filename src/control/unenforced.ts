/**
 * Tells of mitigations that are not enforced on some neighbor, once each for as long as that lasts. It is no fact: it says
 * something about sessions and routers, which a restart may make untrue.
 */
import type { Lack } from './shortfall.ts';
import type { Timers, Unenforced } from './types.ts';

/** Waits so long before it looks (ms), so that what happens together is told together and passing states are not told. */
const GATHER_MS = 500;

export interface UnenforcedWatchOptions {
  readonly lacking: () => Iterable<Lack>;
  readonly timers: Pick<Timers, 'after'>;
  /** Called with mitigations that were not told before. Must not throw. */
  readonly onUnenforced: (mitigations: readonly Unenforced[]) => void;
}

export class UnenforcedWatch {
  readonly #options: UnenforcedWatchOptions;
  #told: ReadonlySet<string> = new Set();
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(options: UnenforcedWatchOptions) {
    this.#options = options;
  }

  /** Something may have changed. */
  soon(): void {
    if (this.#stopped || this.#cancel !== null) return;
    this.#cancel = this.#options.timers.after(GATHER_MS, () => {
      this.#cancel = null;
      this.#look();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #look(): void {
    const lacking = new Map<string, Lack[]>();
    for (const lack of this.#options.lacking()) {
      const known = lacking.get(lack.mitigationId);
      if (known === undefined) lacking.set(lack.mitigationId, [lack]);
      else if (!known.some(({ neighbor }) => neighbor === lack.neighbor)) known.push(lack);
    }
    const news = [...lacking]
      .filter(([id]) => !this.#told.has(id))
      .map(([mitigationId, lacks]) => ({
        mitigationId,
        neighbors: lacks.map(({ neighbor, state, why }) => ({ neighbor, state, why })),
      }));
    this.#told = new Set(lacking.keys());
    if (news.length > 0) this.#options.onUnenforced(news);
  }
}
