/** Tracks which prefixes active mitigations send to scrubbers. Several mitigations may share one prefix. */
import { scrubberOf } from '../core/action.ts';
import { isImported } from '../core/intent.ts';
import type { StateView } from '../core/state/state.ts';
import type { Mitigation } from '../core/types.ts';
import type { PlaceholderValues } from './request-template.ts';

/** A prefix at a scrubber. */
export interface ProtectedPrefix {
  readonly scrubber: string;
  readonly prefix: string;
}

/** Returns a key that is equal exactly for equal prefixes at one scrubber. */
export function protectionKey({ scrubber, prefix }: ProtectedPrefix): string {
  return `${scrubber} ${prefix}`;
}

export class WantedPrefixes {
  readonly #state: Pick<StateView, 'live' | 'mitigations'>;
  readonly #keys = new Map<string, string>();
  readonly #mitigations = new Map<string, Set<string>>();

  constructor(state: Pick<StateView, 'live' | 'mitigations'>) {
    this.#state = state;
  }

  /** The keys of all wanted prefixes. */
  get keys(): Iterable<string> {
    return this.#mitigations.keys();
  }

  has(key: string): boolean {
    return this.#mitigations.has(key);
  }

  /** Returns the oldest known mitigation that wants this key. */
  mitigationOf(key: string): Mitigation | undefined {
    for (const id of this.#mitigations.get(key) ?? []) {
      const mitigation = this.#state.mitigations.get(id);
      if (mitigation !== undefined) return mitigation;
    }
    return undefined;
  }

  /** Looks at a mitigation that has changed. Returns the keys whose need may have changed. */
  update(id: string): readonly string[] {
    const before = this.#keys.get(id);
    const mitigation = this.#state.live.has(id) ? this.#state.mitigations.get(id) : undefined;
    const wanted = mitigation && wantedBy(mitigation);
    const now = wanted && protectionKey(wanted);
    if (before === now) return [];
    if (before !== undefined) {
      this.#keys.delete(id);
      const sharing = this.#mitigations.get(before);
      sharing?.delete(id);
      if (sharing?.size === 0) this.#mitigations.delete(before);
    }
    if (now !== undefined) {
      this.#keys.set(id, now);
      this.#mitigations.set(now, (this.#mitigations.get(now) ?? new Set()).add(id));
    }
    return [before, now].filter((key) => key !== undefined);
  }

  /** Looks at all active mitigations. */
  updateAll(): void {
    for (const id of [...this.#keys.keys(), ...this.#state.live]) this.update(id);
  }
}

/**
 * Returns the prefix that a live mitigation wants protected. An ending one still does: until the routers have withdrawn
 * its route, its traffic goes to the scrubber. For another POP's mitigation, that POP asks the scrubber.
 */
export function wantedBy(mitigation: Mitigation): ProtectedPrefix | undefined {
  const { action, match, dryRun } = mitigation;
  const scrubber = dryRun || isImported(mitigation) ? undefined : scrubberOf(action);
  return scrubber === undefined ? undefined : { scrubber, prefix: match.dstPrefix };
}

/** Returns what the placeholders of a mitigation's requests stand for. */
export function valuesOf(
  { id, victim, customerId, pop, vector }: Mitigation,
  { scrubber, prefix }: ProtectedPrefix,
): PlaceholderValues {
  return {
    victim_ip: victim,
    prefix,
    customer_id: customerId ?? '',
    mitigation_id: id,
    scrubber,
    pop,
    vector,
  };
}
