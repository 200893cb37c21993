/** Records what the daemon acknowledged, and the requests without a response, which may or may not have taken effect. */
export class Ledger {
  /** Mitigations of accepted events, by event. */
  readonly events = new Map<string, string>();
  /** Mitigations whose withdrawal was acknowledged. */
  readonly withdrawn = new Set<string>();
  /** Mitigations whose withdrawal was asked for. */
  readonly asked = new Set<string>();
  /** Prefixes that were acknowledged as safelisted. */
  readonly safelist = new Set<string>();
  /** Mitigations that should be active, as far as is known: candidates for a withdrawal. */
  readonly active: string[] = [];
  /** Events of the round that is on, which the daemon must still list. */
  recent: string[] = [];

  accepted(event: string, mitigation: string): void {
    this.events.set(event, mitigation);
    this.recent.push(event);
    this.active.push(mitigation);
  }

  counted(): string {
    const { events, withdrawn, safelist } = this;
    return `${events.size} events, ${withdrawn.size} withdrawals and ${safelist.size} safelist entries acknowledged`;
  }
}
