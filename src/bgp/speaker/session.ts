/** One state machine with its connection and its timers: the shell that turns octets into events and actions into octets. */
import type { Agreement, Cease, FsmAction, FsmConfig, FsmEvent, FsmState, TimerName } from '../fsm/types.ts';
import { sendHoldSeconds, step } from '../fsm/step.ts';
import type { Initiator } from '../fsm/collision.ts';
import { encodeMessage } from '../wire/message.ts';
import { notificationText } from '../wire/notification-text.ts';
import {
  type BgpMessage,
  type CodecContext,
  INITIAL_CONTEXT,
  type NotificationMessage,
  type OpenMessage,
  type RouteRefreshMessage,
  type UpdateMessage,
} from '../wire/types.ts';
import { Inbound } from './inbound.ts';
import type { Runtime } from './runtime.ts';
import { SessionTimers } from './session-timers.ts';
import type { Connection, DialRequest } from './transport.ts';
import type { MessageName } from './types.ts';

/** What a session tells whoever owns it. Called synchronously. */
export interface SessionOwner {
  readonly onState: (session: Session, before: FsmState['name']) => void;
  /** A valid OPEN arrived: false when another connection of the neighbor stays and this one goes (RFC 4271 §6.8). */
  readonly allowOpen: (session: Session, open: OpenMessage) => boolean;
  readonly onUp: (session: Session, agreement: Agreement) => void;
  readonly onDown: (session: Session, why: string) => void;
  readonly onUpdate: (session: Session, update: UpdateMessage) => void;
  readonly onRefresh: (session: Session, refresh: RouteRefreshMessage) => void;
  readonly onMessage: (direction: 'in' | 'out', name: MessageName) => void;
  readonly onNotification: (direction: 'in' | 'out', notification: NotificationMessage, text: string) => void;
  readonly onReport: (session: Session, why: string, fault: boolean) => void;
  /** The transport takes octets again. */
  readonly onWritable: (session: Session) => void;
}

