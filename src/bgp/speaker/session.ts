/** One state machine with its connection and its timers: the shell that turns octets into events and actions into octets. */
import type { Initiator } from '../fsm/collision.ts';
import { ceaseNotification } from '../fsm/leave-state.ts';
import { sendHoldSeconds, step } from '../fsm/step.ts';
import {
  type Agreement,
  type Cease,
  eventOf,
  type FsmAction,
  type FsmConfig,
  type FsmEvent,
  type FsmState,
  type TimerName,
  unanswered,
} from '../fsm/types.ts';
import { encodeMessage } from '../wire/message.ts';
import { notificationText } from '../wire/notification-text.ts';
import { CeaseSubcode, type NotificationError, notificationFor } from '../wire/notification.ts';
import {
  type BgpMessage,
  type CodecContext,
  INITIAL_CONTEXT,
  type NotificationMessage,
  type OpenMessage,
  type RouteRefreshMessage,
  type UpdateMessage,
} from '../wire/types.ts';
import { Link } from './link.ts';
import type { Runtime } from './runtime.ts';
import { SendWatch } from './send-watch.ts';
import { SessionTimers } from './session-timers.ts';
import type { Connection, DialRequest } from './transport.ts';
import type { MessageName } from './types.ts';

/** What a session tells whoever owns it. Called synchronously. */
export interface SessionOwner {
  readonly onState: (session: Session, before: FsmState['name']) => void;
  /** Whether to send our OPEN on a connection that is up now; if false, the session waits for `proceed`. Absent: always. */
  readonly mayOpen?: (session: Session) => boolean;
  /**
   * An OPEN arrived: false when another connection of the neighbor stays and this one goes (RFC 4271 §6.8), `wait` when
   * the owner cannot tell yet and will call `proceed` or `dump`.
   */
  readonly allowOpen: (session: Session, open: OpenMessage) => boolean | 'wait';
  readonly onUp: (session: Session, agreement: Agreement) => void;
  readonly onDown: (session: Session, why: string) => void;
  readonly onUpdate: (session: Session, update: UpdateMessage) => void;
  readonly onRefresh: (session: Session, refresh: RouteRefreshMessage) => void;
  readonly onMessage: (direction: 'in' | 'out', name: MessageName) => void;
  readonly onNotification: (direction: 'in' | 'out', notification: NotificationMessage, text: string) => void;
  readonly onReport: (session: Session, why: string, fault: boolean, hint: string | undefined) => void;
  /** The transport takes octets again. */
  readonly onWritable: (session: Session) => void;
  /** The peer's transport has acknowledged more of what was written: see `acknowledged`. Established sessions only. */
  readonly onAcknowledged?: (session: Session) => void;
}

/** RFC 4486 §4 */
const COLLISION: Cease = { subcode: CeaseSubcode.ConnectionCollisionResolution };

export class Session {
  readonly #runtime: Runtime;
  readonly #config: () => FsmConfig;
  readonly #dialRequest: DialRequest | undefined;
  readonly #owner: SessionOwner;
  readonly #timers: SessionTimers;
  readonly #events: FsmEvent[] = [];
  #busy = false;
  #state: FsmState;
  #link: Link | undefined;
  #watch: SendWatch | undefined;
  #cancelDial: (() => void) | undefined;
  /** The context of the agreement that it was made for: it is asked for with every message. */
  #reading: { readonly agreement: Agreement; readonly context: CodecContext } | undefined;
  /** Of the last connection. */
  #initiator: Initiator = 'local';
  #closing: Promise<void> = Promise.resolve();

  /** `dialRequest` is absent for a session that only ever takes an accepted connection. */
  constructor(
    runtime: Runtime,
    state: FsmState,
    config: () => FsmConfig,
    dialRequest: DialRequest | undefined,
    owner: SessionOwner,
  ) {
    this.#runtime = runtime;
    this.#state = state;
    this.#config = config;
    this.#dialRequest = dialRequest;
    this.#owner = owner;
    this.#timers = new SessionTimers(runtime, (timer) => this.#timerExpired(timer));
  }

  get state(): FsmState {
    return this.#state;
  }

  /** Who opened the connection. */
  get initiator(): Initiator {
    return this.#initiator;
  }

  /** Both ends, for people; undefined without a connection. */
  get ends(): string | undefined {
    return this.#link?.ends;
  }

  /** When our OPEN was sent on this connection, in milliseconds since the epoch; undefined when it was not. */
  get openedAt(): number | undefined {
    return this.#link?.openedAt;
  }

  /** The peer's OPEN, while it waits for `proceed`. */
  get heldOpen(): OpenMessage | undefined {
    return this.#link?.held.open;
  }

  /** The connection is up, and our OPEN waits for `proceed`. */
  get isTracked(): boolean {
    return this.#link?.held.tracksConnection === true;
  }

  /** Messages wait to be read that have arrived already. */
  get isReading(): boolean {
    return this.#link?.isReading === true;
  }

