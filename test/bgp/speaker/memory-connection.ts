/** A connection without a socket: what is written is kept, and its ends are the test's to move. */
import type { Connection, ConnectionUser } from '../../../src/bgp/speaker/transport.ts';

export class MemoryConnection implements Connection {
  readonly remote = '192.0.2.1:179';
  readonly local = '192.0.2.10:40000';
  readonly remoteAddress = '192.0.2.1';
  readonly localAddress = '192.0.2.10';
  /** What became of it, in order: `write <hex of the body>`, `flush`, `pause`, `resume`, `close`, `abort`. */
  readonly history: string[] = [];
  unsent = 0;
  /** What the operating system took and the other side's TCP has not acknowledged. */
  inKernel = 0;
  /** The other side's TCP acknowledges nothing more: writes stay in the kernel, which has room for all of them. */
  deaf = false;
  /** The other side takes nothing: writes are kept here, and no more are wanted once they pass `room`. */
  full = false;
  room = 0;
  user: ConnectionUser | undefined;
  #gone: (() => void)[] = [];

  outstanding(): number {
    return this.unsent + this.inKernel;
  }

  use(user: ConnectionUser): void {
    this.user = user;
  }

  write(octets: Uint8Array): boolean {
    this.history.push(`write ${Buffer.from(octets.subarray(18)).toString('hex')}`);
    if (this.full) this.unsent += octets.length;
    else if (this.deaf) this.inKernel += octets.length;
    return !this.full || this.unsent < this.room;
  }

  flush(): void {
    this.history.push('flush');
  }

  pause(): void {
    this.history.push('pause');
  }

  resume(): void {
    this.history.push('resume');
  }

  close(): Promise<void> {
    this.history.push('close');
    return new Promise((resolve) => this.#gone.push(resolve));
  }

  abort(): Promise<void> {
    this.history.push('abort');
    return new Promise((resolve) => this.#gone.push(resolve));
  }

  /** The other side has let go: closes and aborts come true. */
  vanish(): void {
    for (const resolve of this.#gone.splice(0)) resolve();
  }
}
