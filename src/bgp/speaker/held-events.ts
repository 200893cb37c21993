/**
 * Events of one connection that the state machine must not get yet: another connection of the neighbor comes first
 * (RFC 4271 §6.8). These are the connection itself, the OPEN of the peer, and whatever arrived after it.
 */
import type { FsmEvent } from '../fsm/types.ts';
import type { OpenMessage } from '../wire/types.ts';

/** A peer that has sent more messages than these, without an answer to its OPEN, breaks the rules. */
const MOST_HELD = 16;

export class HeldEvents {
  #events: FsmEvent[] = [];

  /** True while events are held: later ones have to be held as well. */
  get any(): boolean {
    return this.#events.length > 0;
  }

  /** The connection is up, but the machine was not told and has not sent its OPEN. */
  get tracksConnection(): boolean {
    const type = this.#events[0]?.type;
    return type === 'tcp-connected' || type === 'tcp-accepted';
  }

  /** The peer's OPEN. */
  get open(): OpenMessage | undefined {
    for (const event of this.#events) if (event.type === 'open') return event.open;
    return undefined;
  }

  /** Returns false when that is one too many. */
  add(event: FsmEvent): boolean {
    this.#events.push(event);
    return this.#events.length <= MOST_HELD;
  }

  /** Everything that was held, in order; nothing is held afterwards. */
  take(): readonly FsmEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }
}
