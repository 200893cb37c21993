/**
 * One random schedule: five POPs on one PostgreSQL, each behind a proxy of its own. They decide, withdraw, are cut off,
 * crash and restart, and the database crashes, too. Then everything is healed, and 3 s later each POP must hold what the
 * model says.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { deservesRule } from '../../src/control/desired.ts';
import { TestPop } from '../../test/exchange/support.ts';
import { PostgresProxy } from '../../test/support/postgres-proxy.ts';
import type { PostgresServer } from '../../test/support/postgres-server.ts';
import type { MemoryStore } from '../../src/store/memory.ts';
import { Model } from './model.ts';

export const NAMES = ['ber', 'fra', 'par', 'waw', 'zrh'] as const;

export type PopName = (typeof NAMES)[number];

/** Time from the healing until everything must agree (ms). */
const HEALED_MS = 3_000;
/** A difference that is only late is waited for this long (ms). */
const PATIENCE_MS = 15_000;
/** Victims; the policy of the tests allows 50 active mitigations. */
const VICTIMS = 40;
const STEPS = 30;
/** Longest wait between two steps (ms). */
const LONGEST_WAIT_MS = 150;

interface House {
  readonly name: PopName;
  readonly proxy: PostgresProxy;
  pop: TestPop | undefined;
  store: MemoryStore | undefined;
  /** Differs from the machine's clock by up to ten minutes (ms). */
  readonly clockAheadMs: number;
}

export interface Outcome {
  readonly seed: number;
  readonly problems: readonly string[];
  readonly steps: readonly string[];
  readonly compared: Model['compared'];
}

export class Schedule {
  readonly #server: PostgresServer;
  readonly #random: () => number;
  readonly #houses: House[] = [];
  readonly #model = new Model(NAMES);
  readonly #steps: string[] = [];
  readonly #problems: string[] = [];
  readonly #seed: number;
  readonly #from = performance.now();

  constructor(server: PostgresServer, seed: number, random: () => number) {
    this.#server = server;
    this.#seed = seed;
    this.#random = random;
  }

