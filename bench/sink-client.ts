/** The sink as its parent sees it. */
import { join } from 'node:path';
import { type Child, startChild } from './children.ts';
import type { SinkOptions, SinkReport, SinkRequest } from './sink.ts';

export type Reached = Extract<SinkReport, { readonly type: 'reached' }>;

export class Sink {
  /** The addresses at which it listens. */
  readonly hosts: readonly string[];
  /** The port on which it listens; 0 if it connects. */
  readonly port: number;
  readonly #child: Child<SinkReport, SinkRequest>;

  private constructor(hosts: readonly string[], port: number, child: Child<SinkReport, SinkRequest>) {
    this.hosts = hosts;
    this.port = port;
    this.#child = child;
  }

  static async start(options: SinkOptions): Promise<Sink> {
    const child = startChild<SinkReport, SinkRequest>(join(import.meta.dirname, 'sink.ts'), options);
    const port = options.dial === undefined ? (await child.next('listening')).port : 0;
    return new Sink([options.host, ...(options.also ?? [])], port, child);
  }

  get host(): string {
    return this.hosts[0] ?? '';
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves with the time at which the next session is established (ns). Call it before the cause. */
  async established(timeoutMs?: number): Promise<bigint> {
    return BigInt((await this.#child.next('established', { timeoutMs })).at);
  }

  /** Resolves when so many sessions have come up from now on. */
  async allEstablished(sessions: number): Promise<void> {
    await this.#child.next('established', { count: sessions });
  }

  /** Counts from zero; `reached` resolves with the NLRI that fulfils the count. */
  async expect(nlri: number, timeoutMs?: number): Promise<{ readonly reached: Promise<Reached> }> {
    const expecting = this.#child.next('expecting');
    const reached = this.#child.next('reached', { timeoutMs });
    // A caller that fails before it waits has reported the reason already.
    reached.catch(() => undefined);
    this.#child.tell({ type: 'expect', nlri });
    await expecting;
    return { reached };
  }

  /** Resets every connection. */
  drop(): void {
    this.#child.tell({ type: 'drop' });
  }

  end(): Promise<void> {
    return this.#child.end();
  }
}

/** Milliseconds between two times of the monotonic clock (ns). */
export function elapsedMs(from: bigint, to: bigint | string): number {
  return Number(BigInt(to) - from) / 1e6;
}
