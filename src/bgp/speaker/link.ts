/**
 * One connection of a session, with all state that ends with it: messages that wait to be read, events that the state
 * machine has not got yet, and octets that the peer's TCP has not acknowledged.
 */
import { errorText } from '../../net/text.ts';
import type { Initiator } from '../fsm/collision.ts';
import type { Agreement, FsmEvent } from '../fsm/types.ts';
import { MessageFramer } from '../wire/framing.ts';
import { decodeMessage } from '../wire/message.ts';
import { ErrorCode, NotificationError } from '../wire/notification.ts';
import { type BgpMessage, type CodecContext, INITIAL_CONTEXT, type OpenMessage } from '../wire/types.ts';
import { AcknowledgementWatch } from './acknowledgement-watch.ts';
import type { Runtime } from './runtime.ts';
import type { Connection } from './transport.ts';

/** Handles the link's events. Nothing is called after the link is closed. */
export interface LinkUser {
  /** Returns the session's agreement, once the OPENs are exchanged; called for each message. */
  readonly agreement: () => Agreement | undefined;
  readonly onMessage: (message: BgpMessage) => void;
  readonly onMalformed: (error: NotificationError) => void;
  /** The transport has room again. */
  readonly onDrain: () => void;
  /** The peer's transport has acknowledged more octets. */
  readonly onAcknowledged: () => void;
  /** The other side has closed, and everything it sent before was read. */
  readonly onClose: (why: string) => void;
}

export class Link {
  /** The side that opened the connection. */
  readonly initiator: Initiator;
  /** Events that the state machine has not got yet. */
  readonly held = new HeldEvents();
  /** Time at which our OPEN was sent, in milliseconds since the epoch; undefined before. */
  openedAt: number | undefined;
  /** Time at which the peer's OPEN arrived, in milliseconds since the epoch; undefined before. */
  openReceivedAt: number | undefined;
  readonly acknowledgements: AcknowledgementWatch;
  readonly #connection: Connection;
  readonly #inbound: Inbound;
  #congested = false;
  #closed = false;
  #written = 0;
  #acknowledged = 0;
  /** The reading context with the agreement that it was made for: every message asks for it. */
  #reading: { readonly agreement: Agreement; readonly context: CodecContext } | undefined;

  /** Starts reading. */
  constructor(
    connection: Connection,
    initiator: Initiator,
    runtime: Pick<Runtime, 'soon' | 'after'>,
    user: LinkUser,
  ) {
    this.#connection = connection;
    this.initiator = initiator;
    this.acknowledgements = new AcknowledgementWatch(runtime, {
      look: () => this.#look(),
      isUnacknowledged: () => this.#written > this.#acknowledged,
      onMore: user.onAcknowledged,
    });
    this.#inbound = new Inbound(connection, runtime, {
      context: () => this.#context(user.agreement()),
      onMessage: user.onMessage,
      onMalformed: user.onMalformed,
    });
    connection.use({
      onData: (octets) => this.#inbound.push(octets),
      onDrain: () => {
        if (this.#closed) return;
        this.#congested = false;
        this.acknowledgements.lookNow();
        user.onDrain();
      },
      onClose: (why) => {
        this.#inbound.finish(() => {
          if (!this.#closed) user.onClose(why);
        });
      },
    });
  }

  /** Both addresses, for people. */
  get ends(): string {
    return `${this.#connection.local} - ${this.#connection.remote}`;
  }

  /** True if nothing should be written before `onDrain`. */
  get congested(): boolean {
    return this.#congested;
  }

  /** Octets written on this connection. */
  get written(): number {
    return this.#written;
  }

  /** Octets acknowledged by the peer's transport at the last check. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** True while received messages wait to be read. */
  get isReading(): boolean {
    return this.#inbound.busy;
  }

  write(octets: Uint8Array): void {
    this.#written += octets.length;
    if (!this.#connection.write(octets)) this.#congested = true;
    this.acknowledgements.wrote();
  }

  /** Sends the written data now. */
  flush(): void {
    this.#connection.flush();
  }

  /** Closes the connection: written data is still sent, received data is ignored. */
  close(): Promise<void> {
    this.#closed = true;
    this.acknowledgements.end();
    this.#inbound.end();
    return this.#connection.close();
  }

  /**
   * Checks how much the peer's transport has acknowledged; returns true if it is more than before. Free space in this
   * process or the operating system is no evidence: KEEPALIVEs alone would take hours to fill it.
   */
  #look(): boolean {
    // The queue of a UNIX socket counts more than its octets, so the difference may decrease.
    const acknowledged = this.#written - this.#connection.outstanding();
    if (acknowledged <= this.#acknowledged) return false;
    this.#acknowledged = acknowledged;
    return true;
  }

  /**
   * Returns the context for reading messages. RFC 8654 §4: a speaker that advertises extended messages, as `localOpen`
   * always does, "MUST be capable of receiving" them, whatever the peer advertised; sending depends on the peer's
   * capability. Before the OPENs are exchanged, no message is that long.
   */
  #context(agreement: Agreement | undefined): CodecContext {
    if (agreement === undefined) return INITIAL_CONTEXT;
    if (this.#reading?.agreement !== agreement) {
      this.#reading = { agreement, context: { ...agreement, extendedMessages: true } };
    }
    return this.#reading.context;
  }
}

