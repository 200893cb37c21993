/** One connection in the hands of a session, with all that dies with it. */
import type { Initiator } from '../fsm/collision.ts';
import type { NotificationError } from '../wire/notification.ts';
import type { BgpMessage, CodecContext } from '../wire/types.ts';
import { HeldEvents } from './held-events.ts';
import { Inbound } from './inbound.ts';
import type { Runtime } from './runtime.ts';
import type { Connection } from './transport.ts';

/** Who acts on what happens. Nothing is called once the link was closed. */
export interface LinkUser {
  /** How messages are read, asked anew for each. */
  readonly context: () => CodecContext;
  readonly onMessage: (message: BgpMessage) => void;
  readonly onMalformed: (error: NotificationError) => void;
  /** The transport takes octets again. */
  readonly onDrain: () => void;
  /** The other side has closed, and everything that it sent before was read. */
  readonly onClose: (why: string) => void;
}

export class Link {
  /** Who opened the connection. */
  readonly initiator: Initiator;
  /** What the state machine is not told yet. */
  readonly held = new HeldEvents();
  /** When our OPEN was sent, in milliseconds since the epoch; undefined when it was not. */
  openedAt: number | undefined;
  readonly #connection: Connection;
  readonly #inbound: Inbound;
  #congested = false;
  #closed = false;
  /** Octets that were written, and how many of them the transport had taken when that was last looked at. */
  #written = 0;
  #taken = 0;

  /** Begins to read. */
  constructor(connection: Connection, initiator: Initiator, runtime: Pick<Runtime, 'soon'>, user: LinkUser) {
    this.#connection = connection;
    this.initiator = initiator;
    this.#inbound = new Inbound(connection, runtime, user);
    connection.use({
      onData: (octets) => this.#inbound.push(octets),
      onDrain: () => {
        if (this.#closed) return;
        this.#congested = false;
        user.onDrain();
      },
      onClose: (why) => {
        this.#inbound.finish(() => {
          if (!this.#closed) user.onClose(why);
        });
      },
    });
  }

  /** Both ends, for people. */
  get ends(): string {
    return `${this.#connection.local} - ${this.#connection.remote}`;
  }

  /** True when nothing should be written before `onDrain`. */
  get congested(): boolean {
    return this.#congested;
  }

  /** Octets that this process still holds. */
  get unsent(): number {
    return this.#connection.unsent;
  }

  /** Messages that have arrived wait to be read. */
  get isReading(): boolean {
    return this.#inbound.busy;
  }

  write(octets: Uint8Array): void {
    this.#written += octets.length;
    if (!this.#connection.write(octets)) this.#congested = true;
  }

  /** What was written leaves now. */
  flush(): void {
    this.#connection.flush();
  }

  /**
   * True when the transport has taken octets since this was asked last. That this process has room for more octets says
   * nothing of it: KEEPALIVEs alone would fill that room for hours.
   */
  hasTaken(): boolean {
    const taken = this.#written - this.unsent;
    const more = taken !== this.#taken;
    this.#taken = taken;
    return more;
  }

  /** Lets go of the connection: what was written still leaves, and nothing that still arrives counts. */
  close(): Promise<void> {
    this.#closed = true;
    this.#inbound.end();
    return this.#connection.close();
  }
}
