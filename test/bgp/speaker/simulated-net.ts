/**
 * Hosts, processes and TCP connections in virtual time, all of it decided by a seed: packets take their time, in order on
 * each connection and in any order between two, and a process may be paused for a while, as on a busy machine.
 *
 * A process runs as Node does: timers that are due, then what has arrived, then what was put off with `soon`.
 */
import type { Runtime } from '../../../src/bgp/speaker/runtime.ts';
import type { Connection, ConnectionUser, Transport } from '../../../src/bgp/speaker/transport.ts';

/** Numbers from 0 up to 1 that depend on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

type Task = () => void;

/** Virtual time and the wires. */
export class SimulatedNet {
  readonly random: () => number;
  readonly #listening = new Map<string, (end: SimulatedConnection) => void>();
  #queue: { readonly at: number; readonly order: number; readonly task: Task }[] = [];
  #order = 0;
  #now = 0;
  /** The longest that a packet takes, in milliseconds. */
  delay = 5;
  /** Told when a process dials. */
  onDial: ((from: string) => void) | undefined;

  constructor(seed: number) {
    this.random = seeded(seed);
  }

  get now(): number {
    return this.#now;
  }

  at(time: number, task: Task): void {
    this.#queue.push({ at: Math.max(time, this.#now), order: this.#order++, task });
  }

  /** How long the next packet takes. */
  travel(): number {
    return 0.05 + this.random() * this.delay;
  }

  /** Runs until the condition holds; returns the milliseconds that took, or undefined after `atMost`. */
  until(holds: () => boolean, atMost: number): number | undefined {
    const begin = this.#now;
    while (!holds()) {
      const next = this.#next();
      if (next === undefined || next.at > begin + atMost) {
        this.#now = begin + atMost;
        return undefined;
      }
      this.#queue.splice(this.#queue.indexOf(next), 1);
      this.#now = next.at;
      next.task();
    }
    return this.#now - begin;
  }

  pass(milliseconds: number): void {
    this.until(() => false, milliseconds);
  }

  listen(address: string, accepted: (end: SimulatedConnection) => void): Task {
    this.#listening.set(address, accepted);
    return () => {
      this.#listening.delete(address);
    };
  }

  /** The kernel of `to` takes the connection before the process there accepts it. */
  connect(from: SimulatedProcess, to: string, done: (end: SimulatedConnection | undefined) => void): Task {
    let over = false;
    this.onDial?.(from.address);
    this.at(this.#now + this.travel(), () => {
      if (over) return;
      const accepted = this.#listening.get(to);
      const back = this.#now + this.travel();
      if (accepted === undefined) {
        this.at(back, () => from.arrives(() => over || done(undefined)));
        return;
      }
      const here = new SimulatedConnection(this, from, to);
      const there = new SimulatedConnection(this, undefined, from.address);
      here.other = there;
      there.other = here;
      accepted(there);
      this.at(back, () =>
        from.arrives(() => {
          if (over) void here.close();
          else done(here);
        }),
      );
    });
    return () => {
      over = true;
    };
  }

  #next() {
    let first = this.#queue[0];
    for (const one of this.#queue) {
      if (first === undefined || one.at < first.at || (one.at === first.at && one.order < first.order))
        first = one;
    }
    return first;
  }
}

/** One process at an address. */
export class SimulatedProcess {
  readonly address: string;
  readonly #net: SimulatedNet;
  #timers: { readonly at: number; readonly task: Task }[] = [];
  #arrived: Task[] = [];
  #soon: Task[] = [];
  #stopsUntil = 0;
  #scheduled = Number.POSITIVE_INFINITY;
  #dead = false;

  constructor(net: SimulatedNet, address: string) {
    this.#net = net;
    this.address = address;
  }

  /** Pauses the process from now on. */
  pause(milliseconds: number): void {
    this.#stopsUntil = Math.max(this.#stopsUntil, this.#net.now + milliseconds);
  }

  /** Nothing of this process runs any more. */
  end(): void {
    this.#dead = true;
  }

  arrives(task: Task): void {
    this.#arrived.push(task);
    this.#wake(this.#net.now);
  }

