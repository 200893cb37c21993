/**
 * Tracks the server's connections and their states, and selects which to close if there are too many. A connection
 * costs a file descriptor and memory before its client has authenticated, so each state has a time limit, each network
 * has a share, and trusted networks have reserved places. Knows no sockets and no timers.
 */

/**
 * States of a connection. `handshake`: the TLS handshake is not finished; `first_byte`: waits for a request; `headers`:
 * the headers are incomplete; `unproven`: a request whose caller is not authenticated; `request`: an authenticated
 * request is in progress; `idle`: every request is answered; `closing`: waits for the client to close.
 */
export const CONNECTION_STATES = [
  'handshake',
  'first_byte',
  'headers',
  'unproven',
  'request',
  'idle',
  'closing',
] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** Reasons to refuse a new connection: its network's share is used up, or all connections are in use. */
export const REFUSALS = ['address', 'total'] as const;
export type ConnectionRefusal = (typeof REFUSALS)[number];

/** Reasons to close a connection: it was too slow, its answer was not read, or another one needed the place. */
export const CLOSURES = ['handshake', 'first_byte', 'headers', 'body', 'idle', 'stalled', 'evicted'] as const;
export type Closure = (typeof CLOSURES)[number];

/** Limits on the number of connections, and on the time in each state (ms). */
export interface ConnectionLimits {
  readonly connections: number;
  /** Connections reserved for trusted networks; counted in `connections`. */
  readonly reserve: number;
  /** Connections of one network (see `clientNetwork`). */
  readonly perNetwork: number;
  /** Connections of one trusted network: loopback, or one that has sent a valid credential. */
  readonly perTrustedNetwork: number;
  readonly handshake: number;
  readonly firstByte: number;
  readonly headers: number;
  /** Time for the whole request, including its body. */
  readonly request: number;
  readonly idle: number;
  /** Time without the client reading any of an answer. */
  readonly stalled: number;
  /** Time for the client to close after the last answer. */
  readonly closing: number;
}

/** A network, as the table sees it. */
export interface Network {
  readonly name: string;
  readonly isTrusted: boolean;
}

/** One connection. Only the table changes it. */
export interface ConnectionPlace {
  readonly state: ConnectionState;
}

/** Counts for metrics. */
export interface ConnectionFigures {
  readonly states: Readonly<Record<ConnectionState, number>>;
  readonly refused: Readonly<Record<ConnectionRefusal, number>>;
  readonly closed: Readonly<Record<Closure, number>>;
}

class HeldConnection implements ConnectionPlace {
  readonly group: NetworkGroup;
  readonly cut: () => void;
  state: ConnectionState;
  since: number;

  constructor(group: NetworkGroup, cut: () => void, state: ConnectionState, since: number) {
    this.group = group;
    this.cut = cut;
    this.state = state;
    this.since = since;
  }
}

/** The connections of one network. */
interface NetworkGroup {
  readonly name: string;
  isTrusted: boolean;
  readonly all: Set<HeldConnection>;
}

/** Connections in any other state may be closed to make room. */
const PROTECTED: ConnectionState = 'request';

export class ConnectionTable {
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  readonly #all = new Set<HeldConnection>();
  readonly #groups = new Map<string, NetworkGroup>();
  readonly #strangers = new Set<HeldConnection>();
  readonly #refused = zeroes(REFUSALS);
  readonly #closed = zeroes(CLOSURES);

