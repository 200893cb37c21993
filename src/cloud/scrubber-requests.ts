/**
 * Asks cloud scrubbers to protect prefixes, and to stop. By level, not by edge: it compares the prefixes that active
 * mitigations send to a scrubber with what that scrubber has confirmed, and sends the difference, one request at a time
 * for each prefix. Nothing waits for it.
 */
import { type AlertTimers, type Attempt, cleanDetail, makeAttempt, urlSecrets } from '../alert/attempt.ts';
import type { Poster } from '../alert/post.ts';
import type { RecordedFact } from '../core/facts.ts';
import type { StateView } from '../core/state/state.ts';
import type { Mitigation } from '../core/types.ts';
import { overlaps } from '../net/prefix.ts';
import type { ProtectionStatus } from '../view/protection-view.ts';
import type { Ledger } from './ledger.ts';
import {
  ledgerEntry,
  newProtection,
  type Protection,
  protectionStatus,
  rememberedProtection,
  type RequestReport,
  type RequestResult,
  turnTo,
} from './protection.ts';
import { type FailedAttempt, pauseFor, REQUEST_LIMITS, type RequestLimits } from './request-limits.ts';
import { fillTemplate, type RequestSettings } from './request-template.ts';
import { protectionKey, valuesOf, wantedBy, WantedPrefixes } from './wanted-prefixes.ts';

/** Pause after which a failed write of the ledger is repeated (ms). */
const LEDGER_PAUSE_MS = 5_000;

export interface ScrubberRequestsOptions {
  readonly state: Pick<StateView, 'live' | 'mitigations' | 'paused'>;
  /** By scrubber; those that are missing are asked for nothing. */
  readonly settings: ReadonlyMap<string, RequestSettings>;
  readonly ledger: Ledger;
  readonly poster: Poster;
  readonly timers: AlertTimers;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Returns a number from 0 to less than 1. */
  readonly random: () => number;
  /** Must not throw. */
  readonly onReport: (report: RequestReport) => void;
  readonly limits?: Partial<RequestLimits>;
}

export class ScrubberRequests {
  readonly #options: ScrubberRequestsOptions;
  readonly #limits: RequestLimits;
  readonly #wanted: WantedPrefixes;
  readonly #protections = new Map<string, Protection>();
  /** Protections whose next attempt is due, by scrubber and request. */
  readonly #ready = new Map<string, Record<Protection['request'], Set<Protection>>>();
  readonly #attempts = new Map<Promise<void>, AbortController>();
  /** Number of attempts under way, by scrubber. */
  readonly #underWay = new Map<string, number>();
  #settings: ReadonlyMap<string, RequestSettings>;
  /** Of scrubbers that a reload has removed, for what they were asked before. */
  #retired: ReadonlyMap<string, RequestSettings> = new Map();
  #phase: 'new' | 'running' | 'closing' = 'new';
  #cancelSave: () => void = () => undefined;

  constructor(options: ScrubberRequestsOptions) {
    this.#options = options;
    this.#limits = { ...REQUEST_LIMITS, ...options.limits };
    this.#settings = options.settings;
    this.#wanted = new WantedPrefixes(options.state);
  }

  /** Begins: reads what was asked before, and asks for what is missing and what is over. */
  async resume(): Promise<void> {
    const now = this.#options.clock();
    for (const entry of await this.#options.ledger.load()) {
      const one = rememberedProtection(entry, now);
      this.#protections.set(one.key, one);
    }
    this.#phase = 'running';
    this.#compareAll();
    for (const one of this.#protections.values()) {
      const isDone = one.request === 'start' && one.confirmed;
      if (!isDone && one.dueAt === undefined) this.#schedule(one, 0);
    }
    this.#pump();
  }

  /** Takes durable facts right after they have changed the state. Never throws and never waits. */
  record(facts: readonly RecordedFact[]): void {
    if (this.#phase !== 'running' || (this.#settings.size === 0 && this.#protections.size === 0)) return;
    for (const { fact } of facts) {
      switch (fact.type) {
        case 'mitigation.created':
          this.#compare(this.#wanted.update(fact.mitigation.id));
          break;
        case 'mitigation.extended':
        case 'mitigation.widened':
        case 'mitigation.escalated':
        case 'mitigation.withdrawn':
        case 'mitigation.expired':
          this.#compare(this.#wanted.update(fact.id));
          break;
      }
    }
    this.#pump();
  }

