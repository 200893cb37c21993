/** POPs in one process: an engine on a store in memory and its exchange, against a PostgreSQL of the test's own. */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import type { Answer } from '../../src/core/commands.ts';
import type { Policy } from '../../src/core/policy/policy.ts';
import { isActive } from '../../src/core/state/indices.ts';
import type { Mitigation } from '../../src/core/types.ts';
import { realTimers } from '../../src/app/clock.ts';
import { Exchange } from '../../src/exchange/exchange.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { OPERATOR, POLICY } from '../control/support.ts';
import { until } from '../support/children.ts';

/** A change that others make reaches a POP in much less; only a failing test waits this long (ms). */
export const SOON_MS = 20_000;

export interface PopOptions {
  readonly name: string;
  readonly url: string;
  readonly accept: readonly string[];
  /** How far this POP's clock is ahead of the machine's (ms). */
  readonly clockAheadMs?: number;
  /** Kept over restarts. */
  readonly store?: MemoryStore;
  readonly policy?: Partial<Policy>;
  /** As in ExchangeOptions. */
  readonly onImported?: (ageMs: number) => void;
}

/** A POP without routers. */
export class TestPop {
  readonly name: string;
  readonly engine: Engine;
  readonly exchange: Exchange;
  readonly store: MemoryStore;
  /** Lines of the log. */
  readonly lines: readonly string[];
  #cancelExpiry: () => void = () => undefined;
  readonly #clock: () => number;

  private constructor(
    name: string,
    engine: Engine,
    exchange: Exchange,
    store: MemoryStore,
    lines: string[],
    clock: () => number,
  ) {
    this.name = name;
    this.engine = engine;
    this.exchange = exchange;
    this.store = store;
    this.lines = lines;
    this.#clock = clock;
    this.#expire();
  }

  static async start(options: PopOptions): Promise<TestPop> {
    const { name, url, accept, clockAheadMs = 0, store = new MemoryStore() } = options;
    const from = Date.now() - performance.now();
    const clock = (): number => Math.round(from + performance.now()) + clockAheadMs;
    const lines: string[] = [];
    const made: { exchange?: Exchange } = {};
    const { engine } = await openEngine({
      store,
      policy: {
        ...POLICY,
        ...options.policy,
        pop: name,
        exchange: { accept, maxImportedPerPop: 100, ...options.policy?.exchange },
      },
      clock,
      newId: randomUUID,
      snapshotEvery: 0,
      elsewhere: () => made.exchange?.othersActive(),
    });
    const exchange = new Exchange({
      engine,
      url,
      version: 'test',
      instance: randomUUID(),
      clock,
      timers: realTimers,
      log: (level, text) => lines.push(`${level}: ${text}`),
      sessions: () => ({ up: 1, total: 2 }),
      policyHash: () => 'cafe',
      ...(options.onImported === undefined ? {} : { onImported: options.onImported }),
    });
    made.exchange = exchange;
    const pop = new TestPop(name, engine, exchange, store, lines, clock);
    exchange.start();
    return pop;
  }

  /** Waits until it takes part. */
  async connected(): Promise<this> {
    await until(`${this.name} is connected`, () => this.exchange.condition.state === 'connected', SOON_MS);
    return this;
  }

  /** This POP's time (ms since the epoch). */
  get now(): number {
    return this.#clock();
  }

  /** Victims with an active mitigation here. */
  get victims(): readonly string[] {
    return this.active.map(({ victim }) => victim).sort();
  }

  get active(): readonly Mitigation[] {
    const { state } = this.engine;
    const now = this.#clock();
    return [...state.live]
      .flatMap((id) => state.mitigations.get(id) ?? [])
      .filter((one) => isActive(one) && one.expiresAt > now);
  }

  /** The active mitigation of a victim. */
  of(victim: string): Mitigation | undefined {
    return this.active.find((one) => one.victim === victim);
  }

  /** Discards all traffic to a victim, at these POPs. */
  async mitigate(victim: string, pops: readonly string[] = ['*'], ttlSeconds = 120): Promise<Mitigation> {
    const answer = await this.engine.submit({
      type: 'mitigate',
      actor: OPERATOR,
      victim,
      protocol: 17,
      ports: [],
      action: { type: 'discard', rateBps: null },
      ttlSeconds,
      reason: 'test',
      pops,
    });
    if (answer.type !== 'mitigation') throw new Error(`${answer.type}: ${JSON.stringify(answer)}`);
    return answer.mitigation;
  }

  withdraw(id: string): Promise<Answer> {
    return this.engine.submit({ type: 'withdraw', id, actor: OPERATOR, reason: 'over' });
  }

  /** Waits until exactly these victims are mitigated here. */
  async holds(...victims: readonly string[]): Promise<void> {
    const wanted = [...victims].sort().join(' ');
    await until(`${this.name} holds ${wanted}`, () => this.victims.join(' ') === wanted, SOON_MS);
  }

  /** Stops it as SIGTERM does. */
  async stop(): Promise<void> {
    this.#cancelExpiry();
    await this.exchange.stop();
    await this.engine.close();
  }

  /** The reconciler does this in a daemon. */
  #expire(): void {
    const now = this.#clock();
    const { state } = this.engine;
    const ended = [...state.live].filter((id) => state.mitigations.get(id)?.ending != null);
    if ((state.earliestDue ?? Number.POSITIVE_INFINITY) <= now) {
      this.engine.submit({ type: 'expire' }).catch(() => undefined);
    }
    if (ended.length > 0) this.engine.submit({ type: 'confirm-ended', ids: ended }).catch(() => undefined);
    this.#cancelExpiry = realTimers.after(20, () => this.#expire());
  }
}