  async run(): Promise<Outcome> {
    await this.#server.sql('DROP SCHEMA IF EXISTS prefixd_exchange CASCADE');
    for (const name of NAMES) {
      const proxy = await PostgresProxy.start(this.#server.socket);
      const clockAheadMs = Math.round((this.#random() - 0.5) * 1_200_000);
      const house: House = { name, proxy, pop: undefined, store: undefined, clockAheadMs };
      this.#houses.push(house);
      await this.#start(house);
    }
    const watch = setInterval(() => this.#lookForOverdue(), 100);
    try {
      for (let step = 0; step < STEPS; step++) {
        await this.#step();
        await sleep(this.#random() * LONGEST_WAIT_MS);
      }
      await this.#heal();
      await this.#agree();
    } catch (error) {
      this.#problems.push(`the schedule failed: ${error instanceof Error ? error.stack : String(error)}`);
    } finally {
      clearInterval(watch);
      for (const { pop, proxy } of this.#houses) {
        await pop?.stop();
        await proxy.close();
      }
    }
    return { seed: this.#seed, problems: this.#problems, steps: this.#steps, compared: this.#model.compared };
  }

  #pick<T>(list: readonly T[]): T {
    const one = list[Math.floor(this.#random() * list.length)];
    if (one === undefined) throw new Error('there is nothing to pick from');
    return one;
  }

  #say(text: string): void {
    this.#steps.push(`${((performance.now() - this.#from) / 1000).toFixed(2)} ${text}`);
  }

  async #step(): Promise<void> {
    const house = this.#pick(this.#houses);
    const dice = this.#random();
    if (house.pop === undefined) return this.#start(house);
    if (dice < 0.4) return this.#mitigate(house.pop);
    if (dice < 0.55) return this.#withdraw(house.pop);
    if (dice < 0.6) return this.#safelist(house.pop);
    if (dice < 0.72) return this.#cut(house);
    if (dice < 0.85) return this.#mend(house);
    if (dice < 0.95) return this.#crash(house);
    if (dice < 0.97) return this.#crashDatabase();
    return this.#loseRows();
  }

  async #start(house: House): Promise<void> {
    this.#say(`${house.name} starts`);
    house.pop = await TestPop.start({
      name: house.name,
      url: this.#server.url(house.proxy.at),
      accept: NAMES.filter((one) => one !== house.name),
      clockAheadMs: house.clockAheadMs,
      policy: SHORT_TTLS,
      ...(house.store === undefined ? {} : { store: house.store }),
    });
    house.store = house.pop.store;
  }

  async #mitigate(pop: TestPop): Promise<void> {
    const victim = `203.0.113.${Math.floor(this.#random() * VICTIMS)}`;
    const dice = this.#random();
    const others = NAMES.filter(() => this.#random() < 0.5);
    const pops = dice < 0.6 ? ['*'] : dice < 0.8 || others.length === 0 ? [pop.name] : [...others];
    const ttlSeconds = this.#random() < 0.3 ? 2 + Math.floor(this.#random() * 5) : 60;
    const answer = await pop.mitigate(victim, pops, ttlSeconds).catch(() => undefined);
    if (answer === undefined) return;
    this.#say(
      `${pop.name} mitigates ${answer.id.slice(0, 8)} ${victim} at ${pops.join(',')} for ${ttlSeconds} s`,
    );
    this.#model.decided(pop.name, answer.id, victim, pops, performance.now() + ttlSeconds * 1000);
  }

  /** Withdraws something that is active there: its own, which ends it everywhere, or another's, which ends it there. */
  async #withdraw(pop: TestPop): Promise<void> {
    const { active } = pop;
    if (active.length === 0) return;
    const one = this.#pick(active);
    const answer = await pop.withdraw(one.id);
    if (answer.type !== 'mitigation') return;
    this.#say(`${pop.name} withdraws ${one.id.slice(0, 8)} of ${one.origin?.pop ?? 'its own'}`);
    this.#model.withdrawn(pop.name, one.id);
  }

  /** Adds a victim to the safelists of all POPs. */
  async #safelist(pop: TestPop): Promise<void> {
    const victim = `203.0.113.${Math.floor(this.#random() * VICTIMS)}`;
    const prefix = `${victim}/32`;
    this.#say(`${pop.name} safelists ${victim} at all`);
    const tag = pop.exchange.nextRequest();
    const actor = { kind: 'operator', name: 'kim' } as const;
    await pop.engine.submit({ type: 'safelist-add', prefix, actor, reason: 'test', tag });
    const request = {
      type: 'safelist-add',
      prefix,
      operator: 'kim',
      reason: 'test',
      confirmed: true,
    } as const;
    const asked = pop.exchange.ask(tag, request, 'all');
    // A crash before the request is in the database loses it, as documented.
    if ((await asked).every(({ detail }) => !/is not sent|cannot|unless prefixd stops/.test(detail))) {
      this.#model.safelisted(victim);
    } else this.#model.perhapsSafelisted(victim);
  }

  async #cut({ name, proxy }: House): Promise<void> {
    proxy.mode = this.#random() < 0.5 ? 'silent' : 'refuse';
    if (proxy.mode === 'refuse') proxy.reset();
    this.#say(`${name} is cut off (${proxy.mode})`);
  }

  async #mend({ name, proxy }: House): Promise<void> {
    if (proxy.mode === 'pass') {
      proxy.cutAfter(Math.floor(this.#random() * 2_000));
      this.#say(`${name} will lose a connection`);
    } else {
      proxy.mode = 'pass';
      this.#say(`${name} is back`);
    }
  }

  /** Crashes: nothing more reaches the database; what is in the journal stays. */
  async #crash(house: House): Promise<void> {
    const { proxy, pop, name } = house;
    this.#say(`${name} crashes`);
    const { mode } = proxy;
    proxy.mode = 'refuse';
    proxy.reset();
    await pop?.stop();
    house.pop = undefined;
    proxy.mode = mode === 'silent' ? 'pass' : mode;
    this.#model.crashed(name);
  }

  async #crashDatabase(): Promise<void> {
    this.#say('the database crashes');
    await this.#server.stop('SIGKILL');
    await sleep(this.#random() * 1_000);
    await this.#server.start();
    this.#say('the database is back');
  }

