/** Records a neighbor's history for display: counters, the last error, the last NOTIFICATION each way. */
import { Safi } from '../wire/iana.ts';
import type { NotificationMessage, UpdateMessage } from '../wire/types.ts';
import type { MessageName, NotificationSummary, SessionCause, SessionCounters } from './types.ts';

type MessageCounts = Record<MessageName, number>;

function zero(): MessageCounts {
  return { open: 0, update: 0, notification: 0, keepalive: 0, route_refresh: 0 };
}

export class PeerRecord {
  readonly #in = zero();
  readonly #out = zero();
  #routesReceived = 0;
  #established = 0;
  #flaps = 0;
  #lastFlapAt: number | undefined;
  #establishedAt: number | undefined;
  /** The last event that is not the cause: mostly the end of a connection, with its likely cause. */
  #symptom: { readonly text: string; readonly hint: string | undefined } | undefined;
  /** The reason in a NOTIFICATION; kept during the refused and reset connections that follow. */
  #cause: Omit<SessionCause, 'symptom'> | undefined;
  /** A NOTIFICATION was sent or received since the last ending. */
  #notified = false;
  /** True if the last error ended an established session; then the next session does not clear it. */
  #lastErrorEndedSession = false;
  #endedSession = false;
  #notificationSent: NotificationSummary | undefined;
  #notificationReceived: NotificationSummary | undefined;

  get establishedAt(): number | undefined {
    return this.#establishedAt;
  }

  /** The reason why the last established session ended or the present attempts fail; undefined if there is none. */
  get lastError(): string | undefined {
    if (this.#cause !== undefined) return this.#cause.text;
    return this.#symptom && withHint(this.#symptom.text, this.#symptom.hint);
  }

  get lastCause(): SessionCause | undefined {
    return this.#cause && { ...this.#cause, symptom: this.#symptom?.text };
  }

  get notificationSent(): NotificationSummary | undefined {
    return this.#notificationSent;
  }

  get notificationReceived(): NotificationSummary | undefined {
    return this.#notificationReceived;
  }

  /** Time at which an established session last ended without a request of this side (ms since the epoch). */
  get lastFlapAt(): number | undefined {
    return this.#lastFlapAt;
  }

  counters(): SessionCounters {
    return {
      messagesIn: { ...this.#in },
      messagesOut: { ...this.#out },
      routesReceived: this.#routesReceived,
      established: this.#established,
      flaps: this.#flaps,
    };
  }

  message(direction: 'in' | 'out', name: MessageName): void {
    (direction === 'in' ? this.#in : this.#out)[name]++;
  }

  routes(count: number): void {
    this.#routesReceived += count;
  }

  up(now: number): void {
    this.#establishedAt = now;
    this.#established++;
    if (this.#lastErrorEndedSession) return;
    this.#symptom = undefined;
    this.#cause = undefined;
  }

  /**
   * Records the end of an established session; `ended` follows with the reason. It is a flap unless this side requested
   * it.
   */
  down(): void {
    this.#establishedAt = undefined;
    this.#endedSession = true;
  }

  /**
   * Records that an attempt or a session ended at `at` (ms). Returns true if this is news: a fault that differs from
   * the last one. The reason in a NOTIFICATION stays the cause even if later connections fail otherwise. `hint` is the
   * likely cause if the peer does not give one.
   */
  ended(why: string, fault: boolean, at: number, hint?: string): boolean {
    const endedSession = this.#endedSession;
    const notified = this.#notified;
    this.#endedSession = false;
    this.#notified = false;
    if (!fault) return endedSession;
    if (endedSession) {
      this.#flaps++;
      this.#lastFlapAt = at;
      this.#cause = undefined;
    }
    const before = this.#cause;
    const news = endedSession || (notified ? before?.text !== why : this.#symptom?.text !== why);
    if (notified) {
      const again = before?.text === why;
      this.#cause = {
        text: why,
        firstAt: again ? before.firstAt : at,
        lastAt: at,
        count: again ? before.count + 1 : 1,
      };
      this.#symptom = undefined;
    } else {
      this.#symptom = { text: why, hint };
    }
    this.#lastErrorEndedSession = endedSession;
    return news;
  }

  notification(
    direction: 'in' | 'out',
    { code, subcode }: NotificationMessage,
    text: string,
    at: number,
  ): void {
    const summary: NotificationSummary = { code, subcode, text, at };
    this.#notified = true;
    if (direction === 'in') this.#notificationReceived = summary;
    else this.#notificationSent = summary;
  }
}

/** Joins a reason and its hint: `peer reset the connection; it had sent no OPEN: is ...`. */
export function withHint(why: string, hint: string | undefined): string {
  return hint === undefined ? why : `${why}; ${hint}`;
}

// Counting the routes that peers send. The routes themselves are dropped.

/** Counts the routes that an UPDATE announces. The NLRI of an unknown family count as one. */
export function countRoutes(update: UpdateMessage): number {
  const { mpReach } = update.attributes;
  const unicast = countUnicast(update.nlri);
  if (mpReach === undefined || mpReach.nlri.length === 0) return unicast;
  switch (mpReach.family.safi) {
    case Safi.Unicast:
      return unicast + countUnicast(mpReach.nlri);
    case Safi.FlowSpec:
    case Safi.FlowSpecVpn:
      return unicast + countFlowSpec(mpReach.nlri);
    default:
      return unicast + 1;
  }
}

/** Counts unicast NLRI (RFC 4271 §4.3): a length in bits and the octets that hold them. */
function countUnicast(octets: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < octets.length; at += 1 + (((octets[at] ?? 0) + 7) >>> 3)) count++;
  return count;
}

/**
 * Counts FlowSpec NLRI (RFC 8955 §4.1): a length in octets, in one octet below 240, otherwise in the lower 12 bits of
 * two.
 */
function countFlowSpec(octets: Uint8Array): number {
  let count = 0;
  let at = 0;
  while (at < octets.length) {
    const first = octets[at] ?? 0;
    at += first < 0xf0 ? 1 + first : 2 + (((first & 0x0f) << 8) | (octets[at + 1] ?? 0));
    count++;
  }
  return count;
}
