/**
 * Keeps the inventory in step with another system: reads it regularly, decides what happens to a new answer, and tries
 * again after failures. Whatever fails, the copy in use stays. Nothing of it is on the way of an event.
 *
 *     due, webhook, sync -> read (a thread) -> same: nothing
 *                                           -> new -> shrink guard -> adopt, or wait for accept
 *                                           -> failed: again, with longer and longer pauses
 */
import type { Actor } from '../core/types.ts';
import { SingleFlight } from '../net/single-flight.ts';
import { errorText } from '../net/text.ts';
import type { SourceStatus } from '../view/inventory-source-view.ts';
import type { ContentChange } from './compare-content.ts';
import type { CopyHead } from './copy-file.ts';
import type { SourceFailure } from './get-json.ts';
import type { InventoryContent } from './inventory-content.ts';
import type { ReadSource, SourceOutcome } from './read-apart.ts';
import { whyGuarded } from './shrink-guard.ts';
import { READ_LIMITS, type ReadLimits, type SourceSettings } from './source-settings.ts';

/** What became of a new content. */
export type AdoptionOutcome =
  | { readonly type: 'adopted' }
  | {
      readonly type: 'needs-confirmation';
      readonly effect: string;
      readonly ends: number;
      readonly active: number;
    }
  | { readonly type: 'failed'; readonly text: string };

/** What became of a read or an acceptance. */
export type SyncOutcome =
  | AdoptionOutcome
  | { readonly type: 'unchanged' }
  | { readonly type: 'waiting'; readonly reason: string }
  | { readonly type: 'nothing' };

export type SyncReport =
  | { readonly type: 'unchanged' | 'recovered' }
  | { readonly type: 'adopted'; readonly head: CopyHead; readonly change: ContentChange | undefined }
  | { readonly type: 'waiting'; readonly reason: string; readonly change: ContentChange | undefined }
  | { readonly type: 'failed'; readonly failure: SourceFailure; readonly isFirst: boolean };

export interface InventorySyncOptions {
  readonly settings: SourceSettings | undefined;
  /** The storage folder. */
  readonly folder: string;
  /** The copy in use; undefined: none. */
  readonly copy: CopyHead | undefined;
  readonly read: ReadSource;
  /** Adopts a content, and keeps its copy. Never rejects. */
  readonly adopt: (
    content: InventoryContent,
    head: CopyHead,
    actor: Actor,
    confirmed: boolean,
  ) => Promise<AdoptionOutcome>;
  /** Makes the candidate on disk the copy in use, whose file is damaged or missing. */
  readonly restore: () => Promise<void>;
  /** Customers with active mitigations that are not in inventory.yaml. */
  readonly attacked: () => ReadonlySet<string>;
  /** Who adopts by itself. */
  readonly actor: Actor;
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Returns a number from 0 to less than 1. */
  readonly random: () => number;
  /** Must not throw. */
  readonly onReport: (report: SyncReport) => void;
  readonly limits?: Partial<ReadLimits>;
}

/** Pause after the first failure (ms); doubled with each further one, up to the refresh interval. */
const FIRST_PAUSE_MS = 10_000;
/** Longest pause that a server can ask for (ms). */
const LONGEST_PAUSE_MS = 3_600_000;
/** Time in which webhooks are collected, and least time between two reads that they cause (ms). */
const GATHER_MS = 2_000;
const LEAST_GAP_MS = 10_000;

/** Failures that the same request would have again. */
const LASTING: ReadonlySet<SourceFailure['code']> = new Set(['unauthorized', 'redirect', 'http_status']);

interface WaitingAnswer {
  readonly head: CopyHead;
  readonly change: ContentChange | undefined;
  readonly reason: string;
  readonly since: number;
}

export class InventorySync {
  readonly #options: InventorySyncOptions;
  readonly #flight = new SingleFlight<SyncOutcome>();
  readonly #closing = new AbortController();
  #settings: SourceSettings | undefined;
  #copy: CopyHead | undefined;
  #waiting: WaitingAnswer | undefined;
  #failure: NonNullable<SourceStatus['failure']> | undefined;
  #reading: NonNullable<SourceStatus['reading']> | undefined;
  #lastSuccessAt: number | undefined;
  #lastEndAt = Number.NEGATIVE_INFINITY;
  #next: { readonly at: number; readonly cancel: () => void } | undefined;
  #started = false;

