/**
 * A neighbor's connection that waits to be used. It is read meanwhile, so that its end is noticed: a connection that
 * the neighbor has closed again is not a failed attempt.
 */
import type { Runtime } from './runtime.ts';
import type { Connection, ConnectionUser } from './transport.ts';

/** An OPEN has at most 4096 octets (RFC 8654 §4), and nothing may follow it; further data waits in the kernel. */
const MOST_OCTETS = 4096;

export class ParkedConnection implements Connection {
  readonly remote: string;
  readonly local: string;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #connection: Connection;
  readonly #soon: Runtime['soon'];
  readonly #arrived: Uint8Array[] = [];
  #octets = 0;
  #user: ConnectionUser | undefined;
  /** True after it was handed to a user or closed. */
  #handedOver = false;
  /** The reason of its end if that happened between `use` and the handover. */
  #ended: string | undefined;

  /** Starts reading. `onClose` is called if the other side closes it before it is used. */
  constructor(connection: Connection, soon: Runtime['soon'], onClose: () => void) {
    this.#connection = connection;
    this.#soon = soon;
    this.remote = connection.remote;
    this.local = connection.local;
    this.remoteAddress = connection.remoteAddress;
    this.localAddress = connection.localAddress;
    connection.use({
      onData: (octets) => this.#keep(octets),
      onDrain: () => this.#user?.onDrain(),
      onClose: (why) => {
        if (this.#user === undefined) onClose();
        else this.#ended = why;
      },
    });
  }

  get unsent(): number {
    return this.#connection.unsent;
  }

  outstanding(): number {
    return this.#connection.outstanding();
  }

  /** Hands over the received data in the next turn, before any later data. */
  use(user: ConnectionUser): void {
    const first = this.#user === undefined;
    this.#user = user;
    if (this.#handedOver) this.#connection.use(user);
    else if (first) this.#soon(() => this.#handOver());
  }

  write(octets: Uint8Array): boolean {
    return this.#connection.write(octets);
  }

  flush(): void {
    this.#connection.flush();
  }

  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  close(): Promise<void> {
    this.#handedOver = true;
    return this.#connection.close();
  }

  abort(): Promise<void> {
    this.#handedOver = true;
    return this.#connection.abort();
  }

  #handOver(): void {
    const user = this.#user;
    if (this.#handedOver || user === undefined) return;
    this.#handedOver = true;
    this.#connection.use(user);
    for (const octets of this.#arrived.splice(0)) user.onData(octets);
    if (this.#ended !== undefined) user.onClose(this.#ended);
    else if (this.#octets >= MOST_OCTETS) this.#connection.resume();
  }

  #keep(octets: Uint8Array): void {
    this.#arrived.push(octets);
    this.#octets += octets.length;
    if (this.#octets >= MOST_OCTETS) this.#connection.pause();
  }
}
