/** Clients that report, withdraw and safelist as fast as they are answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Prefixd } from '../../test/support/prefixd.ts';
import type { Random } from '../fuzzing.ts';
import type { Ledger } from './ledger.ts';

const OPERATOR = { operator_id: 'assault', reason: 'assault' } as const;
const CLIENTS = 8;
/** Rules that are active at once; beyond, more is withdrawn than reported. */
const ENOUGH = 300;
const ENOUGH_MS = 3_000;

export class Load {
  readonly #prefixd: Prefixd;
  readonly #ledger: Ledger;
  readonly #random: Random;
  #victims = 0;
  #running = false;
  /** Calls that were answered since the start. */
  #answered = 0;
  #clients: Promise<void>[] = [];

  constructor(prefixd: Prefixd, ledger: Ledger, random: Random) {
    this.#prefixd = prefixd;
    this.#ledger = ledger;
    this.#random = random;
  }

  start(): void {
    this.#running = true;
    this.#answered = 0;
    this.#ledger.recent = [];
    this.#clients = Array.from({ length: CLIENTS }, () => this.#client());
  }

  /** Resolves when so many calls were answered, or after `ENOUGH_MS`: a machine may be slow, and writes may hang. */
  async answered(calls: number): Promise<void> {
    const end = performance.now() + ENOUGH_MS;
    while (this.#answered < calls && performance.now() < end) await sleep(5);
  }

  /** Resolves when no call is under way. Calls end with their daemon: kill it first, or let it answer. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#clients);
  }

  /** Reports one attack; the answer, or undefined when the connection broke before it came. */
  async report(): Promise<Answer | undefined> {
    const host = ++this.#victims;
    const victim = `2001:db8:acd::${(host >>> 16).toString(16)}:${(host & 0xffff).toString(16)}`;
    const event = {
      source: 'assault',
      vector: 'udp_flood',
      victim_ip: victim,
      confidence: 1,
      top_dst_ports: [53],
    };
    const answer = await this.#call('/v1/events', event);
    const { event_id: id, mitigation_id: mitigation, status } = answer?.body ?? {};
    if (answer?.status === 202 && status === 'accepted')
      this.#ledger.accepted(String(id), String(mitigation));
    return answer;
  }

  async #client(): Promise<void> {
    while (this.#running) {
      const { active } = this.#ledger;
      const dice = this.#random(100);
      const answer =
        dice < 3
          ? await this.#safelist()
          : dice < (active.length > ENOUGH ? 60 : 30)
            ? await this.#withdraw()
            : await this.report();
      // The daemon is gone, and this client with it.
      if (answer === undefined) return;
      this.#answered++;
    }
  }

  async #withdraw(): Promise<Answer | undefined> {
    const { active, asked, withdrawn } = this.#ledger;
    const at = this.#random(Math.max(1, active.length));
    const [id] = active.splice(at, 1);
    if (id === undefined) return this.report();
    asked.add(id);
    const answer = await this.#call(`/v1/mitigations/${id}/withdraw`, OPERATOR);
    // An answer with `recorded: false` says that it may be lost with the process (decision 26).
    if (answer?.status === 200 && answer.body.recorded !== false) withdrawn.add(id);
    return answer;
  }

  /** Prefixes that no victim is in. */
  async #safelist(): Promise<Answer | undefined> {
    const prefix = `10.${this.#random(256)}.${this.#random(256)}.${this.#random(256)}/32`;
    const answer = await this.#call('/v1/safelist', { ...OPERATOR, prefix });
    if (answer?.status === 201 && answer.body.recorded !== false) this.#ledger.safelist.add(prefix);
    return answer;
  }

  async #call(path: string, body: unknown): Promise<Answer | undefined> {
    try {
      return await this.#prefixd.call('POST', path, body);
    } catch {
      // Refused or cut off: nothing was acknowledged.
      return undefined;
    }
  }
}
