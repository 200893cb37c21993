/**
 * Refusals of a running attack as one alert. A detector reports every few seconds, and an attack on a network has hundreds of
 * victims: what is refused again for the same reason opens no second alert, and what a quota refuses is gathered into one for the
 * customer (or the POP). A refusal is over when its victim is mitigated, or when nothing was refused for a while.
 */
import type { Mitigation } from '../core/types.ts';
import { countWords } from '../net/text.ts';
import { overlaps, parsePrefix } from '../net/prefix.ts';
import type { Alert } from './alert.ts';
import type { AlertTimers } from './delivery-queue.ts';

export interface RefusalLimits {
  /** How long refusals by a quota are gathered before they are told (ms). */
  readonly gatherMs: number;
  /** A refusal is over after one to two of these without another (ms). */
  readonly quietMs: number;
  /** Refusals that are open at most; beyond it the oldest counts as over. */
  readonly capacity: number;
}

export const DEFAULT_REFUSAL_LIMITS: RefusalLimits = { gatherMs: 2_000, quietMs: 300_000, capacity: 1_000 };

/** A refusal that is told, by what it has in common with those that are not. */
interface Open {
  readonly key: string;
  /** The alert of the first one. */
  readonly first: Alert;
  /** Null when the reason is a quota, which a mitigation of one victim does not end. */
  readonly victim: string | null;
  reports: number;
  readonly victims: Set<string>;
  told: boolean;
  /** Refused again since the timer was set. */
  again: boolean;
  cancel: () => void;
}

/** Outlives the configuration: a reload makes a new dispatcher, and the attack goes on. */
export class Refusals {
  readonly #timers: AlertTimers;
  readonly #limits: RefusalLimits;
  readonly #open = new Map<string, Open>();
  #tell: (alert: Alert) => void = () => undefined;

  constructor(timers: AlertTimers, limits: Partial<RefusalLimits> = {}) {
    this.#timers = timers;
    this.#limits = { ...DEFAULT_REFUSAL_LIMITS, ...limits };
  }

  /** From now on alerts go there. */
  tellTo(tell: (alert: Alert) => void): void {
    this.#tell = tell;
  }

  /** Takes the alert of a `mitigation.rejected`, and tells it unless one like it is open. */
  refused(alert: Alert): void {
    const { mitigation } = alert;
    if (mitigation === null) {
      this.#tell(alert);
      return;
    }
    const key = keyOf(mitigation);
    const known = this.#open.get(key);
    if (known !== undefined) known.again = true;
    const open = known ?? this.#begin(key, alert, mitigation);
    open.reports++;
    if (!open.told) open.victims.add(mitigation.victim);
    if (open.victim !== null && !open.told) this.#tellOf(open);
  }

  /** The victim (an address or a prefix) is protected now: what was refused to it is over. */
  mitigated(victim: string, at: number): void {
    for (const open of [...this.#open.values()]) {
      if (open.victim !== null && isSameVictim(open.victim, victim)) this.#over(open, at);
    }
  }

  /** Tells what is gathered, and ends everything: nobody is left to say when it is over. */
  close(): void {
    for (const open of [...this.#open.values()]) {
      if (!open.told) this.#tellOf(open);
      this.#over(open, open.first.at);
    }
  }

  #begin(key: string, first: Alert, mitigation: Mitigation): Open {
    for (const oldest of this.#open.values()) {
      if (this.#open.size < this.#limits.capacity) break;
      this.#over(oldest, first.at);
    }
    const victim = isQuota(mitigation.reason) ? null : mitigation.victim;
    const open: Open = {
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
    if (victim === null) open.cancel = this.#timers.after(this.#limits.gatherMs, () => this.#gathered(open));
    else this.#watch(open);
    return open;
  }

  #gathered(open: Open): void {
    this.#tellOf(open);
    this.#watch(open);
  }

  /** Looks after a while whether anything was refused since. */
  #watch(open: Open): void {
    open.again = false;
    open.cancel = this.#timers.after(this.#limits.quietMs, () => {
      if (open.again) this.#watch(open);
      else this.#over(open, open.first.at + this.#limits.quietMs);
    });
  }

  #tellOf(open: Open): void {
    open.told = true;
    const { first, key, victim, reports, victims } = open;
    const incident = `refused:${key}`;
    const refused = { reports, victims: victims.size };
    const gathered = victim === null ? { refused, summary: quotaSummary(first, refused) } : {};
    this.#tell({ ...first, incident, ...gathered });
  }

  #over(open: Open, at: number): void {
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

/** What refusals of one alert have in common: the quota and whose it is, or the victim and the reason. */
function keyOf({ reason, victim, customerId }: Mitigation): string {
  if (reason === 'quota_customer') return `${reason}:${customerId ?? '(none)'}`;
  return isQuota(reason) ? reason : `${victim}:${reason}`;
}

function quotaSummary(first: Alert, refused: { readonly reports: number; readonly victims: number }): string {
  const { mitigation, pop } = first;
  const whose =
    mitigation?.reason === 'quota_customer' ? ` of customer ${mitigation.customerId ?? '(none)'}` : '';
  const counts = `${countWords(refused.reports, 'report')} refused for ${countWords(refused.victims, 'victim')}`;
  const attack = mitigation === null ? '' : `; first: ${mitigation.vector} on ${mitigation.victim}`;
  return `Quota${whose} reached (${mitigation?.reason ?? ''}): ${counts}${attack} (pop ${pop})`;
}

function isSameVictim(refused: string, mitigated: string): boolean {
  // Canonical addresses are the same when their texts are.
  if (!refused.includes('/') && !mitigated.includes('/')) return refused === mitigated;
  const [a, b] = [parsePrefix(refused), parsePrefix(mitigated)];
  return typeof a === 'string' || typeof b === 'string' ? refused === mitigated : overlaps(a, b);
}