  constructor(options: InventorySyncOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#copy = options.copy;
  }

  /** Begins to read. */
  start(): void {
    this.#started = true;
    if (this.#settings !== undefined) this.#schedule(0);
  }

  /** Follows a reload: its settings apply to the next read, which comes at once if they differ. */
  adoptSettings(settings: SourceSettings | undefined, copy: CopyHead | undefined): void {
    const isSame = JSON.stringify(settings) === JSON.stringify(this.#settings);
    this.#settings = settings;
    this.#copy = copy;
    if (isSame) return;
    this.#waiting = undefined;
    this.#failure = undefined;
    this.#unschedule();
    if (settings !== undefined) this.#schedule(0);
  }

  /** The state of the source; undefined: there is none. */
  status(): SourceStatus | undefined {
    const settings = this.#settings;
    if (settings === undefined) return undefined;
    const waiting = this.#waiting;
    return {
      source: settings.source,
      from: new URL(settings.url).origin,
      copy: this.#copy,
      lastSuccessAt: this.#lastSuccessAt,
      nextReadAt: this.#next?.at,
      reading: this.#reading,
      failure: this.#failure,
      waiting: waiting && {
        copy: waiting.head,
        reason: waiting.reason,
        since: waiting.since,
        lines: waiting.change?.lines ?? [],
        count: waiting.change?.count ?? 0,
      },
    };
  }

  /** The secret of the webhook; undefined: it is off. */
  get webhookSecret(): string | undefined {
    return this.#settings?.webhookSecret;
  }

  /** Lets the next read come soon, because something has changed in the system. */
  soon(): void {
    if (this.#settings === undefined) return;
    const now = this.#options.clock();
    const at = Math.max(now + GATHER_MS, this.#lastEndAt + LEAST_GAP_MS);
    // A server that asks for a pause gets it.
    if (this.#failure !== undefined || (this.#next !== undefined && this.#next.at <= at)) return;
    this.#schedule(at - now);
  }

  /** Reads now. */
  sync(actor: Actor): Promise<SyncOutcome> {
    return this.#flight.run(() => this.#read(actor), 'read');
  }

  /**
   * Adopts the answer that waits, if it still has this digest (undefined: whichever waits). Without `confirmed`, the engine
   * asks before it withdraws many mitigations.
   */
  accept(actor: Actor, digest: string | undefined, confirmed: boolean): Promise<SyncOutcome> {
    return this.#flight.run(() => this.#accept(actor, digest, confirmed), `accept ${digest} ${confirmed}`);
  }

  /** Ends the read in progress, and begins no other. */
  close(): void {
    this.#started = false;
    this.#unschedule();
    this.#closing.abort();
  }

  #schedule(delayMs: number): void {
    this.#unschedule();
    if (!this.#started) return;
    const { after, clock, actor } = this.#options;
    this.#next = { at: clock() + delayMs, cancel: after(delayMs, () => void this.sync(actor)) };
  }

  #unschedule(): void {
    this.#next?.cancel();
    this.#next = undefined;
  }

  async #read(actor: Actor): Promise<SyncOutcome> {
    const settings = this.#settings;
    if (settings === undefined || this.#closing.signal.aborted) return { type: 'nothing' };
    this.#unschedule();
    const outcome = await this.#ask('read', settings);
    const { clock } = this.#options;
    this.#lastEndAt = clock();
    // A reload may have brought another system meanwhile, which is read next.
    if (settings !== this.#settings) {
      if (outcome.type === 'new') outcome.close();
      return { type: 'nothing' };
    }
    if (outcome.type === 'failed') return this.#failed(outcome.failure, settings);
    this.#lastSuccessAt = clock();
    this.#recovered();
    this.#schedule(settings.refreshSeconds * 1000);
    if (outcome.type === 'same') return this.#same(outcome, settings);
    return this.#decide(outcome, settings, actor);
  }

  async #same(
    { as, head, restore }: Extract<SourceOutcome, { type: 'same' }>,
    settings: SourceSettings,
  ): Promise<SyncOutcome> {
    if (as === 'waiting') return { type: 'waiting', reason: this.#waiting?.reason ?? '' };
    // What waited is not what the system says any more.
    this.#waiting = undefined;
    this.#copy = head;
    if (restore) {
      try {
        await this.#options.restore();
      } catch (error) {
        const text = `the copy cannot be written: ${errorText(error)}`;
        return this.#failed({ code: 'invalid', text }, settings);
      }
    }
    this.#options.onReport({ type: 'unchanged' });
    return { type: 'unchanged' };
  }

  async #decide(
    outcome: Extract<SourceOutcome, { type: 'new' }>,
    settings: SourceSettings,
    actor: Actor,
  ): Promise<SyncOutcome> {
    const { head, change } = outcome;
    const reason = this.#guard(change, settings);
    if (reason !== undefined) {
      outcome.close();
      return this.#wait(head, change, reason);
    }
    const adopted = await this.#adopt(outcome, actor, false);
    if (adopted.type === 'needs-confirmation') return this.#wait(head, change, adopted.effect);
    if (adopted.type === 'failed') {
      return this.#failed({ code: 'invalid', text: `not adopted: ${adopted.text}` }, settings);
    }
    return adopted;
  }

  #guard(change: ContentChange | undefined, { shrinkGuard }: SourceSettings): string | undefined {
    if (change !== undefined) return whyGuarded(change, shrinkGuard, this.#options.attacked());
    return this.#copy === undefined
      ? undefined
      : 'the copy in use cannot be read from disk, so it is not known what has changed';
  }

  #wait(head: CopyHead, change: ContentChange | undefined, reason: string): SyncOutcome {
    this.#waiting = { head, change, reason, since: this.#options.clock() };
    this.#options.onReport({ type: 'waiting', reason, change });
    return { type: 'waiting', reason };
  }

  async #adopt(
    { head, change, content, close }: Extract<SourceOutcome, { type: 'new' }>,
    actor: Actor,
    confirmed: boolean,
  ): Promise<AdoptionOutcome> {
    try {
      const outcome = await this.#options.adopt(await content(), head, actor, confirmed);
      if (outcome.type === 'adopted') {
        this.#copy = head;
        this.#waiting = undefined;
        this.#options.onReport({ type: 'adopted', head, change });
      }
      return outcome;
    } catch (error) {
      return { type: 'failed', text: errorText(error) };
    } finally {
      close();
    }
  }

  async #accept(actor: Actor, digest: string | undefined, confirmed: boolean): Promise<SyncOutcome> {
    const [waiting, settings] = [this.#waiting, this.#settings];
    if (waiting === undefined || settings === undefined) return { type: 'nothing' };
    if (digest !== undefined && digest !== waiting.head.digest) return { type: 'nothing' };
    const outcome = await this.#ask('candidate', settings);
    if (outcome.type === 'new') return this.#adopt(outcome, actor, confirmed);
    const text = outcome.type === 'failed' ? outcome.failure.text : 'it is in use already';
    return { type: 'failed', text };
  }

  async #ask(task: 'read' | 'candidate', settings: SourceSettings): Promise<SourceOutcome> {
    const { read, folder, clock, limits } = this.#options;
    const { webhookSecret: _, ...needed } = settings;
    const order = {
      task,
      settings: needed,
      folder,
      inUse: this.#copy?.digest,
      waiting: this.#waiting?.head.digest,
      limits: { ...READ_LIMITS, ...limits },
    };
    const since = clock();
    if (task === 'read') this.#reading = { since, list: '', objects: 0 };
    const outcome = await read(order, this.#closing.signal, (list, objects) => {
      this.#reading = { since, list, objects };
    });
    this.#reading = undefined;
    return outcome;
  }

  #failed(failure: SourceFailure, settings: SourceSettings): SyncOutcome {
    if (this.#closing.signal.aborted) return { type: 'failed', text: failure.text };
    const { clock, random, onReport } = this.#options;
    const before = this.#failure;
    const attempts = (before?.attempts ?? 0) + 1;
    const { code, text } = failure;
    this.#failure = { code, text, since: before?.since ?? clock(), attempts };
    const most = settings.refreshSeconds * 1000;
    const full = LASTING.has(code) ? most : Math.min(most, FIRST_PAUSE_MS * 2 ** (attempts - 1));
    const asked = Math.min(failure.retryAfterMs ?? 0, LONGEST_PAUSE_MS);
    this.#schedule(Math.max(asked, Math.round(full / 2 + (full / 2) * random())));
    onReport({ type: 'failed', failure, isFirst: before?.text !== text });
    return { type: 'failed', text };
  }

  #recovered(): void {
    if (this.#failure === undefined) return;
    this.#failure = undefined;
    this.#options.onReport({ type: 'recovered' });
  }
}
