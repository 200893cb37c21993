/**
 * One state machine (RFC 4271 §8) with its connection and timers: turns octets into events and actions into octets.
 *
 *     link (octets) ──▶ messages ──▶ step(state, event) ──▶ state, actions ──▶ link, timers, owner
 *                          │            ▲
 *                          └─▶ held ────┘  an OPEN, or a connection, that collides with another one (§6.8)
 */
import type { Initiator } from '../fsm/collision.ts';
import { ceaseNotification } from '../fsm/leave-state.ts';
import { sendHoldSeconds } from '../fsm/negotiate.ts';
import { step } from '../fsm/step.ts';
import type { Agreement, Cease, FsmAction, FsmConfig, FsmEvent, FsmState, TimerName } from '../fsm/types.ts';
import { eventOf, unanswered } from '../fsm/types.ts';
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
import { SessionTimers } from './session-timers.ts';
import type { Connection, DialRequest } from './transport.ts';
import type { MessageName } from './types.ts';

/** Callbacks of a session's owner. Called synchronously. */
export interface SessionOwner {
  readonly onState: (session: Session, before: FsmState['name']) => void;
  /** Returns false to hold our OPEN back until `proceed`. Default: true. */
  readonly mayOpen?: (session: Session) => boolean;
  /**
   * Decides about an OPEN: false if another connection of the neighbor is kept and this one closed (RFC 4271 §6.8),
   * `wait` if the owner cannot decide yet and will call `proceed` or `dump`.
   */
  readonly allowOpen: (session: Session, open: OpenMessage) => boolean | 'wait';
  readonly onUp: (session: Session, agreement: Agreement) => void;
  readonly onDown: (session: Session, why: string) => void;
  readonly onUpdate: (session: Session, update: UpdateMessage) => void;
  readonly onRefresh: (session: Session, refresh: RouteRefreshMessage) => void;
  readonly onMessage: (direction: 'in' | 'out', name: MessageName) => void;
  readonly onNotification: (direction: 'in' | 'out', notification: NotificationMessage, text: string) => void;
  readonly onReport: (session: Session, why: string, fault: boolean, hint: string | undefined) => void;
  /** The transport has room again. */
  readonly onWritable: (session: Session) => void;
  /** The peer's transport has acknowledged more octets: see `acknowledged`. Established sessions only. */
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
  #cancelDial: (() => void) | undefined;
  /** Of the last connection. */
  #initiator: Initiator = 'local';
  #closing: Promise<void> = Promise.resolve();

  /** `dialRequest` is absent for a session that only takes an accepted connection. */
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

  /** The side that opened the connection. */
  get initiator(): Initiator {
    return this.#initiator;
  }

  /** Both addresses, for people; undefined without a connection. */
  get ends(): string | undefined {
    return this.#link?.ends;
  }

  /** Time at which our OPEN was sent on this connection, in milliseconds since the epoch; undefined before. */
  get openedAt(): number | undefined {
    return this.#link?.openedAt;
  }

  /** Arrival of the peer's OPEN on this connection, in milliseconds since the epoch; undefined before. */
  get openReceivedAt(): number | undefined {
    return this.#link?.openReceivedAt;
  }

  /** The peer's OPEN, while it waits for `proceed`. */
  get heldOpen(): OpenMessage | undefined {
    return this.#link?.held.open;
  }

  /** The connection is up, and our OPEN waits for `proceed`. */
  get isTracked(): boolean {
    return this.#link?.held.tracksConnection === true;
  }

  /** True while received messages wait to be read. */
  get isReading(): boolean {
    return this.#link?.isReading === true;
  }

  get agreement(): Agreement | undefined {
    return this.#state.name === 'established' || this.#state.name === 'openconfirm'
      ? this.#state.agreement
      : undefined;
  }

  /** True if nothing should be written before `onWritable`. */
  get congested(): boolean {
    return this.#link?.congested === true;
  }

  /** Octets written on the connection. */
  get written(): number {
    return this.#link?.written ?? 0;
  }

  /** Octets that the peer's TCP has acknowledged: they have left this host, but the peer may not have read them. */
  get acknowledged(): number {
    return this.#link?.acknowledged ?? 0;
  }

  /** Resolves when all connections that this session has ended are closed. */
  get closed(): Promise<void> {
    return this.#closing;
  }

  start(): void {
    this.#handle({ type: 'manual-start' });
  }

  /** Ends the session until the next start. `cease` undefined: without a NOTIFICATION. */
  stop(cease: Cease | undefined): void {
    this.#handle({ type: 'manual-stop', cease });
  }

  /** Ends the session because of an error of the peer, with the error's NOTIFICATION; it restarts automatically. */
  fail(error: NotificationError): void {
    // The machine has no connection yet on which it could send this.
    if (this.isTracked) this.#writeNotification(notificationFor(error), INITIAL_CONTEXT);
    this.#handle({ type: 'message-error', error });
  }

