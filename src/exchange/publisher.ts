/**
 * Publishes what this POP decides: opens the epoch, notes what facts are about, and writes the difference between what is
 * published and the engine's state.
 */
import type { Engine } from '../control/engine.ts';
import type { Fact } from '../core/facts.ts';
import { encodeIntent } from './intent-codec.ts';
import type { Epoch, PopSession } from './pop-session.ts';
import { type Draft, Publication } from './publication.ts';
import type { PopFigures } from './types.ts';

/** Versions in one statement. */
const MOST_VERSIONS = 200;

export interface PublisherOptions {
  readonly engine: Pick<Engine, 'state' | 'whenSettled'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Called with the number of versions that were written. */
  readonly onPublished?: ((count: number) => void) | undefined;
}

/** The database's time (ms) at a time of this daemon (ms). */
export interface DatabaseClock {
  readonly databaseTime: number;
  readonly beatAt: number;
}

export class Publisher {
  readonly #options: PublisherOptions;
  readonly #publication = new Publication();
  /** The epoch of this process, and whose it is. */
  #epoch: (Epoch & { readonly pop: string }) | undefined;
  /** True from the moment at which everything is compared, so that nothing decided after it is missed. */
  #isNoting = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** The epoch and its newest number; zeros before the first. */
  get epoch(): Epoch {
    return this.#epoch ?? { epoch: 0, n: 0 };
  }

  get isDirty(): boolean {
    return this.#publication.isDirty;
  }

  /** Goes on with the epoch, or begins one, and compares everything. Returns true if the epoch is new. */
  async begin(session: PopSession, figures: PopFigures): Promise<boolean> {
    const { engine, clock } = this.#options;
    const { pop } = session;
    const known = this.#epoch?.pop === pop ? this.#epoch : undefined;
    const epoch = await session.openEpoch(known, figures);
    this.#isNoting = true;
    const isNew = known?.epoch !== epoch.epoch;
    if (isNew) this.#publication.restart(engine.state, clock());
    else this.#publication.markAll(engine.state);
    this.#epoch = { ...epoch, pop };
    return isNew;
  }

  /** Notes nothing any more: everything is compared when there is a connection again. */
  end(): void {
    this.#isNoting = false;
  }

  /** Notes what a fact is about. */
  note(fact: Fact): void {
    if (!this.#isNoting) return;
    if ('mitigation' in fact) this.#publication.mark(fact.mitigation.id);
    else if ('id' in fact) this.#publication.mark(fact.id);
    else if (fact.type === 'control.resumed') this.#publication.markAll(this.#options.engine.state);
  }

  /** Notes the mitigations whose end is due to be moved. */
  noteDue(): void {
    const { engine, clock } = this.#options;
    this.#publication.markDue(engine.state, clock());
  }

  /** Writes everything that is due. Rejects with PostgresError; then nothing is lost. */
  async publishAll(session: PopSession, database: DatabaseClock): Promise<void> {
    const { clock, onPublished } = this.#options;
    for (;;) {
      const drafts = await this.#drafts(session.pop);
      const known = this.#epoch;
      if (drafts.length === 0 || known === undefined) return;
      const now = clock();
      const rows = drafts.map(({ intent, endsAt }, i) => ({
        n: known.n + 1 + i,
        id: intent.id,
        body: encodeIntent(intent),
        remainingMs: Math.max(0, endsAt - now),
      }));
      const databaseTime = database.databaseTime + (now - database.beatAt);
      const isForOthers = drafts.some((draft) => draft.isForOthers);
      try {
        await session.publish(known, rows, databaseTime, isForOthers);
      } catch (error) {
        this.#publication.giveBack(drafts);
        throw error;
      }
      this.#publication.written(drafts);
      this.#epoch = { ...known, n: known.n + drafts.length };
      onPublished?.(drafts.length);
    }
  }

  /** Takes what is to be written, when everything in the state is durable or takes rules away. */
  #drafts(pop: string): Promise<readonly Draft[]> {
    const { engine, clock } = this.#options;
    return new Promise((resolve) => {
      engine.whenSettled(() => resolve(this.#publication.take(engine.state, pop, clock(), MOST_VERSIONS)));
    });
  }
}
