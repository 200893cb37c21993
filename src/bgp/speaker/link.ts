/** One connection in the hands of a session, with all that dies with it. */
import type { Initiator } from '../fsm/collision.ts';
import type { FsmEvent } from '../fsm/types.ts';
import { MessageFramer } from '../wire/framing.ts';
import { decodeMessage } from '../wire/message.ts';
import { ErrorCode, NotificationError } from '../wire/notification.ts';
import type { BgpMessage, CodecContext, OpenMessage } from '../wire/types.ts';
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
  #written = 0;
  #acknowledged = 0;

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

  /** Octets that were written on this connection. */
  get written(): number {
    return this.#written;
  }

  /** How many of them the peer's transport had acknowledged when that was last looked at. */
  get acknowledged(): number {
    return this.#acknowledged;
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
   * Looks what the peer's transport has acknowledged; true when that is more than before. That this process or the
   * operating system has room for more octets says nothing of it: KEEPALIVEs alone would fill that room for hours.
   */
  look(): boolean {
    // The queue of a UNIX socket counts more than the octets in it, so that the difference may go back.
    const acknowledged = this.#written - this.#connection.outstanding();
    if (acknowledged <= this.#acknowledged) return false;
    this.#acknowledged = acknowledged;
    return true;
  }

  /** Lets go of the connection: what was written still leaves, and nothing that still arrives counts. */
  close(): Promise<void> {
    this.#closed = true;
    this.#inbound.end();
    return this.#connection.close();
  }
}

// Events of one connection that the state machine must not get yet: another connection of the neighbor comes first
// (RFC 4271 §6.8). These are the connection itself, the OPEN of the peer, and whatever arrived after it.

/** A peer that has sent more messages than these, without an answer to its OPEN, breaks the rules. */
const MOST_HELD = 16;

export class HeldEvents {
  #events: FsmEvent[] = [];

  /** True while events are held: later ones have to be held as well. */
  get any(): boolean {
    return this.#events.length > 0;
  }

  /** The connection is up, but the machine was not told and has not sent its OPEN. */
  get tracksConnection(): boolean {
    const type = this.#events[0]?.type;
    return type === 'tcp-connected' || type === 'tcp-accepted';
  }

  /** The peer's OPEN. */
  get open(): OpenMessage | undefined {
    for (const event of this.#events) if (event.type === 'open') return event.open;
    return undefined;
  }

  /** Returns false when that is one too many. */
  add(event: FsmEvent): boolean {
    this.#events.push(event);
    return this.#events.length <= MOST_HELD;
  }

  /** Everything that was held, in order; nothing is held afterwards. */
  take(): readonly FsmEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

// Reads the messages of one connection: in slices, so that a peer that floods us costs a bounded time in each turn of the
// event loop and the timers and the other sessions get theirs. What is not read yet waits in the peer's own buffers.

/**
 * Octets a turn, however many chunks they come in: a few milliseconds for the UPDATEs that take longest to read. The last
 * message is always read whole.
 */
const OCTETS_A_TURN = 32_768;

/** A short message costs as much as so many octets: some 200 are read in a turn. */
const LEAST_COST = 160;

/** Who acts on what was read. Called synchronously; may call `end`. */
export interface InboundUser {
  /** What is agreed, asked anew for each message. */
  readonly context: () => CodecContext;
  readonly onMessage: (message: BgpMessage) => void;
  /** Nothing can be read any more: the error carries the NOTIFICATION that it deserves. */
  readonly onMalformed: (error: NotificationError) => void;
}

/** One for each connection; dies with it. */
export class Inbound {
  readonly #connection: Pick<Connection, 'pause' | 'resume'>;
  readonly #runtime: Pick<Runtime, 'soon'>;
  readonly #user: InboundUser;
  readonly #framer = new MessageFramer();
  /** Octets read in this turn, and whether its end is awaited. */
  #spent = 0;
  #counting = false;
  #paused = false;
  #over = false;
  #whenRead: (() => void) | undefined;

  constructor(
    connection: Pick<Connection, 'pause' | 'resume'>,
    runtime: Pick<Runtime, 'soon'>,
    user: InboundUser,
  ) {
    this.#connection = connection;
    this.#runtime = runtime;
    this.#user = user;
  }

  /** True while messages wait that this turn had no room for. */
  get busy(): boolean {
    return this.#paused && !this.#over;
  }

  /** Takes the octets that arrived, and reads as many messages as this turn has room for. */
  push(octets: Uint8Array): void {
    if (this.#over) return;
    this.#framer.push(octets);
    if (!this.#paused) this.#read();
  }

  /**
   * The other side has closed: `done` is called once what came before is read, at once where nothing waits. A peer says
   * why it goes in its last message (RFC 4271 §4.5), behind whatever else it had sent.
   */
  finish(done: () => void): void {
    if (this.#paused) this.#whenRead = done;
    else if (!this.#over) done();
  }

  /** Reads nothing more. */
  end(): void {
    this.#over = true;
  }

  #read(): void {
    while (!this.#over) {
      if (this.#spent >= OCTETS_A_TURN) {
        this.#paused = true;
        this.#connection.pause();
        return;
      }
      const message = this.#next();
      if (message === undefined) return;
      if (message instanceof NotificationError) {
        this.#over = true;
        this.#user.onMalformed(message);
        return;
      }
      this.#user.onMessage(message);
    }
  }

  #next(): BgpMessage | NotificationError | undefined {
    try {
      const context = this.#user.context();
      const octets = this.#framer.next(context.extendedMessages);
      if (octets === undefined) return undefined;
      this.#spend(octets.length);
      return decodeMessage(octets, context);
    } catch (error) {
      if (error instanceof NotificationError) return error;
      // A fault of ours in reading: it costs this session, never the process.
      const what = error instanceof Error ? error.message : String(error);
      return new NotificationError(ErrorCode.Cease, 0, `internal error while reading a message: ${what}`);
    }
  }

  #spend(octets: number): void {
    this.#spent += Math.max(octets, LEAST_COST);
    if (this.#counting) return;
    this.#counting = true;
    this.#runtime.soon(() => {
      this.#counting = false;
      this.#spent = 0;
      if (this.#over || !this.#paused) return;
      this.#paused = false;
      this.#read();
      if (this.#paused || this.#over) return;
      this.#connection.resume();
      this.#whenRead?.();
    });
  }
}
