/**
 * Reads the messages of one connection: in slices, so that a peer that floods us costs a bounded time in each turn of the
 * event loop and the timers and the other sessions get theirs. What is not read yet waits in the peer's own buffers.
 */
import { MessageFramer } from '../wire/framing.ts';
import { decodeMessage } from '../wire/message.ts';
import { ErrorCode, NotificationError } from '../wire/notification.ts';
import type { BgpMessage, CodecContext } from '../wire/types.ts';
import type { Runtime } from './runtime.ts';
import type { Connection } from './transport.ts';

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