  /** `now` returns monotonic milliseconds. */
  constructor(limits: ConnectionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Number of connections so far that were refused or evicted. */
  get pressure(): number {
    return this.#refused.address + this.#refused.total + this.#closed.evicted;
  }

  /** Returns the number of a network's connections. */
  countOf(network: string): number {
    return this.#groups.get(network)?.all.size ?? 0;
  }

  figures(): ConnectionFigures {
    const states = zeroes(CONNECTION_STATES);
    for (const { state } of this.#all) states[state]++;
    return { states, refused: { ...this.#refused }, closed: { ...this.#closed } };
  }

  /**
   * Admits a new connection, which `cut` closes at once, or returns why it is refused. If there is no room, closes the
   * one that has been without a request for longest: one of the same network if its share is used up, else one of an
   * untrusted network.
   */
  admit(
    { name, isTrusted }: Network,
    state: ConnectionState,
    cut: () => void,
  ): ConnectionPlace | ConnectionRefusal {
    const { connections, reserve, perNetwork, perTrustedNetwork } = this.#limits;
    const known = this.#groups.get(name);
    if (known !== undefined && isTrusted) this.#trust(known);
    const share = isTrusted ? perTrustedNetwork : perNetwork;
    if (known !== undefined && known.all.size >= share && !this.#evictFrom(known.all)) {
      return this.#refuse('address');
    }
    if (!isTrusted && this.#strangers.size >= connections - reserve && !this.#evictFrom(this.#strangers)) {
      return this.#refuse('total');
    }
    if (this.#all.size >= connections && !this.#makeRoom(isTrusted)) return this.#refuse('total');
    const group = this.#groups.get(name) ?? { name, isTrusted, all: new Set<HeldConnection>() };
    const held = new HeldConnection(group, cut, state, this.#now());
    this.#add(held);
    return held;
  }

  /** Moves a connection to a state. Does nothing for one that is closed. */
  enter(place: ConnectionPlace, state: ConnectionState): void {
    const held = this.#held(place);
    if (held === undefined) return;
    held.state = state;
    held.since = this.#now();
    // Keeps the sets in the order of the last change, oldest first.
    this.#forget(held);
    this.#add(held);
  }

  /**
   * Trusts a network that sent a valid credential: its connections get the larger share and the reserve from now on.
   */
  trust(network: string): void {
    const group = this.#groups.get(network);
    if (group !== undefined) this.#trust(group);
  }

  /** Forgets a connection that has closed. */
  remove(place: ConnectionPlace): void {
    const held = this.#held(place);
    if (held !== undefined) this.#forget(held);
  }

  /** Closes a connection and counts the reason. */
  close(place: ConnectionPlace, why: Closure): void {
    const held = this.#held(place);
    if (held === undefined) return;
    this.#forget(held);
    this.#closed[why]++;
    held.cut();
  }

  /** Counts a connection that is closed elsewhere, such as by Node's own timeout. */
  counted(why: Closure): void {
    this.#closed[why]++;
  }

  /** Closes every connection that has been in its state for too long. */
  sweep(): void {
    const now = this.#now();
    for (const held of [...this.#all]) {
      const [limit, why] = this.#limitOf(held.state);
      if (now - held.since < limit) continue;
      if (why === undefined) this.#end(held);
      else this.close(held, why);
    }
  }

  /** Closes the connections without a request in progress, or all of them. */
  endAll(which: 'unused' | 'all'): void {
    for (const held of [...this.#all]) {
      if (which === 'all' || held.state !== PROTECTED) this.#end(held);
    }
  }

  #limitOf(state: ConnectionState): readonly [limit: number, why: Closure | undefined] {
    const { handshake, firstByte, headers, request, idle, closing } = this.#limits;
    switch (state) {
      case 'handshake':
        return [handshake, 'handshake'];
      case 'first_byte':
        return [firstByte, 'first_byte'];
      case 'headers':
        return [headers, 'headers'];
      case 'unproven':
        return [request, 'body'];
      case 'idle':
        return [idle, 'idle'];
      case 'closing':
        return [closing, undefined];
      // Node limits the time for the body, and `stalled` limits the time for the answer.
      case 'request':
        return [Number.POSITIVE_INFINITY, undefined];
    }
  }

  #refuse(why: ConnectionRefusal): ConnectionRefusal {
    this.#refused[why]++;
    return why;
  }

  #makeRoom(forTrusted: boolean): boolean {
    return this.#evictFrom(this.#strangers) || (forTrusted && this.#evictFrom(this.#all));
  }

  /** Closes the oldest candidate that is not protected; false if there is none. */
  #evictFrom(candidates: Iterable<HeldConnection>): boolean {
    for (const held of candidates) {
      if (held.state === PROTECTED) continue;
      this.close(held, 'evicted');
      return true;
    }
    return false;
  }

  #end(held: HeldConnection): void {
    this.#forget(held);
    held.cut();
  }

  #trust(group: NetworkGroup): void {
    if (group.isTrusted) return;
    group.isTrusted = true;
    for (const held of group.all) this.#strangers.delete(held);
  }

  #held(place: ConnectionPlace): HeldConnection | undefined {
    return place instanceof HeldConnection && this.#all.has(place) ? place : undefined;
  }

  #add(held: HeldConnection): void {
    this.#all.add(held);
    held.group.all.add(held);
    if (!held.group.isTrusted) this.#strangers.add(held);
    this.#groups.set(held.group.name, held.group);
  }

  #forget(held: HeldConnection): void {
    const { group } = held;
    this.#all.delete(held);
    this.#strangers.delete(held);
    group.all.delete(held);
    if (group.all.size === 0) this.#groups.delete(group.name);
  }
}

function zeroes<Key extends string>(keys: readonly Key[]): Record<Key, number> {
  const counts: Partial<Record<Key, number>> = {};
  for (const key of keys) counts[key] = 0;
  return counts as Record<Key, number>;
}
