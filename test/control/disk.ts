/** A store whose disk obeys the test. */
import type { RecordedFact } from '../../src/core/facts.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { StoreError } from '../../src/store/store.ts';

export type DiskState = 'works' | 'full' | 'hangs';

/** A disk that the test fills and empties, or whose writes do not return until it is told otherwise. */
export class Disk extends MemoryStore {
  #how: DiskState = 'works';
  #hanging: (() => void)[] = [];
  readonly durable: RecordedFact[] = [];
  /** Appends that were asked for. */
  attempts = 0;

  get how(): DiskState {
    return this.#how;
  }

  /** Writes that hang go on in the new way. */
  set how(how: DiskState) {
    this.#how = how;
    if (how !== 'hangs') for (const goOn of this.#hanging.splice(0)) goOn();
  }

  override async append(facts: readonly RecordedFact[]): Promise<void> {
    this.attempts++;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#how === 'hangs') await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (this.#how === 'full') throw new StoreError('no space left on the disk');
    await super.append(facts);
    this.durable.push(...facts);
  }
}