  /**
   * Uses the new templates for the next requests. What a scrubber that is no longer configured was asked for is ended with
   * its old template.
   */
  adopt(settings: ReadonlyMap<string, RequestSettings>): void {
    const before = new Map([...this.#retired, ...this.#settings]);
    const inUse = new Set([...this.#protections.values()].map(({ scrubber }) => scrubber));
    this.#retired = new Map([...before].filter(([name]) => !settings.has(name) && inUse.has(name)));
    this.#settings = settings;
    if (this.#phase !== 'running') return;
    this.#compareAll();
    // What failed may work now.
    for (const one of this.#protections.values()) {
      if (one.attempts > 0 && !one.sending) this.#schedule(one, 0);
    }
    this.#pump();
  }

  /** Returns every protection, in the order of their begin. */
  statuses(): readonly ProtectionStatus[] {
    return [...this.#protections.values()].map(protectionStatus);
  }

  /** Returns the protection of an active mitigation's prefix; undefined if nothing is asked for it. */
  statusOf(mitigation: Mitigation): ProtectionStatus | undefined {
    if (!this.#options.state.live.has(mitigation.id)) return undefined;
    const wanted = wantedBy(mitigation);
    const one = wanted && this.#protections.get(protectionKey(wanted));
    return one && protectionStatus(one);
  }

  /** Why the file that remembers requests cannot be written, or could not be read; undefined if it works. */
  get ledgerTrouble(): { readonly writing?: string; readonly reading?: string } {
    const { failure, damage } = this.#options.ledger;
    return {
      ...(failure === undefined ? {} : { writing: failure }),
      ...(damage === undefined ? {} : { reading: damage }),
    };
  }

  /**
   * Finishes the attempts under way, for at most `graceMs`, and begins no others: the next start continues from the
   * ledger.
   */
  async close(graceMs: number): Promise<void> {
    const wasRunning = this.#phase === 'running';
    this.#phase = 'closing';
    this.#cancelSave();
    for (const one of this.#protections.values()) one.cancel();
    const cancel = this.#options.timers.after(graceMs, () => {
      for (const controller of this.#attempts.values()) controller.abort(new Error('prefixd is stopping'));
    });
    await Promise.all(this.#attempts.keys());
    cancel();
    if (wasRunning) await this.#save();
    await this.#options.poster.close();
  }

  #compareAll(): void {
    this.#wanted.updateAll();
    this.#compare([...this.#wanted.keys, ...this.#protections.keys()]);
  }

  #compare(keys: Iterable<string>): void {
    if (this.#phase !== 'running') return;
    for (const key of keys) {
      const one = this.#protections.get(key);
      if (one === undefined) this.#begin(key);
      // The end of an attempt compares again: the next request must not overtake it.
      else if (!one.sending) this.#follow(one);
    }
  }

  /** Begins to ask for a prefix, if it is wanted and its scrubber takes requests. */
  #begin(key: string): void {
    const mitigation = this.#wanted.mitigationOf(key);
    const where = mitigation && wantedBy(mitigation);
    if (mitigation === undefined || where === undefined || !this.#settings.has(where.scrubber)) return;
    const one = newProtection(where, valuesOf(mitigation, where), this.#options.clock());
    this.#protections.set(key, one);
    this.#schedule(one, 0);
  }

  /** Makes the request the one that is wanted now. */
  #follow(one: Protection): void {
    const isWanted = this.#wanted.has(one.key);
    if (isWanted === (one.request === 'start') || this.#phase !== 'running') return;
    if (!isWanted && !one.attempted) {
      this.#forget(one, 'cancelled');
      return;
    }
    if (one.failed) this.#report(one, undefined, 'ends');
    turnTo(one, isWanted ? 'start' : 'stop', this.#options.clock());
    if (isWanted && one.confirmed) this.#unschedule(one);
    else this.#schedule(one, isWanted ? 0 : (this.#settingsOf(one)?.stopDelayMs ?? 0));
    void this.#save();
  }

  #schedule(one: Protection, delayMs: number): void {
    this.#unschedule(one);
    one.dueAt = this.#options.clock() + delayMs;
    if (delayMs === 0) {
      this.#readyOf(one)[one.request].add(one);
      return;
    }
    one.cancel = this.#options.timers.after(delayMs, () => {
      this.#readyOf(one)[one.request].add(one);
      this.#pump();
    });
  }

  #unschedule(one: Protection): void {
    one.cancel();
    one.dueAt = undefined;
    const { start, stop } = this.#readyOf(one);
    start.delete(one);
    stop.delete(one);
  }

  #readyOf({ scrubber }: Protection): Record<Protection['request'], Set<Protection>> {
    const known = this.#ready.get(scrubber);
    if (known !== undefined) return known;
    const none = { start: new Set<Protection>(), stop: new Set<Protection>() };
    this.#ready.set(scrubber, none);
    return none;
  }

  /** Sends what is due and may be sent; starts come first. */
  #pump(): void {
    if (this.#phase !== 'running') return;
    // While paused, prefixd announces nothing new, so no traffic comes either.
    const isPaused = this.#options.state.paused !== undefined;
    for (const [scrubber, { start, stop }] of this.#ready) {
      for (const one of isPaused ? stop : inOrder(start, stop)) {
        if ((this.#underWay.get(scrubber) ?? 0) >= this.#limits.atOnce) break;
        if (one.request === 'stop' && this.#isReplacing(one)) continue;
        this.#unschedule(one);
        this.#track(one);
      }
    }
  }

  /**
   * Returns true while the scrubber has not confirmed a start for an overlapping prefix, such as that of a rule for many
   * hosts: until then, the narrower protection is the only one.
   */
  #isReplacing({ key, scrubber, range }: Protection): boolean {
    for (const other of this.#protections.values()) {
      if (other.key === key || other.scrubber !== scrubber) continue;
      if (other.request === 'stop' || other.confirmed) continue;
      if (overlaps(other.range, range)) return true;
    }
    return false;
  }

  #track(one: Protection): void {
    const { scrubber } = one;
    const controller = new AbortController();
    one.sending = true;
    this.#underWay.set(scrubber, (this.#underWay.get(scrubber) ?? 0) + 1);
    const sent = this.#send(one, controller).finally(() => {
      this.#attempts.delete(sent);
      this.#underWay.set(scrubber, (this.#underWay.get(scrubber) ?? 1) - 1);
      this.#pump();
    });
    this.#attempts.set(sent, controller);
  }

  async #send(one: Protection, controller: AbortController): Promise<void> {
    const isFirst = !one.attempted;
    if (isFirst) {
      one.attempted = true;
      await this.#remembered();
      one.attempted = this.#phase === 'running' && this.#wanted.has(one.key);
      if (!one.attempted) {
        one.sending = false;
        if (this.#phase === 'running') this.#forget(one, 'cancelled');
        return;
      }
    }
    if (one.request === 'stop') one.confirmed = false;
    const result = await this.#attempt(one, controller);
    one.sending = false;
    // The next run does not know how an attempt has ended that was cut off, and repeats it.
    if (this.#phase === 'closing' && result.verdict === 'again') return;
    if (result.verdict === 'delivered') this.#accepted(one);
    else this.#failedOnce(one, result);
  }

  async #attempt(one: Protection, controller: AbortController): Promise<Attempt> {
    const { poster, timers } = this.#options;
    const settings = this.#settingsOf(one);
    if (settings === undefined) {
      const detail = `the configuration has no requests for scrubber ${one.scrubber}`;
      return { verdict: 'refused', detail };
    }
    const template = settings[one.request];
    const request = fillTemplate(template, one.values);
    if (!request.ok) return { verdict: 'refused', detail: request.error };
    const { timeoutMs, secrets } = settings;
    const accepted = new Set(template.accepted);
    const result = await makeAttempt(request.value, { poster, timers, timeoutMs, controller, accepted });
    if (result.verdict === 'delivered') return result;
    const hidden = [...secrets, ...urlSecrets(request.value.url)];
    return { ...result, detail: cleanDetail(result.detail, hidden) };
  }

  #accepted(one: Protection): void {
    const trouble = one.failed ? 'ends' : undefined;
    if (one.request === 'stop') {
      this.#forget(one, 'accepted', trouble);
      this.#compare([one.key]);
      return;
    }
    turnTo(one, 'start', this.#options.clock());
    one.confirmed = true;
    this.#report(one, 'accepted', trouble);
    void this.#save();
    this.#follow(one);
  }

  #failedOnce(one: Protection, failure: FailedAttempt): void {
    const { attempts, giveUpMs } = this.#limits;
    const { clock, random } = this.#options;
    one.attempts++;
    one.lastError = failure.detail;
    const isRefused = failure.verdict === 'refused';
    const isNew = !one.failed && (isRefused || one.attempts >= attempts);
    if (isNew) {
      one.failed = true;
      one.since = clock();
    }
    this.#report(one, isRefused ? 'refused' : 'error', isNew ? 'begins' : undefined);
    if (this.#phase !== 'running') return;
    if (one.request === 'stop' && clock() - (one.stoppingSince ?? clock()) >= giveUpMs) {
      this.#forget(one, 'given_up');
      this.#compare([one.key]);
      return;
    }
    this.#schedule(one, pauseFor(one, failure, this.#limits, random()));
    this.#follow(one);
  }

  #forget(one: Protection, result: RequestResult, trouble?: 'ends'): void {
    this.#unschedule(one);
    this.#protections.delete(one.key);
    this.#report(one, result, trouble);
    void this.#save();
  }

  #report(one: Protection, result: RequestResult | undefined, trouble?: RequestReport['trouble']): void {
    this.#options.onReport({
      request: one.request,
      status: protectionStatus(one),
      ...(result === undefined ? {} : { result }),
      ...(trouble === undefined ? {} : { trouble }),
    });
  }

  #settingsOf({ scrubber }: Protection): RequestSettings | undefined {
    return this.#settings.get(scrubber) ?? this.#retired.get(scrubber);
  }

  /** Resolves when the ledger is written, or has failed, or takes too long. */
  #remembered(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.timers.after(this.#limits.ledgerMs, resolve);
      void this.#save().then(() => {
        cancel();
        resolve();
      });
    });
  }

  async #save(): Promise<void> {
    const { ledger, timers } = this.#options;
    await ledger.save(() => [...this.#protections.values()].flatMap((one) => ledgerEntry(one) ?? []));
    if (ledger.failure === undefined || this.#phase !== 'running') return;
    this.#cancelSave();
    this.#cancelSave = timers.after(LEDGER_PAUSE_MS, () => void this.#save());
  }
}

function* inOrder<Item>(...sets: readonly Iterable<Item>[]): Iterable<Item> {
  for (const set of sets) yield* set;
}
