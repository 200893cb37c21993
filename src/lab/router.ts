/**
 * A router to try things on: a BGP speaker over real TCP that waits for FlowSpec peers and keeps the rules they announce.
 * It filters nothing. For the demo and for tests.
 */
import { decodeActions } from '../bgp/flowspec/actions.ts';
import { decodeFlowSpecList } from '../bgp/flowspec/nlri.ts';
import { formatRule } from '../bgp/flowspec/text.ts';
import type { Agreement, FsmConfig } from '../bgp/fsm/types.ts';
import { netTransport } from '../bgp/speaker/net-transport.ts';
import { type Runtime, systemRuntime } from '../bgp/speaker/runtime.ts';
import { Session } from '../bgp/speaker/session.ts';
import type { Connection, ExpectedPeer, Listener } from '../bgp/speaker/transport.ts';
import { FAMILIES, type Family, sameFamily } from '../bgp/wire/iana.ts';
import { CeaseSubcode } from '../bgp/wire/notification.ts';
import { parseIdentifier, peerAsn } from '../bgp/wire/open.ts';
import type { PathAttributes, UpdateMessage } from '../bgp/wire/types.ts';
import { isEndOfRib } from '../bgp/wire/update.ts';
import { UNDAMPED } from '../bgp/fsm/endings.ts';
import { toHex } from '../net/bytes.ts';

/** A rule as the router holds it. */
export interface LabRule {
  readonly family: Family;
  /** NLRI as received, length octets included. */
  readonly nlriHex: string;
  /** EXTENDED_COMMUNITIES as received. */
  readonly actionsHex: string;
  /** Operator notation, match and actions. */
  readonly text: string;
  /** Router id of the speaker that announced it. */
  readonly from: string;
  /** Kept for a speaker that restarts, and gone unless it is announced again (RFC 4724 §4.2). */
  readonly stale: boolean;
}

/** What happened in the table, or what could not be put there. */
export interface LabChange {
  readonly kind: 'announced' | 'replaced' | 'withdrawn' | 'refused';
  readonly text: string;
}

export interface LabRouterOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** This router's AS number. */
  readonly asn: number;
  readonly routerId: string;
  /** The AS number that is let in; absent: any. */
  readonly peerAsn?: number;
  /** Offered to every speaker; absent: FlowSpec of IPv4 and IPv6. */
  readonly families?: readonly Family[];
  readonly holdTimeSeconds?: number;
  /** True: keeps the rules of a speaker that restarts gracefully. */
  readonly helper?: boolean;
  /** Speakers whose packets must carry a TCP MD5 signature, or come from near enough (GTSM). */
  readonly expect?: readonly ExpectedPeer[];
  readonly onChange?: (change: LabChange) => void;
}

/** One speaker: what it announced outlives its session only while it restarts. */
interface Speaker {
  readonly session: Session;
  readonly from: string;
  readonly agreement: Agreement;
}

const DEFAULT_HOLD_SECONDS = 90;

export class LabRouter {
  readonly #options: LabRouterOptions;
  readonly #identifier: number;
  readonly #runtime: Runtime;
  readonly #sessions = new Set<Session>();
  readonly #speakers = new Map<Session, Speaker>();
  readonly #rules = new Map<string, LabRule>();
  /** What ends the wait for a speaker that restarts, by router id. */
  readonly #waits = new Map<string, () => void>();
  #listener: Listener | undefined;
  #messages = 0;

  /** RangeError when the router id is none. */
  constructor(options: LabRouterOptions, runtime: Runtime = systemRuntime(netTransport)) {
    const identifier = parseIdentifier(options.routerId);
    if (identifier === undefined) throw new RangeError(`"${options.routerId}" is not a router id`);
    this.#options = options;
    this.#identifier = identifier;
    this.#runtime = runtime;
  }

