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
import { EDGES, TARGETS } from './setting.ts';
import type { Random } from '../fuzzing.ts';
import { nextStep } from './steps.ts';

/** Between two looks (ms). */
const LOOK_MS = 10;
/**
 * At how many looks in a row something may be wrong before it is a failure. Looks and not seconds, so that a machine that
 * stands still for a while is none. A session has hold times and waits after failures to serve;
 * a router keeps rules for the restart time of a neighbor that it has lost; what we write follows the state at once.
 * Longer would not do: most rules end by themselves sooner or later, and what was wrong about them with them.
 */
const PATIENCE = { session: 3000, router: 800, written: 150 } as const;
/** The last log lines and steps kept for the report of a failure: a failure shows seconds after what caused it. */
const KEPT = 400;
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
  /** Counts the steps by kind. */
  readonly kinds: ReadonlyMap<string, number>;
  /** Facts that were recorded, by type. */
  readonly facts: ReadonlyMap<string, number>;
  /** Rules and unicast routes compared at quiet points, over all routers. */
  readonly rulesCompared: number;
  /** The unicast routes among them. */
  readonly unicastCompared: number;
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

/** Something that is not as it should be, in words that stay the same while it lasts. */
interface Wrong {
  readonly what: keyof typeof PATIENCE;
  readonly line: string;
}

const SPEAKER = '127.77.0.1';

class Run {
  readonly #options: SoakOptions;
  readonly #edges: Edge[] = [];
  readonly #kinds = new Map<string, number>();
  readonly #facts = new Map<string, number>();
  readonly #trail: string[] = [];
  readonly #pending = new Set<Promise<unknown>>();
  #daemon: Daemon | undefined;
  #ids = 0;
  #steps = 0;
  #quietPoints = 0;
  #rulesCompared = 0;
  #unicastCompared = 0;
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
      facts: this.#facts,
      rulesCompared: this.#rulesCompared,
      unicastCompared: this.#unicastCompared,
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
      (type) => add(this.#facts, type),
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
    add(this.#kinds, kind);
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

  /** Waits until nothing is wrong any more; what is wrong for too long is a failure. */
  async #quiet(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#broken !== undefined) throw this.#broken;
    let looks = new Map<string, number>();
    for (;;) {
      const wrong = this.#wrong();
      looks = new Map(wrong.map(({ line }) => [line, (looks.get(line) ?? 0) + 1]));
      const overdue = wrong.filter(({ line, what }) => (looks.get(line) ?? 0) > PATIENCE[what]);
      if (overdue.length > 0) this.#fail(overdue.map(({ line }) => line));
      if (wrong.length === 0 && !this.#endsSoon() && (await this.#nothingToDo())) break;
      await pause(LOOK_MS);
    }
    this.#quietPoints++;
    this.#note(`quiet point ${this.#quietPoints}`);
  }

  #endsSoon(): boolean {
    const { earliestDue } = this.#running.engine.state;
    return earliestDue !== undefined && earliestDue < worldNow() + QUIET_AHEAD_MS;
  }

  /**
   * Runs a full reconciliation, which must find nothing to do. Returns false if a rule expired meanwhile, because then the
   * reconciliation may have been the first to notice.
   */
  async #nothingToDo(): Promise<boolean> {
    const { engine, reconciler } = this.#running;
    const nextEnd = engine.state.earliestDue ?? Number.POSITIVE_INFINITY;
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

  /** Lists the faults; empty at a quiet point. */
  #wrong(): readonly Wrong[] {
    const { engine, speaker } = this.#running;
    const { state } = engine;
    const now = worldNow();
    const wrong: Wrong[] = [];
    const add = (what: Wrong['what'], ...lines: readonly string[]): void => {
      for (const line of lines) wrong.push({ what, line });
    };
    for (const id of state.live) {
      const ending = state.mitigations.get(id)?.ending !== null;
      if (ending) add('written', `mitigation ${id} is still on its way out`);
    }
    let [compared, unicast] = [0, 0];
    for (const edge of this.#edges) {
      const { name, offered } = edge.settings;
      const peer = speaker.peers().find((one) => one.name === name);
      if (peer === undefined) throw new Error(`the speaker does not know ${name}`);
      if (peer.enabled && peer.state !== 'established') {
        add('session', `${name} is not established`);
        continue;
      }
      const should = peer.enabled ? expectedTable(state, edge.policy(), offered, TARGETS, now) : new Map();
      add('written', ...differences(`${name}, Adj-RIB-Out`, should, writtenTable(speaker.ribOut(name))));
      add('router', ...differences(`${name}, router`, should, heldTable(edge.rules())));
      if (peer.rulesPending > 0) add('written', `${name}: changes wait`);
      compared += should.size;
      unicast += [...should.keys()].filter((key) => key.split('/')[1] === '1').length;
    }
    if (wrong.length === 0) {
      this.#rulesCompared += compared;
      this.#unicastCompared += unicast;
    }
    return wrong;
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));
