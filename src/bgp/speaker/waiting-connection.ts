/**
 * A neighbor's connection that waits to be used. It is read meanwhile, so that its end is noticed: a connection that
 * the neighbor has closed again is not a failed attempt.
 *
 *                  use               next turn
 *     waiting ──────────▶ taken ─────────────────▶ passed on
 *        └──── close ───────┴───── close ──────────────▲
 */
import type { Runtime } from './runtime.ts';
import type { Connection, ConnectionUser } from './transport.ts';

/** An OPEN has at most 4096 octets (RFC 8654 §4), and nothing may follow it; further data waits in the kernel. */
const MOST_OCTETS = 4096;

type HandoverState =
  /** Nobody uses it: data is kept, and its end is reported to the owner. */
  | { readonly name: 'waiting' }
  /** It has a user, who gets the kept data, and `ended` if it has ended, in the next turn. */
  | { readonly name: 'taken'; readonly user: ConnectionUser; readonly ended?: string }
  /** The user reads the connection itself, or it is closed. */
  | { readonly name: 'passed-on' };

export class WaitingConnection implements Connection {
  readonly remote: string;
  readonly local: string;
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly #connection: Connection;
  readonly #soon: Runtime['soon'];
  readonly #arrived: Uint8Array[] = [];
  #octets = 0;
  #state: HandoverState = { name: 'waiting' };

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
      onDrain: () => {
        if (this.#state.name === 'taken') this.#state.user.onDrain();
      },
      onClose: (why) => {
        if (this.#state.name === 'waiting') onClose();
        else if (this.#state.name === 'taken') this.#state = { ...this.#state, ended: why };
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
    const state = this.#state;
    if (state.name === 'passed-on') this.#connection.use(user);
    else this.#state = { ...state, name: 'taken', user };
    if (state.name === 'waiting') this.#soon(() => this.#handOver());
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
    this.#state = { name: 'passed-on' };
    return this.#connection.close();
  }

  abort(): Promise<void> {
    this.#state = { name: 'passed-on' };
    return this.#connection.abort();
  }

  #handOver(): void {
    const state = this.#state;
    if (state.name !== 'taken') return;
    const { user, ended } = state;
    this.#state = { name: 'passed-on' };
    this.#connection.use(user);
    for (const octets of this.#arrived.splice(0)) user.onData(octets);
    if (ended !== undefined) user.onClose(ended);
    else if (this.#octets >= MOST_OCTETS) this.#connection.resume();
  }

  #keep(octets: Uint8Array): void {
    this.#arrived.push(octets);
    this.#octets += octets.length;
    if (this.#octets >= MOST_OCTETS) this.#connection.pause();
  }
}
