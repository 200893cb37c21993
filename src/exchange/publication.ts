/**
 * Keeps what this POP has published, and compares it with what it decided. The difference is what is written next, so
 * that nothing queues while the database is away, however long that is.
 */
import { type Intent, isImported } from '../core/intent.ts';
import { endedIntent, standingIntent } from '../core/own-intents.ts';
import { isActive } from '../core/state/indices.ts';
import type { StateView } from '../core/state/state.ts';
import type { Mitigation } from '../core/types.ts';

/** A version that is to be written. */
export interface Draft {
  readonly intent: Intent;
  /** Time at which the mitigation ends (ms). */
  readonly endsAt: number;
  /** True if another POP is to hold it, or to stop holding it. */
  readonly isForOthers: boolean;
  /** What is published once this is written; undefined: nothing more of it. */
  readonly becomes: Published | undefined;
}

/** The last version of a mitigation that was written. */
interface Published {
  /** Equal for versions with the same content. */
  readonly content: string;
  readonly endsAt: number;
  readonly isForOthers: boolean;
}

/** Differences of two ends that are not worth a version (ms). */
const TOLERANCE_MS = 500;

export class Publication {
  readonly #published = new Map<string, Published>();
  /** Ids to compare; nothing else needs to be. */
  readonly #dirty = new Set<string>();

  /** Number of mitigations that others may know. */
  get size(): number {
    return this.#published.size;
  }

  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** Remembers that a mitigation may have changed. */
  mark(id: string): void {
    this.#dirty.add(id);
  }

  /** Remembers everything that is published or active, such as after an outage. */
  markAll(state: StateView): void {
    for (const id of this.#published.keys()) this.mark(id);
    for (const id of state.live) this.mark(id);
  }

  /** Remembers the mitigations whose published end has become due to be moved, and forgets what is over. */
  markDue(state: StateView, now: number): void {
    for (const [id, published] of this.#published) {
      const mitigation = state.mitigations.get(id);
      if (mitigation === undefined || !isActive(mitigation)) {
        if (published.endsAt < now) this.#published.delete(id);
      } else if (isMoved(published, mitigation, now)) this.mark(id);
    }
  }

  /**
   * Starts anew, as at a new epoch: everything active is to be written, and everything that was withdrawn while its TTL
   * lasts, because others may not know. All of it counts as published in some earlier form, so that what is withdrawn
   * before it is written is not forgotten. What this POP has no record of is left to its TTL.
   */
  restart(state: StateView, now: number): void {
    this.#published.clear();
    this.#dirty.clear();
    const { paused } = state;
    for (const mitigation of state.mitigations.values()) {
      const { id, ending, expiresAt, createdAt } = mitigation;
      if (expiresAt <= now || !isShown(mitigation)) continue;
      const isStanding = isActive(mitigation);
      if (!isStanding && ending?.to !== 'withdrawn') continue;
      this.mark(id);
      // Decided during a pause: new to the others.
      if (isStanding && paused !== undefined && createdAt >= paused.at) continue;
      this.#published.set(id, { content: '', endsAt: expiresAt, isForOthers: true });
    }
  }

  /** Takes at most `most` versions that are to be written. Give them back if they could not be. */
  take(state: StateView, pop: string, now: number, most: number): readonly Draft[] {
    const drafts: Draft[] = [];
    for (const id of this.#dirty) {
      if (drafts.length >= most) break;
      this.#dirty.delete(id);
      const draft = this.#draft(state, id, pop, now);
      if (draft !== undefined) drafts.push(draft);
    }
    return drafts;
  }

  /** Records that these were written. */
  written(drafts: readonly Draft[]): void {
    for (const { intent, becomes } of drafts) {
      if (becomes === undefined) this.#published.delete(intent.id);
      else this.#published.set(intent.id, becomes);
    }
  }

  /** Takes back versions that were not written, or perhaps not. */
  giveBack(drafts: readonly Draft[]): void {
    for (const { intent } of drafts) this.mark(intent.id);
  }

  #draft(state: StateView, id: string, pop: string, now: number): Draft | undefined {
    const mitigation = state.mitigations.get(id);
    const published = this.#published.get(id);
    if (mitigation !== undefined && isActive(mitigation)) {
      if (!isShown(mitigation)) return undefined;
      // A pause announces nothing new, here or elsewhere.
      if (published === undefined && state.paused !== undefined) return undefined;
      return standingDraft(mitigation, published, pop, now);
    }
    if (published === undefined) return undefined;
    const { ending = null } = mitigation ?? {};
    // Others end it by themselves.
    if (ending?.to === 'expired' && published.endsAt <= now + TOLERANCE_MS) {
      this.#published.delete(id);
      return undefined;
    }
    return {
      intent: endedIntent({ id, ending }) ?? {
        kind: 'ended',
        id,
        to: 'withdrawn',
        reason: 'its POP has no record of it',
        actorName: 'prefixd',
      },
      // Kept for those who come late as long as somebody may hold the rule.
      endsAt: published.endsAt,
      isForOthers: published.isForOthers,
      becomes: undefined,
    };
  }
}

/** True for what others are told of: decided here, and not in a dry run. */
function isShown(mitigation: Mitigation): boolean {
  return !isImported(mitigation) && !mitigation.dryRun;
}

function standingDraft(
  mitigation: Mitigation,
  published: Published | undefined,
  pop: string,
  now: number,
): Draft | undefined {
  const { expiresAt } = mitigation;
  if (expiresAt <= now) return undefined;
  const pops = mitigation.pops ?? [pop];
  const content = contentOf(mitigation, pops);
  if (published?.content === content && !isMoved(published, mitigation, now)) return undefined;
  const reachesOthers = pops.some((one) => one !== pop);
  return {
    intent: standingIntent(mitigation, now).intent,
    endsAt: expiresAt,
    isForOthers: reachesOthers || published?.isForOthers === true,
    becomes: { content, endsAt: expiresAt, isForOthers: reachesOthers },
  };
}

/**
 * True if the end has moved so far that others must know: earlier, or later by a quarter of the time that is left. That
 * becomes true before the published end, so no rule ends early elsewhere.
 */
function isMoved(published: Published, { expiresAt }: Mitigation, now: number): boolean {
  const later = expiresAt - published.endsAt;
  return later < -TOLERANCE_MS || (later > TOLERANCE_MS && later >= (expiresAt - now) / 4);
}

/** Returns a text that changes with what others must know at once. */
function contentOf(mitigation: Mitigation, pops: readonly string[]): string {
  const { match, ports, excludedPorts, action, step, away } = mitigation;
  const isLifted = away?.probeUntil !== undefined;
  return JSON.stringify([match, ports, excludedPorts, action, step, pops, isLifted]);
}
