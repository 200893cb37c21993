/**
 * Runs a lab router: a BGP speaker over real TCP that accepts peers and keeps the rules and unicast routes they announce. It
 * filters nothing. Used by the demo and by tests.
 */
import { decodeActions } from '../bgp/flowspec/actions.ts';
import type { RuleRefusal } from '../bgp/flowspec/errors.ts';
import { decodeFlowSpecList } from '../bgp/flowspec/nlri.ts';
import { formatRule } from '../bgp/flowspec/notation/format.ts';
import type { Agreement, FsmConfig } from '../bgp/fsm/types.ts';
import { netTransport } from '../bgp/speaker/tcp/net-transport.ts';
import { type Runtime, systemRuntime } from '../bgp/speaker/runtime.ts';
import { Session } from '../bgp/speaker/session.ts';
import type { Connection, ExpectedPeer, Listener } from '../bgp/speaker/transport.ts';
import { FAMILIES, type Family, familyName, sameFamily } from '../bgp/wire/iana.ts';
import { CeaseSubcode, ErrorCode, NotificationError, UpdateSubcode } from '../bgp/wire/notification.ts';
import { parseIdentifier, peerAsn } from '../bgp/wire/open.ts';
import { RefreshSubtype } from '../bgp/wire/route-refresh.ts';
import type {
  NotificationMessage,
  PathAttributes,
  RouteRefreshMessage,
  UpdateMessage,
} from '../bgp/wire/types.ts';
import { endOfRib, isEndOfRib, isTreatAsWithdraw } from '../bgp/wire/update.ts';
import { UNDAMPED } from '../bgp/fsm/leave-state.ts';
import { toHex } from '../net/bytes.ts';
import { type CarriedRoutes, carriedIn, isUnicast, unicastKeys, unicastRules } from './unicast-rules.ts';
import { type LabChange, type LabRule, RuleTable } from './rule-table.ts';

export interface LabRouterOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** This router's AS number. */
  readonly asn: number;
  readonly routerId: string;
  /** The AS number that is accepted; undefined: any. */
  readonly peerAsn?: number;
  /** The families offered to every speaker; undefined: FlowSpec for IPv4 and IPv6. */
  readonly families?: readonly Family[];
  readonly holdTimeSeconds?: number;
  /** True: keeps the rules of a speaker during its graceful restart. */
  readonly helper?: boolean;
  /** Speakers whose packets need a TCP MD5 signature, or a minimum TTL (GTSM). */
  readonly expect?: readonly ExpectedPeer[];
  readonly onChange?: (change: LabChange) => void;
}

/** Holds a connected speaker. Its rules outlive the session only during a graceful restart. */
interface LabSpeaker {
  readonly session: Session;
  readonly from: string;
  readonly agreement: Agreement;
}

const DEFAULT_HOLD_SECONDS = 90;

/** Keeps stale rules this long for a speaker that reconnected but sends no End-of-RIB (RFC 4724 §4.2). */
const STALE_SECONDS = 360;

export class LabRouter {
  readonly #options: LabRouterOptions;
  readonly #identifier: number;
  readonly #runtime: Runtime;
  readonly #sessions = new Set<Session>();
  readonly #speakers = new Map<Session, LabSpeaker>();
  readonly #table: RuleTable;
  /** Functions that end the wait for a restarting speaker, by router id. */
  readonly #waits = new Map<string, () => void>();
  #listener: Listener | undefined;
  #messages = 0;

  /** Throws RangeError if the router id is invalid. */
  constructor(options: LabRouterOptions, runtime: Runtime = systemRuntime(netTransport)) {
    const identifier = parseIdentifier(options.routerId);
    if (identifier === undefined) throw new RangeError(`invalid router id "${options.routerId}"`);
    this.#options = options;
    this.#identifier = identifier;
    this.#runtime = runtime;
    this.#table = new RuleTable((change) => options.onChange?.(change));
  }