  get agreement(): Agreement | undefined {
    return this.#state.name === 'established' || this.#state.name === 'openconfirm'
      ? this.#state.agreement
      : undefined;
  }

  /** True when nothing should be written before `onWritable`. */
  get congested(): boolean {
    return this.#link?.congested === true;
  }

  /** Octets written on the connection. */
  get written(): number {
    return this.#link?.written ?? 0;
  }

  /** How many of them the peer's TCP is known to have acknowledged: they have left this host, and need not have been read. */
  get acknowledged(): number {
    return this.#link?.acknowledged ?? 0;
  }

  /** Resolves when the connections that this session has closed are gone. */
  get closed(): Promise<void> {
    return this.#closing;
  }

  start(): void {
    this.#handle({ type: 'manual-start' });
  }

  /** Ends it until the next start. `cease` null: without a NOTIFICATION. */
  stop(cease: Cease | null): void {
    this.#handle({ type: 'manual-stop', cease });
  }

  /** Ends it because of what the peer sent, with the NOTIFICATION that the error deserves; it comes back by itself. */
  fail(error: NotificationError): void {
    this.#malformed(error);
  }

  /** Dials now instead of later; the machine must be in Active. */
  dial(): void {
    this.#handle({ type: 'timer-expires', timer: 'connect-retry' });
  }

  /** Goes on with what `mayOpen` or `allowOpen` had put off. */
  proceed(): void {
    const link = this.#link;
    for (const event of link?.held.take() ?? []) if (this.#link === link) this.#tell(event);
  }

  /** Another connection of the neighbor stays (RFC 4271 §6.8). */
  dump(): void {
    // The machine knows of no connection on which it could send this.
    if (this.isTracked) this.#writeNotification(ceaseNotification(COLLISION, false), INITIAL_CONTEXT);
    this.#handle({ type: 'collision-dump' });
  }

  /** Ends it as if its connection had broken: the peer has let go of it already. */
  abandon(why: string): void {
    this.#handle({ type: 'tcp-fails', why });
  }

  /** Takes the neighbor's connection. The machine must be in Connect or Active. */
  accept(connection: Connection): void {
    this.#adopt(connection, 'peer');
    this.#connected({ type: 'tcp-accepted' });
  }

  /** Hands octets of whole messages to the transport, counted as UPDATEs. They leave at once: a rule does not wait. */
  writeUpdates(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#write(message, 'update');
    this.#link?.flush();
  }

  /** Looks at once what is acknowledged, unless it is looked for already. For once in a turn of the event loop. */
  look(): void {
    this.#watch?.lookFirst();
  }

  send(message: BgpMessage): void {
    this.#write(encodeMessage(message, this.#context()), message.type);
  }

  /** How messages are written. */
  #context(): CodecContext {
    return this.agreement ?? INITIAL_CONTEXT;
  }