  runtime(): Runtime {
    return {
      now: () => this.#net.now,
      after: (milliseconds, callback) => this.after(milliseconds, callback),
      soon: (callback) => {
        this.#soon.push(callback);
        this.#wake(this.#net.now);
      },
      random: this.#net.random,
      transport: this.#transport(),
    };
  }

  after(milliseconds: number, task: Task): Task {
    const timer = { at: this.#net.now + milliseconds, task };
    this.#timers.push(timer);
    this.#wake(timer.at);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  #transport(): Transport {
    return {
      dial: (request, done) => {
        const to = request.address.kind === 'tcp' ? request.address.host : '';
        return this.#net.connect(this, to, (end) => done(end ?? { failed: `${to} refused the connection` }));
      },
      listen: async (at, _peers, accepted) => {
        const close = this.#net.listen(at.host, (end) => {
          end.process = this;
          this.arrives(() => accepted(end));
        });
        return { host: at.host, port: at.port, expect: async () => undefined, close: async () => close() };
      },
    };
  }

  #wake(at: number): void {
    const time = Math.max(at, this.#stopsUntil);
    if (time >= this.#scheduled) return;
    this.#scheduled = time;
    this.#net.at(time, () => {
      if (this.#scheduled !== time) return;
      this.#scheduled = Number.POSITIVE_INFINITY;
      this.#turn();
    });
  }

  #turn(): void {
    if (this.#dead) return;
    const { now } = this.#net;
    if (now < this.#stopsUntil) {
      this.#wake(this.#stopsUntil);
      return;
    }
    const due = this.#timers.filter((one) => one.at <= now).sort((a, b) => a.at - b.at);
    for (const timer of due) {
      if (!this.#timers.includes(timer)) continue;
      this.#timers = this.#timers.filter((one) => one !== timer);
      timer.task();
    }
    for (const task of this.#arrived.splice(0)) task();
    for (const task of this.#soon.splice(0)) task();
    const next = Math.min(...this.#timers.map((one) => one.at), Number.POSITIVE_INFINITY);
    if (this.#arrived.length + this.#soon.length > 0) this.#wake(now);
    else if (next < Number.POSITIVE_INFINITY) this.#wake(next);
  }
}

/** One end of a connection. */
export class SimulatedConnection implements Connection {
  readonly remote: string;
  readonly local = 'here';
  readonly remoteAddress: string;
  readonly localAddress = '';
  readonly unsent = 0;
  other: SimulatedConnection | undefined;
  /** Undefined until it is accepted. */
  process: SimulatedProcess | undefined;
  readonly #net: SimulatedNet;
  #user: ConnectionUser | undefined;
  readonly #unread: ((user: ConnectionUser) => void)[] = [];
  #lastArrival = 0;
  #closed = false;

  constructor(net: SimulatedNet, process: SimulatedProcess | undefined, remote: string) {
    this.#net = net;
    this.process = process;
    this.remote = remote;
    this.remoteAddress = remote;
  }

  use(user: ConnectionUser): void {
    this.#user = user;
    if (this.#unread.length > 0) this.process?.arrives(() => this.#read());
  }

  write(octets: Uint8Array): boolean {
    if (!this.#closed) this.#send((user) => user.onData(octets.slice()));
    return true;
  }

  outstanding(): number {
    return 0;
  }

  flush(): void {}
  pause(): void {}
  resume(): void {}

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#user = undefined;
    this.#send((user) => user.onClose('peer closed the connection'));
  }

  abort(): Promise<void> {
    return this.close();
  }

  #send(what: (user: ConnectionUser) => void): void {
    const { other } = this;
    if (other === undefined) return;
    const at = Math.max(other.#lastArrival + 0.001, this.#net.now + this.#net.travel());
    other.#lastArrival = at;
    this.#net.at(at, () => {
      other.#unread.push(what);
      other.process?.arrives(() => other.#read());
    });
  }

  #read(): void {
    for (const what of this.#user === undefined ? [] : this.#unread.splice(0)) {
      if (this.#user !== undefined) what(this.#user);
    }
  }
}