  /** Dials at once; the machine must be in Active. */
  dial(): void {
    this.#handle({ type: 'timer-expires', timer: 'connect-retry' });
  }

  /** Continues with the events that `mayOpen` or `allowOpen` had postponed. */
  proceed(): void {
    const link = this.#link;
    for (const event of link?.held.take() ?? []) if (this.#link === link) this.#tell(event);
  }

  /** Ends the session because another connection of the neighbor is kept (RFC 4271 §6.8). */
  dump(): void {
    // The machine has no connection yet on which it could send this.
    if (this.isTracked) this.#writeNotification(ceaseNotification(COLLISION, false), INITIAL_CONTEXT);
    this.#handle({ type: 'collision-dump' });
  }

  /** Ends the session as if its connection had broken: the peer has already given it up. */
  abandon(why: string): void {
    this.#handle({ type: 'tcp-fails', why });
  }

  /** Takes the neighbor's connection. The machine must be in Connect or Active. */
  accept(connection: Connection): void {
    this.#adopt(connection, 'peer');
    this.#connected({ type: 'tcp-accepted' });
  }

  /** Hands whole messages to the transport and counts them as UPDATEs. They are sent at once: a rule does not wait. */
  writeUpdates(messages: readonly Uint8Array[]): void {
    for (const message of messages) this.#write(message, 'update');
    this.#link?.flush();
  }

  /** Checks acknowledgements at once, unless a check is scheduled. At most once in a turn of the event loop. */
  look(): void {
    this.#link?.acknowledgements.lookFirst();
  }

  send(message: BgpMessage): void {
    this.#write(encodeMessage(message, this.#context()), message.type);
  }

  #handle(event: FsmEvent): void {
    this.#events.push(event);
    if (this.#busy) return;
    this.#busy = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const before = this.#state;
        const [state, actions] = step(before, next, this.#config());
        // An OPEN and a NOTIFICATION are written with the earlier agreement; everything after an OPEN with the new one.
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

  /** Returns the context for writing messages. */
  #context(): CodecContext {
    return this.agreement ?? INITIAL_CONTEXT;
  }

  #act(action: FsmAction, context: CodecContext): void {
    switch (action.type) {
      case 'connect':
        this.#dial();
        break;
      case 'send':
        // Pending octets restart the peer's HoldTimer just as a KEEPALIVE after them would.
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
      this.#link?.acknowledgements.lookNow();
      // RFC 9687 is about octets that the peer does not accept. If none are pending, nothing is stuck.
      if (this.written === this.acknowledged) this.#restartSendHold();
      if (this.#timers.runs('send-hold')) return;
    }
    if (timer !== 'connect-retry' && timer !== 'idle-hold') {
      this.#handle({ type: 'timer-expires', timer });
      return;
    }
    // It leads to a dial. If this process was busy, the neighbor's connection may wait to be accepted. That one comes
    // first, since a dial is unnecessary with a connection.
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
    this.#link = new Link(connection, initiator, this.#runtime, {
      agreement: () => this.agreement,
      onMessage: (message) => this.#received(message),
      onMalformed: (error) => this.fail(error),
      onDrain: () => this.#owner.onWritable(this),
      onAcknowledged: () => this.#acknowledgedMore(),
      onClose: (why) => {
        // The other side may have closed only its half: ours would stay open while it reads nothing.
        this.#drop();
        this.#handle({ type: 'tcp-fails', why });
      },
    });
  }

  #drop(): void {
    this.#cancelDial?.();
    this.#cancelDial = undefined;
    const link = this.#link;
    if (link === undefined) return;
    this.#link = undefined;
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
    if (nothingWaited) this.#restartSendHold();
  }

  /** RFC 9687 §4: restarts the SendHoldTimer when the peer's transport has accepted data. */
  #acknowledgedMore(): void {
    this.#restartSendHold();
    if (this.#state.name === 'established') this.#owner.onAcknowledged?.(this);
  }

  #restartSendHold(): void {
    if (this.#state.name === 'established') {
      this.#timers.start('send-hold', sendHoldSeconds(this.#state.agreement));
    }
  }

  /** Passes a new connection to the machine, unless the owner wants it to wait. */
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
    else if (!held.add(event)) this.fail(unanswered());
  }

  #decide(event: Extract<FsmEvent, { type: 'open' }>): void {
    if (this.#link !== undefined) this.#link.openReceivedAt = this.#runtime.now();
    this.#link?.held.add(event);
    const verdict = this.#owner.allowOpen(this, event.open);
    if (verdict === 'wait') return;
    if (verdict) this.proceed();
    else this.dump();
  }

  #tell(event: FsmEvent): void {
    const opens = event.type === 'tcp-connected' || event.type === 'tcp-accepted';
    if (opens && this.#link !== undefined) this.#link.openedAt = this.#runtime.now();
    this.#handle(event);
  }
}
