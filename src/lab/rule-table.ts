/** The rules that a router has from its speakers, each speaker's by itself (Adj-RIB-In, RFC 4271 §3.2). */
import { type Family, sameFamily } from '../bgp/wire/iana.ts';

/** A rule as the router holds it. */
export interface LabRule {
  readonly family: Family;
  /** NLRI as received, length octets included. */
  readonly nlriHex: string;
  /** EXTENDED_COMMUNITIES as received. */
  readonly actionsHex: string;
  /** Operator notation, match and actions. */
  readonly text: string;
  /** Router id of the speaker that announced it. */
  readonly from: string;
  /** Kept for a speaker that restarts, and gone unless it is announced again (RFC 4724 §4.2). */
  readonly stale: boolean;
}

/** What happened in the table, or what could not be put there. */
export interface LabChange {
  readonly kind: 'announced' | 'replaced' | 'withdrawn' | 'refused';
  readonly text: string;
}

export class RuleTable {
  readonly #changed: (change: LabChange) => void;
  readonly #rules = new Map<string, LabRule>();
  /** Rules of a speaker and family that have not been announced again since its Begin-of-Route-Refresh. */
  readonly #awaited = new Map<string, Set<string>>();

  constructor(changed: (change: LabChange) => void) {
    this.#changed = changed;
  }

  /** In the order of arrival. */
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

  /** Does nothing where the speaker has announced no such rule. */
  withdraw(rule: Pick<LabRule, 'from' | 'family' | 'nlriHex'>): void {
    const key = keyOf(rule);
    this.#sweep((_rule, other) => other === key);
  }

  withdrawAll(from: string): void {
    this.#sweep((rule) => rule.from === from);
  }

  /**
   * The speaker restarts: its rules of these families are kept as stale. RFC 4724 §4.2: "To deal with possible consecutive
   * restarts, a route (from the peer) previously marked as stale MUST be deleted."
   */
  markStale(from: string, families: readonly Family[]): void {
    this.#sweep((rule) => rule.from === from && (rule.stale || !isIn(families, rule.family)));
    for (const [key, rule] of this.#rules) {
      if (rule.from === from) this.#rules.set(key, { ...rule, stale: true });
    }
  }

  /** Withdraws what was kept for the speaker and not announced again, except in these families. */
  sweepStale(from: string, except: readonly Family[] = []): void {
    this.#sweep((rule) => rule.stale && rule.from === from && !isIn(except, rule.family));
  }

  /** End-of-RIB. */
  sweepStaleOf(from: string, family: Family): void {
    this.#sweep((rule) => rule.stale && rule.from === from && sameFamily(rule.family, family));
  }

  /** Begin-of-Route-Refresh (RFC 7313 §4): everything of the family is expected again, also when it was before. */
  beginRefresh(from: string, family: Family): void {
    const awaited = new Set<string>();
    for (const [key, rule] of this.#rules) {
      if (rule.from === from && sameFamily(rule.family, family)) awaited.add(key);
    }
    this.#awaited.set(refreshKey(from, family), awaited);
  }

  /** End-of-Route-Refresh (RFC 7313 §4): what was not announced again goes. Without a beginning it means nothing. */
  endRefresh(from: string, family: Family): void {
    const key = refreshKey(from, family);
    const awaited = this.#awaited.get(key);
    this.#awaited.delete(key);
    if (awaited !== undefined) this.#sweep((_rule, other) => awaited.has(other));
  }

  /** The session is gone in the middle of a refresh. */
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

/** A rule is named by its octets as received: the NLRI is an opaque key (RFC 8955 §4). */
function keyOf({ from, family, nlriHex }: Pick<LabRule, 'from' | 'family' | 'nlriHex'>): string {
  return `${refreshKey(from, family)} ${nlriHex}`;
}
