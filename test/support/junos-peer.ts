/**
 * A peer that behaves as Juniper documents Junos to behave, over a real socket; the hardware itself is untried.
 *
 * - It waits to be called. An OPEN whose families do not fit is answered with Unsupported Capability (2/7).
 * - `prefix-limit maximum N teardown idle-timeout ...`: one rule more ends the session with Cease, Maximum Number of
 *   Prefixes Reached (6/1), and connections are rejected (6/5) until the idle time is over.
 * - The hold time is the smaller of both sides'; KEEPALIVE and UPDATE count.
 * - As a graceful-restart helper (RFC 4724 §4.2, without RFC 8538) it keeps the rules of a peer whose connection broke
 *   without a NOTIFICATION until End-of-RIB or until the peer's restart time is over. A NOTIFICATION flushes them.
 * - A rule with a component that it does not know (`family inet flow` ends at 12) ends the session (3/9).
 */
import net from 'node:net';
import { localOpen } from '../../src/bgp/fsm/negotiate.ts';
import { decodeFlowSpecList } from '../../src/bgp/flowspec/nlri.ts';
import { MessageFramer } from '../../src/bgp/wire/framing.ts';
import { type Family, sameFamily } from '../../src/bgp/wire/iana.ts';
import { decodeMessage, encodeMessage } from '../../src/bgp/wire/message.ts';
import { findCapability, offeredFamilies, peerAsn } from '../../src/bgp/wire/open.ts';
import { notificationText } from '../../src/bgp/wire/notification-text.ts';
import type {
  BgpMessage,
  CodecContext,
  NotificationMessage,
  OpenMessage,
  UpdateMessage,
} from '../../src/bgp/wire/types.ts';
import { isEndOfRib } from '../../src/bgp/wire/update.ts';
import { toHex } from '../../src/net/bytes.ts';

const CONTEXT: CodecContext = { fourOctetAs: true, extendedMessages: true, internal: false };
const LAST_COMPONENT = 12;

export interface JunosOptions {
  readonly host: string;
  readonly asn: number;
  /** The AS that it accepts. */
  readonly peerAsn: number;
  readonly families: readonly Family[];
  readonly holdTimeSeconds?: number;
  /**
   * Limit of a family's rules, and number of connections that it refuses after exceeding it: it idles by count, not by
   * a clock.
   */
  readonly prefixLimit?: { readonly maximum: number; readonly refusals: number };
  /** Keeps rules for a restarting peer. */
  readonly helper?: boolean;
  /** Sends its OPEN only after it has accepted the other side's. */
  readonly judgesFirst?: boolean;
}

/** A rule in `inetflow.0`. */
interface Held {
  readonly family: Family;
  stale: boolean;
}

export class JunosPeer {
  readonly #options: JunosOptions;
  readonly #server: net.Server;
  readonly #table = new Map<string, Held>();
  #session: JunosSession | undefined;
  /** Number of connections still to refuse while it idles. */
  #refusals = 0;
  #restartTimer: NodeJS.Timeout | undefined;
  /** Times of the connections (ms). */
  readonly attempts: number[] = [];
  /** The last received NOTIFICATION: code, subcode, text. */
  lastNotification: readonly [number, number, string] | undefined;
  /** Stops its keepalives, as an overloaded routing engine does. */
  silent = false;

  private constructor(options: JunosOptions) {
    this.#options = options;
    this.#server = net.createServer((socket) => this.#accept(socket));
  }

