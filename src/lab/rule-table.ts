/** Keeps the rules and unicast routes that each speaker announced (Adj-RIB-In, RFC 4271 §3.2). */
import { type Family, sameFamily } from '../bgp/wire/iana.ts';

/** Holds a received rule or unicast route. */
export interface LabRule {
  readonly family: Family;
  /** The NLRI as received, with its length octets. */
  readonly nlriHex: string;
  /** The EXTENDED_COMMUNITIES as received. */
  readonly actionsHex: string;
  /** IPv6 address specific EXTENDED_COMMUNITIES; absent or empty for none. */
  readonly ipv6ActionsHex?: string;
  /** The next hop; absent or empty for none. */
  readonly nextHopHex?: string;
  /** COMMUNITIES and LARGE_COMMUNITIES of a unicast route. */
  readonly communitiesHex?: string;
  /** The rule or route in operator notation. */
  readonly text: string;
  /** The router id of the speaker that announced it. */
  readonly from: string;
  /** True while it is kept for a restarting speaker, until that announces it again or the wait ends (RFC 4724 §4.2). */
  readonly stale: boolean;
}

/** Reports a change of the table, or a refused rule. */
export interface LabChange {
  readonly kind: 'announced' | 'replaced' | 'withdrawn' | 'refused';
  readonly text: string;
}

export class RuleTable {
  readonly #changed: (change: LabChange) => void;
  readonly #rules = new Map<string, LabRule>();
  /** Rules per speaker and family that were not announced again since Begin-of-Route-Refresh. */
  readonly #awaited = new Map<string, Set<string>>();

  constructor(changed: (change: LabChange) => void) {
    this.#changed = changed;
  }

  /** Returns the rules in the order of arrival. */
  list(): readonly LabRule[] {
    return [...this.#rules.values()];
  }

  announce(rule: Omit<LabRule, 'stale'>): void {
    const key = keyOf(rule);
    const known = this.#rules.get(key);
    this.#rules.set(key, { ...rule, stale: false });
    this.#awaited.get(refreshKey(rule.from, rule.family))?.delete(key);
    if (known?.text === rule.text) return;
    this.#changed({ kind: known === undefined ? 'announced' : 'replaced', text: rule.text });
  }

  /** Withdraws a rule. Does nothing if the speaker has not announced it. */
  withdraw(rule: Pick<LabRule, 'from' | 'family' | 'nlriHex'>): void {
    const key = keyOf(rule);
    this.#sweep((_rule, other) => other === key);
  }

  withdrawAll(from: string): void {
    this.#sweep((rule) => rule.from === from);
  }

  /**
   * Marks the rules of these families as stale, because the speaker restarts, and withdraws its other rules. RFC 4724 §4.2: "To
   * deal with possible consecutive restarts, a route (from the peer) previously marked as stale MUST be deleted."
   */
  markStale(from: string, families: readonly Family[]): void {
    this.#sweep((rule) => rule.from === from && (rule.stale || !isIn(families, rule.family)));
    for (const [key, rule] of this.#rules) {
      if (rule.from === from) this.#rules.set(key, { ...rule, stale: true });
    }
  }

  /** Withdraws the speaker's stale rules, except in these families. */
  sweepStale(from: string, except: readonly Family[] = []): void {
    this.#sweep((rule) => rule.stale && rule.from === from && !isIn(except, rule.family));
  }

  /** Withdraws the speaker's stale rules of one family, after End-of-RIB. */
  sweepStaleOf(from: string, family: Family): void {
    this.#sweep((rule) => rule.stale && rule.from === from && sameFamily(rule.family, family));
  }

  /** Expects every rule of the family again, after Begin-of-Route-Refresh (RFC 7313 §4). A second one starts over. */
  beginRefresh(from: string, family: Family): void {
    const awaited = new Set<string>();
    for (const [key, rule] of this.#rules) {
      if (rule.from === from && sameFamily(rule.family, family)) awaited.add(key);
    }
    this.#awaited.set(refreshKey(from, family), awaited);
  }

  /** Withdraws rules that were not announced again, at End-of-Route-Refresh (RFC 7313 §4). Does nothing without a beginning. */
  endRefresh(from: string, family: Family): void {
    const key = refreshKey(from, family);
    const awaited = this.#awaited.get(key);
    this.#awaited.delete(key);
    if (awaited !== undefined) this.#sweep((_rule, other) => awaited.has(other));
  }

  /** Forgets a refresh, because its session closed. */
  forgetRefresh(from: string, family: Family): void {
    this.#awaited.delete(refreshKey(from, family));
  }

  #sweep(which: (rule: LabRule, key: string) => boolean): void {
    for (const [key, rule] of this.#rules) {
      if (!which(rule, key)) continue;
      this.#rules.delete(key);
      this.#changed({ kind: 'withdrawn', text: rule.text });
    }
  }
}

function isIn(families: readonly Family[], family: Family): boolean {
  return families.some((one) => sameFamily(one, family));
}

function refreshKey(from: string, family: Family): string {
  return `${from} ${family.afi}/${family.safi}`;
}

/** Returns a rule's key. The NLRI as received is an opaque key (RFC 8955 §4). */
function keyOf({ from, family, nlriHex }: Pick<LabRule, 'from' | 'family' | 'nlriHex'>): string {
  return `${refreshKey(from, family)} ${nlriHex}`;
}
