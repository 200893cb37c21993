/** Starts the engine from what its store holds. */
import { initialState, restoreState } from '../core/state/state.ts';
import type { Recovery } from '../store/store.ts';
import { Engine } from './engine.ts';
import type { EngineOptions } from './engine-options.ts';
import { RecentFacts } from './recent-facts.ts';

/**
 * Opens the store, folds its facts, and returns the engine with the store's warnings. Closes the store again before it
 * rejects.
 */
export async function openEngine(
  options: EngineOptions,
): Promise<{ engine: Engine; warnings: readonly string[] }> {
  const recovery = await options.store.open();
  try {
    return { engine: await resumeEngine(options, recovery), warnings: recovery.warnings };
  } catch (error) {
    await options.store.close();
    throw error;
  }
}

/** Folds the facts of an open store and returns the engine. */
export async function resumeEngine(options: EngineOptions, recovery: Recovery): Promise<Engine> {
  const state = recovery.snapshot === undefined ? initialState() : restoreState(recovery.snapshot);
  const observe = await options.onReplay?.(state);
  const recent = new RecentFacts();
  let replayed = 0;
  options.onReplayed?.(replayed, recovery.about);
  for await (const facts of recovery.facts) {
    for (const fact of facts) {
      observe?.(fact);
      state.apply(fact);
    }
    recent.add(facts);
    replayed += facts.length;
    options.onReplayed?.(replayed, recovery.about);
  }
  return new Engine(options, state, recent, replayed);
}