  static async start(options: JunosOptions): Promise<JunosPeer> {
    const peer = new JunosPeer(options);
    await new Promise<void>((resolve) => peer.#server.listen(0, options.host, resolve));
    return peer;
  }

  get port(): number {
    const bound = this.#server.address();
    return bound !== null && typeof bound === 'object' ? bound.port : 0;
  }

  /** NLRI in hexadecimal, stale ones included. */
  get rules(): readonly string[] {
    return [...this.#table.keys()].map((key) => key.slice(key.lastIndexOf('/') + 1));
  }

  get stale(): number {
    return [...this.#table.values()].filter((rule) => rule.stale).length;
  }

  get established(): boolean {
    return this.#session?.established === true;
  }

  close(): void {
    clearTimeout(this.#restartTimer);
    this.#server.close();
    const session = this.#session;
    // The peer is gone for good, not down: it does not wait for the speaker to return.
    this.#session = undefined;
    session?.drop();
  }

  #accept(socket: net.Socket): void {
    this.attempts.push(performance.now());
    const { asn, peerAsn: from, families, holdTimeSeconds = 90, helper } = this.#options;
    const open = localOpen({
      localAsn: asn,
      localIdentifier: 0xc0000201,
      peerAsn: from,
      holdTimeSeconds,
      families,
      passive: true,
      connectRetrySeconds: 0,
      ...(helper === true
        ? { gracefulRestart: { restartTimeSeconds: 120, longLivedStaleSeconds: 0, restarting: false } }
        : {}),
    });
    const session = new JunosSession(socket, {
      open: {
        ...open,
        capabilities: open.capabilities.map((one) =>
          one.type === 'graceful-restart' ? { ...one, notification: false } : one,
        ),
      },
      judgesFirst: this.#options.judgesFirst === true,
      isSilent: () => this.silent,
      judge: (theirs) => this.#judge(theirs),
      onUp: () => {
        this.#session = session;
        this.#resumed(session);
      },
      onUpdate: (update) => this.#update(session, update),
      onNotification: ({ code, subcode, data }) => {
        this.lastNotification = [code, subcode, notificationText(code, subcode, data)];
      },
      onDown: (theirs, notified) => this.#down(session, theirs, notified),
    });
    if (this.#refusals > 0) {
      this.#refusals--;
      session.refuse(6, 5);
    } else session.begin();
  }

  #judge(open: OpenMessage): readonly [number, number] | undefined {
    if (peerAsn(open) !== this.#options.peerAsn) return [2, 2];
    const theirs = offeredFamilies(open);
    const fits = this.#options.families.some((ours) => theirs.some((one) => sameFamily(one, ours)));
    return fits ? undefined : [2, 7];
  }

  /** RFC 4724 §4.2: the peer is back; rules of a family for which it lost its forwarding state go at once. */
  #resumed(session: JunosSession): void {
    clearTimeout(this.#restartTimer);
    const restart =
      session.theirs === undefined ? undefined : findCapability(session.theirs, 'graceful-restart');
    this.#flush(
      ({ family, stale }) =>
        stale &&
        restart?.families.some((one) => one.forwardingPreserved && sameFamily(one.family, family)) !== true,
    );
  }

  #down(session: JunosSession, theirs: OpenMessage, notified: boolean): void {
    if (this.#session !== session) return;
    this.#session = undefined;
    const restart = findCapability(theirs, 'graceful-restart');
    if (this.#options.helper !== true || restart === undefined || notified) {
      this.#flush(() => true);
      return;
    }
    for (const rule of this.#table.values()) rule.stale = true;
    this.#restartTimer = setTimeout(() => this.#flush((rule) => rule.stale), restart.restartTime * 1000);
  }

  #update(session: JunosSession, update: UpdateMessage): void {
    const ended = isEndOfRib(update);
    if (ended !== undefined) {
      this.#flush(({ family, stale }) => stale && sameFamily(family, ended));
      return;
    }
    const { mpReach, mpUnreach } = update.attributes;
    if (mpUnreach !== undefined) {
      for (const { octets } of decodeFlowSpecList(
        mpUnreach.nlri,
        mpUnreach.family.afi,
        mpUnreach.family.safi,
      )) {
        this.#table.delete(keyOf(mpUnreach.family, octets));
      }
    }
    if (mpReach === undefined) return;
    const { family, nlri } = mpReach;
    for (const { octets, result } of decodeFlowSpecList(nlri, family.afi, family.safi)) {
      if (!result.ok || result.value.spec.components.some(({ type }) => type > LAST_COMPONENT)) {
        session.refuse(3, 9);
        return;
      }
      this.#table.set(keyOf(family, octets), { family, stale: false });
    }
    this.#checkLimit(session, family);
  }

  #checkLimit(session: JunosSession, family: Family): void {
    const { prefixLimit } = this.#options;
    if (prefixLimit === undefined) return;
    const count = [...this.#table.values()].filter((rule) => sameFamily(rule.family, family)).length;
    if (count <= prefixLimit.maximum) return;
    this.#refusals = prefixLimit.refusals;
    // RFC 4486 §4: address family, SAFI, and the bound.
    const { maximum } = prefixLimit;
    const bound = [maximum >>> 24, (maximum >>> 16) & 255, (maximum >>> 8) & 255, maximum & 255];
    session.refuse(6, 1, Uint8Array.of(0, family.afi, family.safi, ...bound));
  }

  #flush(which: (rule: Held) => boolean): void {
    for (const [key, rule] of this.#table) if (which(rule)) this.#table.delete(key);
  }
}

function keyOf(family: Family, nlri: Uint8Array): string {
  return `${family.afi}/${family.safi}/${toHex(nlri)}`;
}

/** The peer's interface for its sessions. */
interface SessionOwner {
  readonly open: OpenMessage;
  readonly judgesFirst: boolean;
  readonly isSilent: () => boolean;
  /** Returns the error code and subcode for an invalid OPEN. */
  readonly judge: (open: OpenMessage) => readonly [number, number] | undefined;
  readonly onUp: () => void;
  readonly onUpdate: (update: UpdateMessage) => void;
  readonly onNotification: (notification: NotificationMessage) => void;
  /** Called at the end of an established session; `notified` if either side sent a NOTIFICATION. */
  readonly onDown: (theirs: OpenMessage, notified: boolean) => void;
}

class JunosSession {
  readonly #socket: net.Socket;
  readonly #owner: SessionOwner;
  readonly #framer = new MessageFramer();
  #theirs: OpenMessage | undefined;
  #established = false;
  #notified = false;
  #hold: NodeJS.Timeout | undefined;
  #keepalive: NodeJS.Timeout | undefined;

  constructor(socket: net.Socket, owner: SessionOwner) {
    this.#socket = socket;
    this.#owner = owner;
    socket.on('error', () => undefined);
    socket.on('close', () => this.#over());
    socket.on('data', (chunk: Uint8Array) => this.#read(chunk));
  }

  get established(): boolean {
    return this.#established;
  }

  get theirs(): OpenMessage | undefined {
    return this.#theirs;
  }

  begin(): void {
    if (!this.#owner.judgesFirst) this.#send(this.#owner.open);
  }

  /** Closes it with a NOTIFICATION. */
  refuse(code: number, subcode: number, data = new Uint8Array(0)): void {
    if (this.#notified) return;
    this.#notified = true;
    this.#send({ type: 'notification', code, subcode, data });
    this.#socket.end();
  }

  drop(): void {
    this.#socket.destroy();
  }

  #read(chunk: Uint8Array): void {
    this.#framer.push(chunk);
    for (let octets = this.#framer.next(true); octets !== undefined; octets = this.#framer.next(true)) {
      if (this.#notified) return;
      this.#received(decodeMessage(octets.slice(), CONTEXT));
    }
  }

  #received(message: BgpMessage): void {
    switch (message.type) {
      case 'open':
        this.#opened(message);
        break;
      case 'keepalive':
        this.#restartHold();
        if (this.#established || this.#theirs === undefined) break;
        this.#established = true;
        this.#owner.onUp();
        break;
      case 'update':
        this.#restartHold();
        this.#owner.onUpdate(message);
        break;
      case 'notification':
        this.#notified = true;
        this.#owner.onNotification(message);
        this.#socket.end();
        break;
      case 'route_refresh':
        break;
    }
  }

  #opened(open: OpenMessage): void {
    const error = this.#owner.judge(open);
    if (error !== undefined) {
      this.refuse(...error);
      return;
    }
    this.#theirs = open;
    if (this.#owner.judgesFirst) this.#send(this.#owner.open);
    this.#send({ type: 'keepalive' });
    this.#restartHold();
    const seconds = this.#holdSeconds();
    if (seconds === 0) return;
    this.#keepalive = setInterval(
      () => {
        if (!this.#owner.isSilent()) this.#send({ type: 'keepalive' });
      },
      (seconds * 1000) / 3,
    );
  }

  #holdSeconds(): number {
    return Math.min(this.#owner.open.holdTime, this.#theirs?.holdTime ?? 0);
  }

  #restartHold(): void {
    clearTimeout(this.#hold);
    const seconds = this.#holdSeconds();
    if (seconds > 0) this.#hold = setTimeout(() => this.refuse(4, 0), seconds * 1000);
  }

  #over(): void {
    clearTimeout(this.#hold);
    clearInterval(this.#keepalive);
    const was = this.#established;
    this.#established = false;
    if (was && this.#theirs !== undefined) this.#owner.onDown(this.#theirs, this.#notified);
  }

  #send(message: BgpMessage): void {
    if (this.#socket.writable) this.#socket.write(encodeMessage(message, CONTEXT));
  }
}
