/**
 * Combines the refusals of an attack into one alert. A detector reports every few seconds, and an attack on a network
 * has hundreds of victims: a repeated refusal for the same reason raises no second alert, and refusals by a quota are
 * gathered into one alert per customer (or POP). A refusal is over when its victim is mitigated, or after a time
 * without refusals.
 */
import type { Mitigation } from '../core/types.ts';
import { countWords } from '../net/text.ts';
import { overlaps, parsePrefix } from '../net/prefix.ts';
import type { Alert } from './alert.ts';
import type { AlertTimers } from './attempt.ts';

export interface RefusalLimits {
  /** Time for which refusals by a quota are gathered before the alert (ms). */
  readonly gatherMs: number;
  /** A refusal is over after one to two of these periods without another refusal (ms). */
  readonly quietMs: number;
  /** Most open refusals; beyond that the oldest counts as over. */
  readonly capacity: number;
}

export const DEFAULT_REFUSAL_LIMITS: RefusalLimits = { gatherMs: 2_000, quietMs: 300_000, capacity: 1_000 };

/** An open refusal, and the later ones with the same key. */
interface OpenDigest {
  readonly key: string;
  /** Alert of the first refusal. */
  readonly first: Alert;
  /** Undefined for refusals by a quota, which a mitigation of one victim does not end. */
  readonly victim: string | undefined;
  reports: number;
  readonly victims: Set<string>;
  told: boolean;
  /** True if there was another refusal since the timer was set. */
  again: boolean;
  cancel: () => void;
}

/** Tracks open refusals. Outlives a configuration: a reload creates a new dispatcher, but the attack continues. */
export class Refusals {
  readonly #timers: AlertTimers;
  readonly #limits: RefusalLimits;
  readonly #open = new Map<string, OpenDigest>();
  #tell: (alert: Alert) => void = () => undefined;

  constructor(timers: AlertTimers, limits: Partial<RefusalLimits> = {}) {
    this.#timers = timers;
    this.#limits = { ...DEFAULT_REFUSAL_LIMITS, ...limits };
  }

  /** Sets the receiver of alerts. */
  tellTo(tell: (alert: Alert) => void): void {
    this.#tell = tell;
  }

  /** Takes the alert of a `mitigation.rejected` and sends it unless a similar one is open. */
  refused(alert: Alert): void {
    const { mitigation } = alert;
    if (mitigation === undefined) {
      this.#tell(alert);
      return;
    }
    const key = keyOf(mitigation);
    const known = this.#open.get(key);
    if (known !== undefined) known.again = true;
    const open = known ?? this.#begin(key, alert, mitigation);
    open.reports++;
    if (!open.told) open.victims.add(mitigation.victim);
    if (open.victim !== undefined && !open.told) this.#tellOf(open);
  }

  /** Ends the refusals of a victim (an address or a prefix) that is now protected. */
  mitigated(victim: string, at: number): void {
    for (const open of [...this.#open.values()]) {
      if (open.victim !== undefined && isSameVictim(open.victim, victim)) this.#over(open, at);
    }
  }

  /** Sends the gathered alerts and ends all refusals. */
  close(): void {
    for (const open of [...this.#open.values()]) {
      if (!open.told) this.#tellOf(open);
      this.#over(open, open.first.at);
    }
  }

  #begin(key: string, first: Alert, mitigation: Mitigation): OpenDigest {
    for (const oldest of this.#open.values()) {
      if (this.#open.size < this.#limits.capacity) break;
      this.#over(oldest, first.at);
    }
    const victim = isQuota(mitigation.reason) ? undefined : mitigation.victim;
    const open: OpenDigest = {
      key,
      first,
      victim,
      reports: 0,
      victims: new Set(),
      told: false,
      again: false,
      cancel: () => undefined,
    };
    this.#open.set(key, open);
    if (victim === undefined)
      open.cancel = this.#timers.after(this.#limits.gatherMs, () => this.#gathered(open));
    else this.#watch(open);
    return open;
  }

  #gathered(open: OpenDigest): void {
    this.#tellOf(open);
    this.#watch(open);
  }

  /** Ends a refusal after a period without another one. */
  #watch(open: OpenDigest): void {
    open.again = false;
    open.cancel = this.#timers.after(this.#limits.quietMs, () => {
      if (open.again) this.#watch(open);
      else this.#over(open, open.first.at + this.#limits.quietMs);
    });
  }

  #tellOf(open: OpenDigest): void {
    open.told = true;
    const { first, key, victim, reports, victims } = open;
    const incident = `refused:${key}`;
    const refused = { reports, victims: victims.size };
    const gathered = victim === undefined ? { refused, summary: quotaSummary(first, refused) } : {};
    this.#tell({ ...first, incident, ...gathered });
  }

  #over(open: OpenDigest, at: number): void {
    open.cancel();
    this.#open.delete(open.key);
    if (!open.told) return;
    const { first, key } = open;
    this.#tell({ ...first, at, incident: `refused:${key}`, resolves: true });
  }
}

function isQuota(reason: string): boolean {
  return reason.startsWith('quota_');
}

/** Returns the key that refusals of one alert share: the quota and its customer, or the victim and the reason. */
function keyOf({ reason, victim, customerId }: Mitigation): string {
  if (reason === 'quota_customer') return `${reason}:${customerId ?? '(none)'}`;
  return isQuota(reason) ? reason : `${victim}:${reason}`;
}

function quotaSummary(first: Alert, refused: { readonly reports: number; readonly victims: number }): string {
  const { mitigation, pop } = first;
  const whose =
    mitigation?.reason === 'quota_customer' ? ` of customer ${mitigation.customerId ?? '(none)'}` : '';
  const counts = `${countWords(refused.reports, 'report')} refused for ${countWords(refused.victims, 'victim')}`;
  const attack = mitigation === undefined ? '' : `; first: ${mitigation.vector} on ${mitigation.victim}`;
  return `Quota${whose} reached (${mitigation?.reason ?? ''}): ${counts}${attack} (pop ${pop})`;
}

function isSameVictim(refused: string, mitigated: string): boolean {
  // Canonical addresses are equal if their texts are.
  if (!refused.includes('/') && !mitigated.includes('/')) return refused === mitigated;
  const [a, b] = [parsePrefix(refused), parsePrefix(mitigated)];
  return a.ok && b.ok ? overlaps(a.value, b.value) : refused === mitigated;
}