export class Session {
  readonly #runtime: Runtime;
  readonly #config: () => FsmConfig;
  readonly #dialRequest: DialRequest | undefined;
  readonly #owner: SessionOwner;
  readonly #timers: SessionTimers;
  readonly #events: FsmEvent[] = [];
  #busy = false;
  #state: FsmState;
  #connection: Connection | undefined;
  #cancelDial: (() => void) | undefined;
  #inbound: Inbound | undefined;
  /** The context of the agreement that it was made for: it is asked for with every message. */
  #reading: { readonly agreement: Agreement; readonly context: CodecContext } | undefined;
  #initiator: Initiator = 'local';
  #congested = false;
  /** Octets written to the connection, and how many of them its transport had taken when that was last looked at. */
  #written = 0;
  #taken = 0;
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
    return this.#connection && `${this.#connection.local} - ${this.#connection.remote}`;
  }

  get agreement(): Agreement | undefined {
    return this.#state.name === 'established' || this.#state.name === 'openconfirm'
      ? this.#state.agreement
      : undefined;
  }

  /** True when nothing should be written before `onWritable`. */
  get congested(): boolean {
    return this.#congested;
  }

  /** Octets that this process still holds. */
  get unsent(): number {
    return this.#connection?.unsent ?? 0;
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

  /** Ends it, to come back by itself. */
  reset(cease: Cease, why: string): void {
    this.#handle({ type: 'automatic-stop', cease, why });
  }

  /** Another connection of the neighbor stays (RFC 4271 §6.8). */
  dump(): void {
    this.#handle({ type: 'collision-dump' });
  }

  /** Ends it as if its connection had broken: the peer has let go of it already. */
  abandon(why: string): void {
    this.#handle({ type: 'tcp-fails', why });
  }

  /** Takes the neighbor's connection. The machine must be in Connect or Active. */
  accept(connection: Connection): void {
    this.#adopt(connection, 'peer');
    this.#handle({ type: 'tcp-accepted' });
  }

  /** Hands octets of whole messages to the transport, counted as UPDATEs. They leave at once: a rule does not wait. */
  writeUpdates(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#write(message, 'update');
    this.#connection?.flush();
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
        if (action.message.type === 'keepalive' && this.#congested) break;
        this.#write(encodeMessage(action.message, context), action.message.type);
        if (action.message.type === 'notification') {
          const { code, subcode, data } = action.message;
          this.#owner.onNotification('out', action.message, notificationText(code, subcode, data));
        }
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
        this.#owner.onReport(this, action.why, action.fault);
        break;
    }
  }

  #timerExpired(timer: TimerName): void {
    if (timer === 'send-hold') {
      this.#lookWhatIsTaken();
      // RFC 9687 is about octets that the peer does not take. Where none wait, nothing is held up.
      if (this.unsent === 0) this.#restartSendHold();
      if (this.#timers.runs('send-hold')) return;
    }
    this.#handle({ type: 'timer-expires', timer });
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
      this.#handle({ type: 'tcp-connected' });
    });
  }

  #adopt(connection: Connection, initiator: Initiator): void {
    this.#drop();
    this.#connection = connection;
    this.#initiator = initiator;
    this.#congested = false;
    this.#written = 0;
    this.#taken = 0;
    const inbound = new Inbound(connection, this.#runtime, {
      context: () => this.#readingContext(),
      onMessage: (message) => this.#received(message),
      onMalformed: (error) => this.#handle({ type: 'message-error', error }),
    });
    this.#inbound = inbound;
    connection.use({
      onData: (octets) => inbound.push(octets),
      onDrain: () => {
        if (this.#connection !== connection) return;
        this.#congested = false;
        this.#lookWhatIsTaken();
        this.#owner.onWritable(this);
      },
      onClose: (why) => {
        inbound.finish(() => {
          if (this.#connection !== connection) return;
          // The other side may have closed its half alone: ours would wait for as long as it reads nothing.
          this.#drop();
          this.#handle({ type: 'tcp-fails', why });
        });
      },
    });
  }

  #drop(): void {
    this.#cancelDial?.();
    this.#cancelDial = undefined;
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#release();
    const earlier = this.#closing;
    this.#closing = connection.close().then(() => earlier);
  }

  /** Lets go of the connection: nothing that still comes from it counts. */
  #release(): void {
    this.#connection = undefined;
    this.#congested = false;
    this.#inbound?.end();
    this.#inbound = undefined;
  }

  #write(octets: Uint8Array, name: MessageName): void {
    if (this.#connection === undefined) return;
    this.#owner.onMessage('out', name);
    this.#lookWhatIsTaken();
    this.#written += octets.length;
    if (!this.#connection.write(octets)) this.#congested = true;
  }

  /**
   * RFC 9687 §4: the SendHoldTimer restarts when the peer's transport has taken what was sent. That this process has room
   * for more octets says nothing of it: KEEPALIVEs alone would fill that room for hours.
   */
  #lookWhatIsTaken(): void {
    const taken = this.#written - this.unsent;
    if (taken === this.#taken) return;
    this.#taken = taken;
    this.#restartSendHold();
  }

  #restartSendHold(): void {
    if (this.#state.name === 'established') {
      this.#timers.start('send-hold', sendHoldSeconds(this.#state.agreement));
    }
  }

  #received(message: BgpMessage): void {
    this.#owner.onMessage('in', message.type);
    const event = this.#eventOf(message);
    if (event.type === 'open' && !this.#mayOpen(event.open)) this.#handle({ type: 'collision-dump' });
    else this.#handle(event);
  }

  #mayOpen(open: OpenMessage): boolean {
    return this.#state.name !== 'opensent' || this.#owner.allowOpen(this, open);
  }

  #eventOf(message: BgpMessage): FsmEvent {
    switch (message.type) {
      case 'open':
        return { type: 'open', open: message };
      case 'update':
        return { type: 'update', update: message };
      case 'keepalive':
        return { type: 'keepalive' };
      case 'route_refresh':
        return { type: 'route-refresh', refresh: message };
      case 'notification': {
        const { code, subcode, data } = message;
        this.#owner.onNotification('in', message, notificationText(code, subcode, data));
        return { type: 'notification', notification: message };
      }
    }
  }
}
