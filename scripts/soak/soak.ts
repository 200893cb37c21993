/**
 * The soak: eight routers of different kinds, rules that come and go, sessions cut at random. Whenever everything is quiet
 * each router must hold exactly what the state says it should, the speaker must believe the same, nothing may be left on
 * its way out, and a full comparison must find nothing to do.
 */
import type { Store } from '../../src/store/store.ts';
import { worldNow } from './clock.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { Edge } from './edge.ts';
import { differences, expectedTable, heldTable, writtenTable } from './expected.ts';
import { EDGES } from './setting.ts';
import { nextStep, type Random } from './steps.ts';

/** How long everything may take to come to rest (ms): hold times run out, waits after failures are served. */
const SETTLE_MS = 30_000;
/** The last log lines and steps kept for the report of a failure. */
const KEPT = 60;
/** Of the world: a rule that ends sooner would end in the middle of the comparison. */
const QUIET_AHEAD_MS = 1000;

export interface SoakOptions {
  readonly seconds: number;
  readonly random: Random;
  readonly store: Store;
}

export interface SoakReport {
  readonly steps: number;
  readonly quietPoints: number;
  /** How often each kind of step was taken. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Rules compared at quiet points, over all routers. */
  readonly rulesCompared: number;
  readonly restarts: number;
}

/** A quiet point at which something was not as it should be. */
export class SoakFailure extends Error {
  override readonly name = 'SoakFailure';
}

/** Runs until the time is over, and then to one more quiet point. Rejects with SoakFailure. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const run = new Run(options);
  try {
    return await run.run();
  } finally {
    await run.end();
  }
}

const SPEAKER = '127.77.0.1';

class Run {
  readonly #options: SoakOptions;
  readonly #edges: Edge[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #trail: string[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  #daemon: Daemon | undefined;
  #ids = 0;
  #steps = 0;
  #quietPoints = 0;
  #rulesCompared = 0;
  #restarts = 0;
  #broken: unknown;

  constructor(options: SoakOptions) {
    this.#options = options;
  }

  async run(): Promise<SoakReport> {
    const { random, seconds } = this.#options;
    for (const [index, settings] of EDGES.entries()) {
      const edge = await Edge.start(settings, `127.77.1.${index + 1}`, () => this.#daemon?.speaker.listening);
      this.#edges.push(edge);
    }
    await this.#start();
    const end = performance.now() + seconds * 1000;
    do {
      for (let left = 20 + random(120); left > 0; left--) {
        this.#step();
        await pause(random(15));
      }
      if (random(4) === 0) await this.#restart();
      await this.#quiet();
    } while (performance.now() < end);
    return {
      steps: this.#steps,
      quietPoints: this.#quietPoints,
      kinds: this.#kinds,
      rulesCompared: this.#rulesCompared,
      restarts: this.#restarts,
    };
  }

  async end(): Promise<void> {
    await this.#daemon?.stop(false);
    this.#daemon = undefined;
    for (const edge of this.#edges) await edge.close();
  }

  get #running(): Daemon {
    if (this.#daemon === undefined) throw new Error('the daemon does not run');
    return this.#daemon;
  }

  async #start(): Promise<void> {
    this.#daemon = await startDaemon(
      this.#options.store,
      SPEAKER,
      this.#edges,
      () => this.#newId(),
      (line) => this.#note(line),
    );
  }

  #newId(): string {
    return `00000000-0000-4000-8000-${(++this.#ids).toString(16).padStart(12, '0')}`;
  }

  #note(line: string): void {
    this.#trail.push(`${Math.round(performance.now())} ${line}`);
    if (this.#trail.length > KEPT) this.#trail.shift();
  }

  #step(): void {
    const step = nextStep(this.#running, this.#edges, this.#options.random);
    this.#steps++;
    const kind = step.name.split(' ')[0] ?? step.name;
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    this.#note(`step ${this.#steps}: ${step.name}`);
    const done = step.run().catch((error: unknown) => {
      this.#broken ??= error;
    });
    this.#pending.add(done);
    void done.finally(() => this.#pending.delete(done));
  }

  /** prefixd itself restarts: politely, keeping the rules where a router helps, or as if it had been killed. */
  async #restart(): Promise<void> {
    const how = this.#options.random(3);
    this.#note(`prefixd restarts: ${['politely', 'preserving', 'killed'][how]}`);
    this.#restarts++;
    await Promise.all(this.#pending);
    if (how === 2) for (const edge of this.#edges) edge.cut('reset');
    await this.#running.stop(how !== 0);
    this.#daemon = undefined;
    await pause(this.#options.random(500));
    await this.#start();
  }

  /** Waits until nothing is wrong any more; what still is when the time is over is a failure. */
  async #quiet(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#broken !== undefined) throw this.#broken;
    const end = performance.now() + SETTLE_MS;
    for (;;) {
      const wrong = this.#wrong();
      if (wrong.length === 0 && (await this.#nothingToDo())) break;
      if (performance.now() > end) this.#fail(wrong);
      await pause(10);
    }
    this.#quietPoints++;
    this.#note(`quiet point ${this.#quietPoints}`);
  }

  /**
   * What the changes alone have brought about is compared in full once more. False when a rule's time came up meanwhile,
   * for then the comparison may have been first to see it.
   */
  async #nothingToDo(): Promise<boolean> {
    const { engine, reconciler } = this.#running;
    const nextEnd = engine.state.earliestExpiry ?? Number.POSITIVE_INFINITY;
    const before = reconciler.stats.drift;
    await reconciler.full('check');
    const drift = reconciler.stats.drift - before;
    if (worldNow() >= nextEnd) return false;
    if (drift > 0) this.#fail([`a full comparison found ${drift} routes that the changes had left wrong`]);
    return true;
  }

  #fail(wrong: readonly string[]): never {
    throw new SoakFailure(
      [
        `step ${this.#steps}, quiet point ${this.#quietPoints + 1}:`,
        ...wrong,
        'before:',
        ...this.#trail,
      ].join('\n  '),
    );
  }

  /** What is not as it should be, one line each; none at a quiet point. */
  #wrong(): readonly string[] {
    const { engine, speaker } = this.#running;
    const now = worldNow();
    const { state } = engine;
    if ((state.earliestExpiry ?? Number.POSITIVE_INFINITY) < now + QUIET_AHEAD_MS) {
      return ['a rule is about to end'];
    }
    const wrong = [...state.live]
      .filter((id) => state.mitigations.get(id)?.ending !== null)
      .map((id) => `mitigation ${id} is still on its way out`);
    let compared = 0;
    for (const edge of this.#edges) {
      const { name, offered } = edge.settings;
      const peer = speaker.peers().find((one) => one.name === name);
      if (peer === undefined) throw new Error(`the speaker does not know ${name}`);
      if (peer.enabled && peer.state !== 'established') {
        wrong.push(`${name} is ${peer.state}: ${peer.lastError}`);
        continue;
      }
      const should = peer.enabled ? expectedTable(state, edge.policy(), offered, now) : new Map();
      wrong.push(...differences(`${name}, router`, should, heldTable(edge.rules())));
      wrong.push(...differences(`${name}, Adj-RIB-Out`, should, writtenTable(speaker.ribOut(name))));
      if (peer.rulesPending > 0) wrong.push(`${name}: ${peer.rulesPending} changes wait`);
      compared += should.size;
    }
    if (wrong.length === 0) this.#rulesCompared += compared;
    return wrong;
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