  /**
   * How messages are read. RFC 8654 §4: a speaker that advertises extended messages, as `localOpen` always does, "MUST be
   * capable of receiving" them, whatever the peer advertised; what is sent follows the peer's capability. Before the OPENs
   * are exchanged nothing that long is in order.
   */
  #readingContext(): CodecContext {
    const agreement = this.agreement;
    if (agreement === undefined) return INITIAL_CONTEXT;
    if (this.#reading?.agreement !== agreement) {
      this.#reading = { agreement, context: { ...agreement, extendedMessages: true } };
    }
    return this.#reading.context;
  }

  #handle(event: FsmEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const before = this.#state;
        const [state, actions] = step(before, next, this.#config());
        // An OPEN and a NOTIFICATION go out under what was agreed before; everything after an OPEN under the agreement.
        this.#state = state;
        const context =
          before.name === 'established' || before.name === 'openconfirm' ? before.agreement : undefined;
        for (const action of actions) this.#act(action, context ?? this.#context());
        if (state.name !== before.name) this.#owner.onState(this, before.name);
      }
    } finally {
      this.#busy = false;
    }
  }

  #act(action: FsmAction, context: CodecContext): void {
    switch (action.type) {
      case 'connect':
        this.#dial();
        break;
      case 'send':
        // Octets that wait will restart the peer's HoldTimer as well as a KEEPALIVE behind them would.
        if (action.message.type === 'keepalive' && this.congested) break;
        if (action.message.type === 'notification') this.#writeNotification(action.message, context);
        else this.#write(encodeMessage(action.message, context), action.message.type);
        break;
      case 'drop-connection':
        this.#drop();
        break;
      case 'start-timer':
        this.#timers.start(action.timer, action.seconds);
        break;
      case 'stop-timer':
        this.#timers.stop(action.timer);
        break;
      case 'stop-all-timers':
        this.#timers.stopAll();
        break;
      case 'session-up':
        this.#owner.onUp(this, action.agreement);
        break;
      case 'session-down':
        this.#owner.onDown(this, action.why);
        break;
      case 'deliver-update':
        this.#owner.onUpdate(this, action.update);
        break;
      case 'deliver-refresh':
        this.#owner.onRefresh(this, action.refresh);
        break;
      case 'report':
        this.#owner.onReport(this, action.why, action.fault, action.hint);
        break;
    }
  }

  #timerExpired(timer: TimerName): void {
    if (timer === 'send-hold') {
      this.#watch?.lookNow();
      // RFC 9687 is about octets that the peer does not take. Where none wait, nothing is held up.
      if (this.written === this.acknowledged) this.#restartSendHold();
      if (this.#timers.runs('send-hold')) return;
    }
    if (timer !== 'connect-retry' && timer !== 'idle-hold') {
      this.#handle({ type: 'timer-expires', timer });
      return;
    }
    // It leads to a dial. When this process was busy, the neighbor's connection may be waiting to be accepted: that one
    // comes first, for whoever has a connection has no need to dial.
    const before = this.#state;
    this.#runtime.soon(() => {
      if (this.#state === before) this.#handle({ type: 'timer-expires', timer });
    });
  }

  #dial(): void {
    if (this.#dialRequest === undefined) return;
    this.#cancelDial = this.#runtime.transport.dial(this.#dialRequest, (result) => {
      this.#cancelDial = undefined;
      if ('failed' in result) {
        this.#handle({ type: 'tcp-fails', why: result.failed });
        return;
      }
      this.#adopt(result, 'local');
      this.#connected({ type: 'tcp-connected' });
    });
  }

  #adopt(connection: Connection, initiator: Initiator): void {
    this.#drop();
    this.#initiator = initiator;
    const link = new Link(connection, initiator, this.#runtime, {
      context: () => this.#readingContext(),
      onMessage: (message) => this.#received(message),
      onMalformed: (error) => this.#malformed(error),
      onDrain: () => {
        this.#watch?.lookNow();
        this.#owner.onWritable(this);
      },
      onClose: (why) => {
        // The other side may have closed its half alone: ours would wait for as long as it reads nothing.
        this.#drop();
        this.#handle({ type: 'tcp-fails', why });
      },
    });
    this.#link = link;
    this.#watch = new SendWatch(link, this.#runtime, () => this.#acknowledgedMore());
  }

  #drop(): void {
    this.#cancelDial?.();
    this.#cancelDial = undefined;
    const link = this.#link;
    if (link === undefined) return;
    this.#link = undefined;
    this.#watch?.end();
    this.#watch = undefined;
    const earlier = this.#closing;
    this.#closing = link.close().then(() => earlier);
  }

  #writeNotification(notification: NotificationMessage, context: CodecContext): void {
    const { code, subcode, data } = notification;
    this.#write(encodeMessage(notification, context), 'notification');
    this.#owner.onNotification('out', notification, notificationText(code, subcode, data));
  }

  #write(octets: Uint8Array, name: MessageName): void {
    if (this.#link === undefined) return;
    this.#owner.onMessage('out', name);
    const nothingWaited = this.written === this.acknowledged;
    this.#link.write(octets);
    this.#watch?.wrote();
    if (nothingWaited) this.#restartSendHold();
  }

  /** RFC 9687 §4: the SendHoldTimer restarts when the peer's transport has taken what was sent. */
  #acknowledgedMore(): void {
    this.#restartSendHold();
    if (this.#state.name === 'established') this.#owner.onAcknowledged?.(this);
  }

  #restartSendHold(): void {
    if (this.#state.name === 'established') {
      this.#timers.start('send-hold', sendHoldSeconds(this.#state.agreement));
    }
  }

  /** The connection is up: the machine is told, unless the owner says to wait. */
  #connected(event: FsmEvent): void {
    if (this.#owner.mayOpen?.(this) === false) this.#link?.held.add(event);
    else this.#tell(event);
  }

  #received(message: BgpMessage): void {
    this.#owner.onMessage('in', message.type);
    if (message.type === 'notification') {
      const { code, subcode, data } = message;
      this.#owner.onNotification('in', message, notificationText(code, subcode, data));
    }
    const event = eventOf(message);
    const held = this.#link?.held;
    const awaitsOpen = (this.#state.name === 'opensent' || this.isTracked) && held?.open === undefined;
    if (event.type === 'open' && awaitsOpen) this.#decide(event);
    else if (held?.any !== true || event.type === 'notification') this.#handle(event);
    else if (!held.add(event)) this.#malformed(unanswered());
  }

  #decide(event: Extract<FsmEvent, { type: 'open' }>): void {
    this.#link?.held.add(event);
    const verdict = this.#owner.allowOpen(this, event.open);
    if (verdict === 'wait') return;
    if (verdict) this.proceed();
    else this.dump();
  }

  #malformed(error: NotificationError): void {
    // The machine knows of no connection on which it could send this.
    if (this.isTracked) this.#writeNotification(notificationFor(error), INITIAL_CONTEXT);
    this.#handle({ type: 'message-error', error });
  }

  #tell(event: FsmEvent): void {
    const opens = event.type === 'tcp-connected' || event.type === 'tcp-accepted';
    if (opens && this.#link !== undefined) this.#link.openedAt = this.#runtime.now();
    this.#handle(event);
  }
}