  /** A failover that lost rows: the newest of each POP, and some of `live`. */
  async #loseRows(): Promise<void> {
    this.#say('the database loses rows');
    const modes = this.#houses.map(({ proxy }) => proxy.mode);
    for (const { proxy } of this.#houses) {
      proxy.mode = 'refuse';
      proxy.reset();
    }
    // Before the first POP has made the tables there is nothing to lose.
    const isThere = await this.#server.sql("SELECT to_regclass('prefixd_exchange.ack') IS NOT NULL");
    if (isThere === 't') {
      await this.#server.sql(
        `DELETE FROM prefixd_exchange.intent AS i USING prefixd_exchange.pop AS p
          WHERE i.pop = p.name AND i.epoch = p.epoch AND i.n > p.n - 2;
         DELETE FROM prefixd_exchange.live WHERE random() < 0.5;
         UPDATE prefixd_exchange.pop SET n = greatest(0, n - 2)`,
      );
    }
    for (const [i, { proxy }] of this.#houses.entries()) proxy.mode = modes[i] ?? 'pass';
  }

  async #heal(): Promise<void> {
    this.#say('everything is healed');
    for (const house of this.#houses) {
      house.proxy.mode = 'pass';
      if (house.pop === undefined) await this.#start(house);
    }
  }

  /** No rule may outlive its TTL by more than a second, whatever is down. */
  #lookForOverdue(): void {
    for (const { pop } of this.#houses) {
      if (pop === undefined) continue;
      for (const { id } of held(pop)) {
        const late = performance.now() - (this.#model.endOf(id) ?? Number.POSITIVE_INFINITY);
        if (late > 1_000)
          this.#problem(`${pop.name} holds ${id.slice(0, 8)} ${Math.round(late)} ms after its TTL`);
      }
    }
  }

  /** Compares after HEALED_MS, and goes on for a while, so that a difference that lasts is told from one that is late. */
  async #agree(): Promise<void> {
    const healedAt = performance.now();
    await sleep(HEALED_MS);
    const late = this.#differences();
    for (const line of late) this.#problem(line);
    if (late.length === 0) return;
    while (this.#differences().length > 0 && performance.now() - healedAt < PATIENCE_MS) await sleep(100);
    const left = this.#differences().length;
    const seconds = ((performance.now() - healedAt) / 1000).toFixed(1);
    this.#problem(left === 0 ? `agreed after ${seconds} s` : `still ${left} differences after ${seconds} s`);
    if (left > 0) await this.#explain();
  }

  /** Adds what the database has, for people who look for the cause. */
  async #explain(): Promise<void> {
    for (const { pop } of this.#houses) {
      for (const one of pop?.exchange.pops() ?? []) {
        this.#steps.push(
          `${pop?.name} knows ${one.name}: lag ${one.lagMs}, ${JSON.stringify(one.heartbeat)}`,
        );
      }
      for (const line of pop?.lines ?? []) this.#steps.push(`${pop?.name} says ${line}`);
    }
    for (const table of ['pop', 'live', 'intent']) {
      const order = table === 'pop' ? 'name' : 'pop, epoch, n';
      const rows = await this.#server.sql(`SELECT * FROM prefixd_exchange.${table} ORDER BY ${order}`);
      for (const row of rows.split('\n')) this.#steps.push(`${table}: ${row.slice(0, 160)}`);
    }
  }

  #differences(): readonly string[] {
    return this.#houses.flatMap(({ pop }) => {
      if (pop === undefined) return [];
      const ids = new Set(held(pop).map(({ id }) => id));
      return this.#model.differences(pop.name, ids);
    });
  }

  #problem(text: string): void {
    if (!this.#problems.includes(text)) this.#problems.push(text);
  }
}

/** What the routers of a POP get. */
function held(pop: TestPop) {
  return pop.active.filter((one) => deservesRule(one, pop.now));
}

const SHORT_TTLS = {
  quotas: {
    maxActivePerCustomer: 1_000,
    maxActivePerPop: 1_000,
    maxActiveGlobal: 10_000,
    maxNewPerMinute: 1_000,
  },
  timers: {
    defaultTtlSeconds: 60,
    minTtlSeconds: 1,
    maxTtlSeconds: 1800,
    correlationWindowSeconds: 300,
    maxHoldSeconds: 7200,
    holdDownSeconds: 0,
  },
} as const;