  /** Listens; the port is the real one. Rejects when the address cannot be bound. */
  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port, expect } = this.#options;
    this.#listener = await this.#runtime.transport.listen({ host, port }, expect ?? [], (connection) =>
      this.#accept(connection),
    );
    return { host: this.#listener.host, port: this.#listener.port };
  }

  /** The table, in the order of arrival. */
  rules(): readonly LabRule[] {
    return [...this.#rules.values()];
  }

  /** UPDATEs received since the start, End-of-RIB included. */
  get updates(): number {
    return this.#messages;
  }

  /** How many speakers are connected and established. */
  get established(): number {
    return this.#speakers.size;
  }

  /** Asks every speaker for everything again (RFC 2918). */
  refresh(): void {
    for (const { session, agreement } of this.#speakers.values()) {
      for (const family of agreement.families) session.send({ type: 'route_refresh', family, subtype: 0 });
    }
  }

  /** Ends all sessions with Cease and stops listening; resolves when every socket is closed. */
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
    let ceased = false;
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
          one.stop(null);
        },
        allowOpen: (_one, open) => {
          if (this.#options.peerAsn === undefined) openedBy = peerAsn(open);
          return true;
        },
        onUp: (one, agreement) => this.#up(one, agreement),
        onDown: (one) => this.#down(one, ceased),
        onUpdate: (one, update) => this.#update(one, update),
        onRefresh: () => undefined,
        onMessage: () => undefined,
        onNotification: () => {
          ceased = true;
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
        ? { gracefulRestart: { restartTimeSeconds: 0, longLivedStaleSeconds: 0, restarting: false } }
        : {}),
    };
  }

  /** A speaker has one session: a new one takes the place of an old one whose end this router has not noticed yet. */
  #up(session: Session, agreement: Agreement): void {
    const from = agreement.peerRouterId;
    for (const [old, speaker] of this.#speakers) {
      if (speaker.from !== from) continue;
      this.#down(old, false);
      old.stop({ subcode: CeaseSubcode.ConnectionCollisionResolution });
    }
    this.#speakers.set(session, { session, from, agreement });
    this.#waits.get(from)?.();
  }

  /** RFC 4724 §4.2: the rules of a speaker that restarts are kept as stale; without the capability, or after a NOTIFICATION, they go. */
  #down(session: Session, ceased: boolean): void {
    const speaker = this.#speakers.get(session);
    this.#speakers.delete(session);
    if (speaker === undefined) return;
    const { from, agreement } = speaker;
    if (!agreement.gracefulRestart || ceased) {
      this.#flush((rule) => rule.from === from);
      return;
    }
    for (const [key, rule] of this.#rules) {
      if (rule.from === from) this.#rules.set(key, { ...rule, stale: true });
    }
    const cancel = this.#runtime.after(agreement.peerRestartSeconds * 1000, () => {
      this.#waits.delete(from);
      this.#flush((rule) => rule.from === from && rule.stale);
    });
    this.#waits.set(from, () => {
      this.#waits.delete(from);
      cancel();
    });
  }

  #update(session: Session, update: UpdateMessage): void {
    const speaker = this.#speakers.get(session);
    if (speaker === undefined) return;
    this.#messages++;
    const ended = isEndOfRib(update);
    if (ended !== undefined) {
      this.#flush((rule) => rule.stale && rule.from === speaker.from && sameFamily(rule.family, ended));
      return;
    }
    const { mpReach, mpUnreach } = update.attributes;
    if (mpUnreach !== undefined) this.#withdraw(mpUnreach.family, mpUnreach.nlri);
    if (mpReach === undefined) return;
    if (update.problems.some((problem) => problem.treatment === 'treat-as-withdraw')) {
      this.#tell('refused', update.problems.map((problem) => problem.reason).join('; '));
      this.#withdraw(mpReach.family, mpReach.nlri);
      return;
    }
    this.#announce(speaker.from, mpReach.family, mpReach.nlri, update.attributes);
  }

  #announce(from: string, family: Family, nlri: Uint8Array, attributes: PathAttributes): void {
    const { extendedCommunities, ipv6ExtendedCommunities, mpReach } = attributes;
    const actions = decodeActions({
      ...(extendedCommunities === undefined ? {} : { extendedCommunities }),
      ...(ipv6ExtendedCommunities === undefined ? {} : { ipv6ExtendedCommunities }),
      ...(mpReach === undefined ? {} : { nextHop: mpReach.nextHop }),
    });
    for (const { octets, result } of decodeFlowSpecList(nlri, family.afi, family.safi)) {
      const nlriHex = toHex(octets);
      if (!result.ok || !actions.ok) {
        const why = [result, actions].flatMap((one) => (one.ok ? [] : [one.reason])).join('; ');
        this.#tell('refused', `${nlriHex}: ${why}`);
        continue;
      }
      const text = formatRule(result.spec, actions.actions);
      const key = ruleKey(family, nlriHex);
      const known = this.#rules.get(key);
      const actionsHex = toHex(extendedCommunities ?? new Uint8Array(0));
      this.#rules.set(key, { family, nlriHex, actionsHex, text, from, stale: false });
      if (known?.text !== text) this.#tell(known === undefined ? 'announced' : 'replaced', text);
    }
  }

  #withdraw(family: Family, nlri: Uint8Array): void {
    for (const { octets } of decodeFlowSpecList(nlri, family.afi, family.safi)) {
      const key = ruleKey(family, toHex(octets));
      const rule = this.#rules.get(key);
      if (rule === undefined) continue;
      this.#rules.delete(key);
      this.#tell('withdrawn', rule.text);
    }
  }

  #flush(which: (rule: LabRule) => boolean): void {
    for (const [key, rule] of this.#rules) {
      if (!which(rule)) continue;
      this.#rules.delete(key);
      this.#tell('withdrawn', rule.text);
    }
  }

  #tell(kind: LabChange['kind'], text: string): void {
    this.#options.onChange?.({ kind, text });
  }
}

function ruleKey(family: Family, nlriHex: string): string {
  return `${family.afi}/${family.safi}/${nlriHex}`;
}
