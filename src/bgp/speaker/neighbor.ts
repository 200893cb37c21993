/**
 * One configured neighbor: its session, its Adj-RIB-Out and its record for people.
 *
 *              start                    session is up
 *     stopped ───────▶ connecting ◀────────────────────▶ established
 *      ▲   ▲            ▲     │         session is down       │
 *      │   └─── close ──┼─────┴───────────────────────────────┤
 *      │         enable │ disable                             │ disable
 *      └── close ──── disabled ◀──────────────────────────────┘
 *
 * It is established exactly while it has an `Outbound`, which writes the Adj-RIB-Out.
 */
import { endsForGood } from '../fsm/leave-state.ts';
import { waitingHint } from '../fsm/peer-advice.ts';
import type { Agreement, Cease, FsmConfig, FsmState, StateName } from '../fsm/types.ts';
import { AdjRibOut, type AdjRibOutView } from '../rib/adj-rib-out.ts';
import type { OutRoute, RouteKey } from '../rib/route.ts';
import { familyName } from '../wire/iana.ts';
import { CeaseSubcode } from '../wire/notification.ts';
import { RefreshSubtype } from '../wire/route-refresh.ts';
import type { RouteRefreshMessage, UpdateMessage } from '../wire/types.ts';
import { Connections } from './connections.ts';
import { Outbound } from './outbound.ts';
import { countRoutes, PeerRecord, withHint } from './peer-record.ts';
import { LineLimit } from './reject-unknown.ts';
import type { Runtime } from './runtime.ts';
import { Session, type SessionOwner } from './session.ts';
import { addressText, fsmConfig, type LocalSide, shutdownCease } from './settings.ts';
import type { Connection } from './transport.ts';
import type { NeighborSettings, PeerStatus, SpeakerListener } from './types.ts';

/** Time limit for sending withdrawals before the session is closed anyway. */
const DRAIN_MS = 5000;

/** The way to close a neighbor's session for good. */
export interface CloseOptions {
  /** Close without a NOTIFICATION if the peer keeps our routes while we restart. */
  readonly preserve: boolean;
  readonly cease: Cease;
}

/** A neighbor's state from before a reload or restart. */
export interface CarriedOver {
  /** RFC 4724 §3: no session since the process started, so the neighbor may still hold routes of the last process. */
  readonly restarting: boolean;
  /** False while it is administratively down, by its settings or by an operator. */
  readonly enabled: boolean;
}

export class Neighbor {
  readonly settings: NeighborSettings;
  readonly rib = new AdjRibOut();
  readonly #local: LocalSide;
  readonly #runtime: Runtime;
  readonly #listener: Required<SpeakerListener>;
  readonly #record = new PeerRecord();
  readonly #owner: SessionOwner;
  readonly #connections: Connections;
  #outbound: Outbound | undefined;
  #started = false;
  /** Set while it is administratively down, with the operator's text, which the neighbor gets at each attempt. */
  #disabled: { readonly communication?: string } | undefined;
  /** RFC 4724 §3, the R bit: no session with this neighbor since the process started. */
  #restarting: boolean;
  #warnedOfRoutes = false;
  #loggedRefusal = false;
  readonly #refreshLines = new LineLimit();
  readonly #countedSince: number;
  /** The displayed state, and its start (ms). */
  #shown: { readonly state: StateName; readonly since: number };