  /** Listens and returns the actual port. Rejects if the address cannot be bound. */
  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port, expect } = this.#options;
    this.#listener = await this.#runtime.transport.listen({ host, port }, expect ?? [], (connection) =>
      this.#accept(connection),
    );
    return { host: this.#listener.host, port: this.#listener.port };
  }

  /** Returns the rules in the order of arrival. A rule that two speakers announce is listed twice. */
  rules(): readonly LabRule[] {
    return this.#table.list();
  }

  /** Counts the UPDATEs received since the start, with End-of-RIB. */
  get updates(): number {
    return this.#messages;
  }

  /** Counts the established sessions. */
  get established(): number {
    return this.#speakers.size;
  }

  /** Asks every speaker to announce its rules again (RFC 2918). */
  refresh(): void {
    for (const { session, agreement } of this.#speakers.values()) {
      if (!agreement.routeRefresh) continue;
      for (const family of agreement.families) {
        session.send({ type: 'route_refresh', family, subtype: RefreshSubtype.Request });
      }
    }
  }

  /** Closes all sessions with Cease and stops listening; resolves when every socket is closed. */
  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    for (const end of this.#waits.values()) end();
    const closed = [...this.#sessions].map((session) => {
      session.stop({ subcode: CeaseSubcode.AdministrativeShutdown });
      return session.closed;
    });
    await Promise.all([...closed, listener?.close()]);
  }

  #accept(connection: Connection): void {
    let openedBy = this.#options.peerAsn ?? 0;
    let notification: NotificationMessage | undefined;
    const session = new Session(
      this.#runtime,
      { name: 'active', damping: UNDAMPED },
      () => this.#fsmConfig(openedBy),
      undefined,
      {
        onState: (one) => {
          const { name } = one.state;
          if (name !== 'idle' && name !== 'active') return;
          this.#sessions.delete(one);
          one.stop(undefined);
        },
        allowOpen: (_one, open) => {
          if (this.#options.peerAsn === undefined) openedBy = peerAsn(open);
          return true;
        },
        onUp: (one, agreement) => this.#up(one, agreement),
        onDown: (one) => this.#down(one, notification),
        onUpdate: (one, update) => this.#update(one, update),
        onRefresh: (one, refresh) => this.#refreshed(one, refresh),
        onMessage: () => undefined,
        onNotification: (_direction, message) => {
          notification = message;
        },
        onReport: () => undefined,
        onWritable: () => undefined,
      },
    );
    this.#sessions.add(session);
    session.accept(connection);
  }

  #fsmConfig(from: number): FsmConfig {
    const { asn, families, holdTimeSeconds, helper } = this.#options;
    return {
      localAsn: asn,
      localIdentifier: this.#identifier,
      peerAsn: from,
      holdTimeSeconds: holdTimeSeconds ?? DEFAULT_HOLD_SECONDS,
      families: families ?? [FAMILIES['ipv4-flowspec'], FAMILIES['ipv6-flowspec']],
      passive: true,
      connectRetrySeconds: 0,
      ...(helper === true
        ? {
            // This router keeps no rules over its own restart (RFC 4724 §3).
            gracefulRestart: {
              restartTimeSeconds: 0,
              longLivedStaleSeconds: 0,
              restarting: false,
              families: [],
            },
          }
        : {}),
    };
  }

  /** Registers a session. It replaces an old session of the same speaker whose end was not detected yet. */
  #up(session: Session, agreement: Agreement): void {
    const from = agreement.peerRouterId;
    for (const [old, speaker] of this.#speakers) {
      if (speaker.from !== from) continue;
      this.#down(old, undefined);
      old.stop({ subcode: CeaseSubcode.ConnectionCollisionResolution });
    }
    this.#speakers.set(session, { session, from, agreement });
    this.#waits.get(from)?.();
    const { gracefulRestart, peerRestartFamilies } = agreement;
    // RFC 4724 §4.2: "if the Forwarding State bit for a specific address family is not set in the newly received Graceful
    // Restart Capability, or if a specific address family is not included in the newly received Graceful Restart Capability,
    // or if the Graceful Restart Capability is not received in the re-established session at all, then the Receiving Speaker
    // MUST immediately remove all the stale routes from the peer that it is retaining for that address family."
    const preserved = peerRestartFamilies.filter((one) => one.forwardingPreserved).map((one) => one.family);
    this.#table.sweepStale(from, gracefulRestart ? preserved : []);
    if (!gracefulRestart) return;
    this.#sweepAfter(from, STALE_SECONDS);
    // Sends End-of-RIB although there is nothing to announce (RFC 4724 §2, §4.1).
    for (const family of agreement.families) session.send(endOfRib(family));
  }

  /**
   * Keeps the rules of a restarting speaker as stale (RFC 4724 §4.2). Withdraws them without that capability, and after a
   * NOTIFICATION, unless both sides set the N bit and it was not a Hard Reset (RFC 8538 §4).
   */
  #down(session: Session, notification: NotificationMessage | undefined): void {
    const speaker = this.#speakers.get(session);
    this.#speakers.delete(session);
    if (speaker === undefined) return;
    const { from, agreement } = speaker;
    this.#waits.get(from)?.();
    for (const family of agreement.families) this.#table.forgetRefresh(from, family);
    const kept = notification === undefined || (agreement.notificationRestart && !isHardReset(notification));
    if (!agreement.gracefulRestart || !kept) {
      this.#table.withdrawAll(from);
      return;
    }
    this.#table.markStale(
      from,
      agreement.peerRestartFamilies.map((one) => one.family),
    );
    this.#sweepAfter(from, agreement.peerRestartSeconds);
  }

  #sweepAfter(from: string, seconds: number): void {
    const cancel = this.#runtime.after(seconds * 1000, () => {
      this.#waits.delete(from);
      this.#table.sweepStale(from);
    });
    this.#waits.set(from, () => {
      this.#waits.delete(from);
      cancel();
    });
  }

  /** Handles a ROUTE-REFRESH (RFC 2918 §4, RFC 7313 §4). */
  #refreshed(session: Session, { family, subtype }: RouteRefreshMessage): void {
    const speaker = this.#speakers.get(session);
    if (speaker === undefined || !isAgreed(speaker, family) || !speaker.agreement.enhancedRouteRefresh)
      return;
    const { from } = speaker;
    switch (subtype) {
      // This router has nothing to announce, so it sends only the two marks.
      case RefreshSubtype.Request:
        session.send({ type: 'route_refresh', family, subtype: RefreshSubtype.BeginOfRefresh });
        session.send({ type: 'route_refresh', family, subtype: RefreshSubtype.EndOfRefresh });
        return;
      case RefreshSubtype.BeginOfRefresh:
        this.#table.beginRefresh(from, family);
        return;
      case RefreshSubtype.EndOfRefresh:
        this.#table.endRefresh(from, family);
        return;
      // Ignores other subtypes (RFC 7313 §5).
      default:
    }
  }

  #update(session: Session, update: UpdateMessage): void {
    const speaker = this.#speakers.get(session);
    if (speaker === undefined) return;
    this.#messages++;
    const ended = isEndOfRib(update);
    if (ended !== undefined) {
      this.#table.sweepStaleOf(speaker.from, ended);
      return;
    }
    try {
      for (const carried of carriedIn(update)) this.#routes(speaker, carried, update);
    } catch (error) {
      if (!(error instanceof NotificationError)) throw error;
      session.fail(error);
    }
  }

  #routes(speaker: LabSpeaker, carried: CarriedRoutes, update: UpdateMessage): void {
    const { family, announced, withdrawn } = carried;
    const isKnown = isAgreed(speaker, family);
    if (withdrawn.length > 0 && isKnown) this.#withdraw(speaker, family, withdrawn);
    if (announced.length === 0) return;
    if (!isKnown) {
      this.#refuse(`routes of ${familyName(family)}, which was not negotiated`);
    } else if (isTreatAsWithdraw(update)) {
      // RFC 7606 §2: handles the rules "as though all contained routes had been withdrawn".
      this.#refuse(update.problems.map((problem) => problem.reason).join('; '));
      this.#withdraw(speaker, family, announced);
    } else if (isUnicast(family)) {
      const { from } = speaker;
      for (const route of unicastRules(carried, update.attributes)) this.#table.announce({ from, ...route });
    } else {
      this.#announce(speaker, family, announced, update.attributes);
    }
  }

  #announce(speaker: LabSpeaker, family: Family, nlri: Uint8Array, attributes: PathAttributes): void {
    const { extendedCommunities, ipv6ExtendedCommunities, mpReach } = attributes;
    const actions = decodeActions({
      ...(extendedCommunities === undefined ? {} : { extendedCommunities }),
      ...(ipv6ExtendedCommunities === undefined ? {} : { ipv6ExtendedCommunities }),
      ...(mpReach === undefined ? {} : { nextHop: mpReach.nextHop }),
    });
    for (const { octets, result } of decodeFlowSpecList(nlri, family.afi, family.safi)) {
      const rule = { from: speaker.from, family, nlriHex: toHex(octets) };
      if (!result.ok || !actions.ok) {
        const why = [result, actions].flatMap((one) => (one.ok ? [] : [one.error.reason])).join('; ');
        this.#refuse(`${rule.nlriHex}: ${why}`);
        // Undecodable actions are malformed (RFC 8955 §10), which means treat-as-withdraw (RFC 7606 §7.14): the rule's
        // earlier announcement is withdrawn, too.
        this.#table.withdraw(rule);
        if (!result.ok && this.#isUnreadable(speaker, result.error)) return;
        continue;
      }
      const text = formatRule(result.value.spec, actions.value.actions);
      const none = new Uint8Array(0);
      const actionsHex = toHex(extendedCommunities ?? none);
      const ipv6ActionsHex = toHex(ipv6ExtendedCommunities ?? none);
      const nextHopHex = toHex(mpReach?.nextHop ?? none);
      this.#table.announce({ ...rule, actionsHex, ipv6ActionsHex, nextHopHex, text });
    }
  }

  #withdraw(speaker: LabSpeaker, family: Family, nlri: Uint8Array): void {
    if (isUnicast(family)) {
      const { from } = speaker;
      for (const nlriHex of unicastKeys(family, nlri)) this.#table.withdraw({ from, family, nlriHex });
      return;
    }
    for (const { octets, result } of decodeFlowSpecList(nlri, family.afi, family.safi)) {
      this.#table.withdraw({ from: speaker.from, family, nlriHex: toHex(octets) });
      if (!result.ok && this.#isUnreadable(speaker, result.error)) return;
    }
  }

  /**
   * Resets the session if a rule's end cannot be found, because the rules after it cannot be read (RFC 7606 §3.j). Sends the
   * error of RFC 4760 §7.
   */
  #isUnreadable({ session }: LabSpeaker, { treatment, reason }: RuleRefusal): boolean {
    if (treatment === 'treat-as-withdraw') return false;
    session.fail(
      new NotificationError(ErrorCode.UpdateMessage, UpdateSubcode.OptionalAttributeError, reason),
    );
    return true;
  }

  #refuse(text: string): void {
    this.#options.onChange?.({ kind: 'refused', text });
  }
}

function isAgreed({ agreement }: LabSpeaker, family: Family): boolean {
  return agreement.families.some((one) => sameFamily(one, family));
}

function isHardReset({ code, subcode }: NotificationMessage): boolean {
  return code === ErrorCode.Cease && subcode === CeaseSubcode.HardReset;
}
