/** What operators and health probes have set, apart from mitigations: the pause, neighbors, the safelist, scrubbers. */
import type { Fact } from '../facts.ts';
import { SafelistEntries } from './safelist-entries.ts';
import type { OperatorDecision, ScrubberFailure, SnapshotData } from './state-view.ts';

const CONTROL_FACTS = [
  'safelist.added',
  'safelist.removed',
  'control.paused',
  'control.resumed',
  'peer.disabled',
  'peer.enabled',
  'scrubber.down',
  'scrubber.up',
] as const satisfies readonly Fact['type'][];

type ControlFact = Extract<Fact, { readonly type: (typeof CONTROL_FACTS)[number] }>;

const IS_CONTROL: ReadonlySet<string> = new Set(CONTROL_FACTS);

export function isControlFact(fact: Fact): fact is ControlFact {
  return IS_CONTROL.has(fact.type);
}

export class Controls {
  readonly safelist = new SafelistEntries();
  readonly disabledPeers = new Map<string, OperatorDecision>();
  readonly downScrubbers = new Map<string, ScrubberFailure>();
  #paused: OperatorDecision | undefined;

  get paused(): OperatorDecision | undefined {
    return this.#paused;
  }

  restore(data: SnapshotData): void {
    this.safelist.restore(data.safelist, data.removedTags ?? []);
    this.#paused = data.paused ?? undefined;
    for (const [name, decision] of data.disabledPeers ?? []) this.disabledPeers.set(name, decision);
    for (const [name, failure] of data.downScrubbers ?? []) this.downScrubbers.set(name, failure);
  }

  snapshot(): Pick<SnapshotData, 'paused' | 'disabledPeers' | 'safelist' | 'removedTags' | 'downScrubbers'> {
    return {
      paused: this.#paused ?? null,
      disabledPeers: [...this.disabledPeers],
      safelist: [...this.safelist.byPrefix.values()],
      ...this.safelist.removedTags(),
      ...(this.downScrubbers.size === 0 ? {} : { downScrubbers: [...this.downScrubbers] }),
    };
  }

  /** Folds a fact that was decided at `at`. Returns what undoes it, if that is wanted. */
  fold(fact: ControlFact, at: number, isUndoable: boolean): (() => void) | undefined {
    switch (fact.type) {
      case 'safelist.added': {
        const undo = isUndoable ? this.safelist.checkpoint() : undefined;
        this.safelist.add(fact.entry);
        return undo;
      }
      case 'safelist.removed': {
        const undo = isUndoable ? this.safelist.checkpoint() : undefined;
        this.safelist.remove(fact.prefix, fact.tags);
        return undo;
      }
      case 'control.paused':
        return this.#setPaused({ actor: fact.actor, at, reason: fact.reason });
      case 'control.resumed':
        return this.#setPaused(undefined);
      case 'peer.disabled':
        return setEntry(this.disabledPeers, fact.peer, { actor: fact.actor, at, reason: fact.reason });
      case 'peer.enabled':
        return setEntry(this.disabledPeers, fact.peer, undefined);
      case 'scrubber.down':
        return setEntry(this.downScrubbers, fact.scrubber, { at, reason: fact.reason });
      case 'scrubber.up':
        return setEntry(this.downScrubbers, fact.scrubber, undefined);
    }
  }

  #setPaused(paused: OperatorDecision | undefined): () => void {
    const before = this.#paused;
    this.#paused = paused;
    return () => {
      this.#paused = before;
    };
  }
}

/** Sets an entry, or deletes it with undefined. Returns what undoes that, the order of the entries included. */
function setEntry<T>(map: Map<string, T>, name: string, value: T | undefined): () => void {
  const before = map.get(name);
  if (value !== undefined) {
    map.set(name, value);
    return () => {
      if (before === undefined) map.delete(name);
      else map.set(name, before);
    };
  }
  if (before === undefined) return () => undefined;
  const entries = [...map];
  map.delete(name);
  return () => {
    map.clear();
    for (const [key, earlier] of entries) map.set(key, earlier);
  };
}