  constructor(
    settings: NeighborSettings,
    local: LocalSide,
    runtime: Runtime,
    listener: Required<SpeakerListener>,
    past: CarriedOver,
  ) {
    this.settings = settings;
    this.#restarting = past.restarting;
    this.#local = local;
    this.#runtime = runtime;
    this.#listener = listener;
    this.#disabled = past.enabled ? undefined : {};
    this.#countedSince = runtime.now();
    this.#shown = { state: 'idle', since: this.#countedSince };
    this.#owner = {
      onState: (session, before) => this.#stateChanged(session, before),
      mayOpen: (session) => this.#connections.mayOpen(session),
      allowOpen: (session, open) => this.#connections.allowOpen(session, open),
      onUp: (session, agreement) => this.#up(session, agreement),
      onDown: (_session, why) => this.#down(why),
      onUpdate: (_session, update) => this.#updateReceived(update),
      onRefresh: (_session, refresh) => this.#refreshReceived(refresh),
      onMessage: (direction, name) => this.#record.message(direction, name),
      onNotification: (direction, notification, text) =>
        this.#record.notification(direction, notification, text, this.#runtime.now()),
      onReport: (session, why, fault, hint) => this.#ended(session, why, fault, hint),
      onWritable: () => this.#outbound?.wake(),
      onAcknowledged: () => this.#outbound?.acknowledged(),
    };
    this.#connections = new Connections(
      (state) => this.#newSession(state),
      () => this.#fsmConfig(),
      runtime,
    );
  }

  /** True if no session has been established since the process started. */
  get restarting(): boolean {
    return this.#restarting;
  }

  /** False while it is administratively down. */
  get enabled(): boolean {
    return this.#disabled === undefined;
  }

  get established(): boolean {
    return this.#outbound !== undefined;
  }

  status(): PeerStatus {
    const { settings } = this;
    const { state } = this.#connections.mostAdvanced;
    return {
      name: settings.name,
      address: addressText(settings),
      peerAsn: settings.peerAsn,
      state: state.name,
      stateSince: this.#shown.since,
      enabled: this.enabled,
      establishedAt: this.#record.establishedAt,
      families: settings.families,
      negotiated: state.name === 'established' ? state.agreement : undefined,
      ...countsOf(this.rib),
      lastError: this.#record.lastError,
      hint: this.#hint(state.name),
      lastCause: this.#record.lastCause,
      lastNotificationSent: this.#record.notificationSent,
      lastNotificationReceived: this.#record.notificationReceived,
      counters: this.#record.counters(),
      countedSince: this.#countedSince,
      lastFlapAt: this.#record.lastFlapAt,
    };
  }

  /** Starts dialing or waiting. */
  start(): void {
    this.#started = true;
    if (this.enabled) this.#connections.primary.start();
  }

  /**
   * Reports that the system lacks TCP MD5 and GTSM. An active neighbor reports it at each dial, so only passive ones
   * are reported here.
   */
  reportLacking(why: string): void {
    const { md5Password, ttlSecurityHops, passive } = this.settings;
    if (!passive || (md5Password === undefined && ttlSecurityHops === undefined)) return;
    this.#record.ended(why, true, this.#runtime.now());
    this.#log('error', `the neighbor stays down: ${why}`);
  }

  /** Enables or disables the neighbor; the peer gets the reason for disabling. */
  setEnabled(enabled: boolean, communication: string | undefined): void {
    if (enabled === this.enabled) return;
    this.#loggedRefusal = false;
    this.#disabled = enabled ? undefined : communication === undefined ? {} : { communication };
    this.#log('info', enabled ? 'enabled by the operator' : 'disabled by the operator');
    if (!enabled) this.#connections.stop(shutdownCease(communication));
    else if (this.#started) this.#connections.primary.start();
  }

  /** Sends all routes again (soft), or resets the session at once (hard). */
  clear(how: 'soft' | 'hard'): void {
    if (how === 'soft') {
      for (const family of this.#connections.primary.agreement?.families ?? [])
        this.#outbound?.refresh(family);
      return;
    }
    if (!this.#runs) return;
    this.#log('info', 'session reset by the operator');
    this.#connections.stop({ subcode: CeaseSubcode.AdministrativeReset });
    this.#connections.primary.start();
  }

  /** Queues changes; does nothing unless established. */
  apply(announce: readonly OutRoute[], withdraw: readonly RouteKey[]): void {
    if (this.#outbound === undefined) return;
    for (const route of announce) this.rib.announce(route);
    for (const key of withdraw) this.rib.withdraw(key);
    this.#outbound.wake();
  }

  /** Resolves when the session has had its turn to write the queued changes; at once without a session. */
  async written(): Promise<void> {
    await this.#outbound?.written();
  }

  endOfRib(): void {
    this.#outbound?.markEndOfRib();
  }

  /**
   * Closes all connections for good; resolves when they are closed. Pending changes are written first, and without
   * `preserve` everything is withdrawn. A peer that keeps our routes while we restart gets no NOTIFICATION, since that
   * would make it flush them (RFC 4724 §4), unless both sides agreed that it does not (RFC 8538 §4). Any other peer
   * flushes them anyway and gets the Cease.
   */
  async close({ preserve, cease }: CloseOptions): Promise<void> {
    this.#started = false;
    const outbound = this.#outbound;
    if (outbound !== undefined) {
      if (!preserve) for (const key of [...this.rib.effectiveKeys()]) this.rib.withdraw(key);
      await this.#within(DRAIN_MS, outbound.drained());
    }
    const agreement = this.#connections.primary.agreement;
    const flushes = agreement?.notificationRestart !== true || endsForGood(cease);
    this.#connections.stop(preserve && agreement?.gracefulRestart === true && flushes ? undefined : cease);
    await this.#connections.closed();
  }

  /** Handles a connection from the neighbor. */
  accept(connection: Connection): void {
    if (!this.#runs) {
      const why = this.enabled ? 'is starting or stopping' : 'is disabled';
      // It keeps connecting until it is stopped there: the first line is at info, the others at debug.
      this.#log(this.#loggedRefusal ? 'debug' : 'info', `connection refused: the neighbor ${why} here`, {
        from: connection.remote,
      });
      this.#loggedRefusal = true;
      // RFC 4486 §4: Administrative Shutdown if it is disabled, Connection Rejected while it is starting or stopping.
      this.#connections.refuse(connection, this.#disabled && shutdownCease(this.#disabled.communication));
      return;
    }
    this.#connections.accept(connection);
  }

  /** True from the start to the stop, unless disabled: only then are there connections. */
  get #runs(): boolean {
    return this.#started && this.enabled;
  }

  #newSession(state: FsmState): Session {
    return new Session(this.#runtime, state, () => this.#fsmConfig(), this.settings, this.#owner);
  }

  #fsmConfig(): FsmConfig {
    return fsmConfig(this.settings, this.#local, this.#restarting);
  }

  #stateChanged(session: Session, before: StateName): void {
    const now = session.state.name;
    this.#log('debug', `${before} -> ${now}`, session.ends === undefined ? {} : { connection: session.ends });
    this.#connections.stateChanged(session, before);
    const state = this.#connections.mostAdvanced.state.name;
    if (state !== this.#shown.state) this.#shown = { state, since: this.#runtime.now() };
  }

  #hint(state: StateName): string | undefined {
    // A NOTIFICATION explains more than the state of the attempts after it.
    if (!this.#runs || this.#record.lastCause !== undefined) return undefined;
    const seconds = (this.#runtime.now() - this.#shown.since) / 1000;
    return waitingHint({ state, seconds, config: this.#fsmConfig() });
  }

  #up(session: Session, agreement: Agreement): void {
    this.#connections.up(session);
    this.#restarting = false;
    this.#warnedOfRoutes = false;
    this.rib.clear();
    this.#record.up(this.#runtime.now());
    const { name } = this.settings;
    this.#outbound = new Outbound(session, agreement, this.#local.localAsn, this.rib, this.#runtime, {
      onSent: (announced, withdrawn) => this.#listener.onSent(name, announced, withdrawn),
      onAcknowledged: (announced, withdrawn) => this.#listener.onAcknowledged(name, announced, withdrawn),
      onTooLong: (route) =>
        this.#log('error', 'rule not sent: with its attributes it is longer than a message can be', {
          rule: route.text,
          octets: route.nlri.length,
        }),
    });
    this.#logUp(session, agreement);
    this.#listener.onEstablished(name);
  }

  #logUp(session: Session, agreement: Agreement): void {
    this.#log('info', 'session established', {
      connection: session.ends,
      router_id: agreement.peerRouterId,
      families: agreement.families.map(familyName),
      hold_time: agreement.holdTimeSeconds,
      graceful_restart: agreement.gracefulRestart,
    });
    if (agreement.peerIdentifier === this.#local.localIdentifier) {
      // RFC 6286 §2.1 requires different ids only within one AS.
      this.#log(
        'warn',
        `peer has our own router id ${agreement.peerRouterId}: this is allowed between two ASes (RFC 6286), but many routers refuse it; change router_id here`,
      );
    }
    if (agreement.familiesRefused.length === 0) return;
    const refused = agreement.familiesRefused.map(familyName).join(', ');
    this.#log('warn', `peer does not offer ${refused}: rules of these families are not sent; add them there`);
  }

  #down(why: string): void {
    this.#outbound?.end();
    this.#outbound = undefined;
    this.rib.clear();
    this.#record.down();
    this.#listener.onDown(this.settings.name, why);
  }

  #ended(session: Session, why: string, fault: boolean, hint: string | undefined): void {
    if (!this.#connections.includes(session)) return;
    const news = this.#record.ended(why, fault, this.#runtime.now(), hint);
    this.#log(news ? (fault ? 'warn' : 'info') : 'debug', withHint(why, hint));
  }

  /** Counts and drops received routes: this speaker accepts none. They are decoded and checked first (RFC 7606). */
  #updateReceived(update: UpdateMessage): void {
    this.#record.routes(countRoutes(update));
    if (update.problems.length === 0 || this.#warnedOfRoutes) return;
    this.#warnedOfRoutes = true;
    this.#log('warn', 'peer sends malformed attributes; its routes are dropped, as all received routes are', {
      problems: update.problems.map((problem) => problem.reason),
    });
  }

  #refreshReceived(refresh: RouteRefreshMessage): void {
    // RFC 7313 §5: subtypes other than a request mark the peer's own routes, or are unknown and ignored. Without the
    // capability the octet is reserved: "ignored by the receiver" (RFC 2918 §3), so every message is a request.
    const enhanced = this.#connections.primary.agreement?.enhancedRouteRefresh === true;
    if (enhanced && refresh.subtype !== RefreshSubtype.Request) return;
    const count = this.#refreshLines.due(this.#runtime.now());
    if (count !== undefined) {
      const often = count === 1 ? {} : { count };
      this.#log('info', `peer requests ${familyName(refresh.family)} again (ROUTE-REFRESH)`, often);
    }
    this.#outbound?.refresh(refresh.family);
  }

  #within(milliseconds: number, promise: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#runtime.after(milliseconds, resolve);
      void promise.then(() => {
        cancel();
        resolve();
      });
    });
  }

  #log(
    level: Parameters<Required<SpeakerListener>['onLog']>[0],
    text: string,
    fields?: Readonly<Record<string, unknown>>,
  ): void {
    this.#listener.onLog(level, this.settings.name, text, fields);
  }
}

/** Counts an Adj-RIB-Out's rules for display: `sent` is acknowledged by the peer's TCP. */
export function countsOf(rib: AdjRibOutView): Pick<PeerStatus, 'rulesSent' | 'rulesPending'> {
  const unacknowledged = rib.unacknowledgedCount;
  return {
    rulesSent: rib.sentCount - unacknowledged,
    rulesPending: rib.pendingCount + unacknowledged + rib.unacknowledgedWithdrawals().length,
  };
}