// Events of one connection that wait while another connection of the neighbor is decided first (RFC 4271 §6.8): the
// connection itself, the peer's OPEN, and everything after it.

/** Limits held messages. A peer that sends more without an answer to its OPEN violates the protocol. */
const MOST_HELD = 16;

export class HeldEvents {
  #events: FsmEvent[] = [];

  /** True while events are held; later ones must be held too. */
  get any(): boolean {
    return this.#events.length > 0;
  }

  /** True if the connection is up, but the machine does not know yet and has sent no OPEN. */
  get tracksConnection(): boolean {
    const type = this.#events[0]?.type;
    return type === 'tcp-connected' || type === 'tcp-accepted';
  }

  /** The peer's OPEN, if held. */
  get open(): OpenMessage | undefined {
    return this.#events.find((event) => event.type === 'open')?.open;
  }

  /** Holds an event. Returns false if there are too many. */
  add(event: FsmEvent): boolean {
    this.#events.push(event);
    return this.#events.length <= MOST_HELD;
  }

  /** Returns and removes all held events, in order. */
  take(): readonly FsmEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}

// Reading the messages of one connection in slices, so that a flood takes a bounded time in each turn of the event
// loop, and timers and other sessions get theirs. Unread data waits in the peer's own buffers.

/**
 * Octets per turn, in any number of chunks: a few milliseconds for the slowest UPDATEs. The last message is always read
 * completely.
 */
const OCTETS_A_TURN = 32_768;

/** Minimum cost of a message in octets: a turn reads at most some 200 short ones. */
const LEAST_COST = 160;

/** Handles the messages. Called synchronously; may call `end`. */
export interface InboundUser {
  /** Returns the negotiated context; called for each message. */
  readonly context: () => CodecContext;
  readonly onMessage: (message: BgpMessage) => void;
  /** The stream can no longer be read; the error carries the NOTIFICATION to send. */
  readonly onMalformed: (error: NotificationError) => void;
}

/**
 * Reads one connection.
 *
 *               the turn is used up
 *     reading ──────────────────────▶ paused
 *        │    ◀────────────────────────  │
 *        │            next turn          │
 *        └───────────▶ ended ◀───────────┘
 *          malformed message, or `end`
 */
export class Inbound {
  readonly #connection: Pick<Connection, 'pause' | 'resume'>;
  readonly #runtime: Pick<Runtime, 'soon'>;
  readonly #user: InboundUser;
  readonly #framer = new MessageFramer();
  #state: 'reading' | 'paused' | 'ended' = 'reading';
  /** Octets read in this turn; its end is scheduled unless 0. */
  #spent = 0;
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

  /** True while messages wait for the next turn. */
  get busy(): boolean {
    return this.#state === 'paused';
  }

  /** Takes received octets and reads as many messages as this turn allows. */
  push(octets: Uint8Array): void {
    if (this.#state === 'ended') return;
    this.#framer.push(octets);
    if (this.#state === 'reading') this.#read();
  }

  /**
   * Handles the close by the other side: calls `done` after all earlier messages are read, at once if none wait. A peer
   * gives its reason in its last message (RFC 4271 §4.5).
   */
  finish(done: () => void): void {
    if (this.#state === 'paused') this.#whenRead = done;
    else if (this.#state === 'reading') done();
  }

  /** Stops reading. */
  end(): void {
    this.#state = 'ended';
  }

  #read(): void {
    while (this.#state === 'reading') {
      if (this.#spent >= OCTETS_A_TURN) {
        this.#state = 'paused';
        this.#connection.pause();
        return;
      }
      const message = this.#next();
      if (message === undefined) return;
      if (message instanceof NotificationError) {
        this.#state = 'ended';
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
      // An error of our own while reading ends this session, never the process.
      const what = errorText(error);
      return new NotificationError(ErrorCode.Cease, 0, `internal error while reading a message: ${what}`);
    }
  }

  #spend(octets: number): void {
    if (this.#spent === 0) this.#runtime.soon(() => this.#turnEnded());
    this.#spent += Math.max(octets, LEAST_COST);
  }

  #turnEnded(): void {
    this.#spent = 0;
    if (this.#state !== 'paused') return;
    this.#state = 'reading';
    this.#read();
    if (!this.#isReading()) return;
    this.#connection.resume();
    this.#whenRead?.();
  }

  #isReading(): boolean {
    return this.#state === 'reading';
  }
}
