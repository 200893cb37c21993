/**
 * Who holds the server's connections, in which state, and who has to go when there are too many. A connection costs a
 * descriptor and memory before anybody has proved anything, so each state has its limit of time, each network its share, and
 * networks that have proved who they are have places that others cannot take. No sockets and no timers are known here.
 */

/**
 * How far a connection is. `handshake`: TLS is not agreed; `first_byte`: nothing of a request has come; `headers`: not all of
 * them have; `unproven`: a request whose caller is not let in (yet); `request`: one that is; `idle`: all answers are out;
 * `closing`: told to go.
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

/** Why a new connection is not taken: its network has its share, or all are in use. */
export const REFUSALS = ['address', 'total'] as const;
export type ConnectionRefusal = (typeof REFUSALS)[number];

/** Why a connection was closed: it was too slow, its answer was not read, or another needed the place. */
export const CLOSURES = ['handshake', 'first_byte', 'headers', 'body', 'idle', 'stalled', 'evicted'] as const;
export type Closure = (typeof CLOSURES)[number];

/** Connections at once, and how long (ms) one may be in a state. */
export interface ConnectionLimits {
  readonly connections: number;
  /** Of these, so many are kept for networks that are trusted. */
  readonly reserve: number;
  /** Of one network (see `clientNetwork`). */
  readonly perNetwork: number;
  /** Of one network that is trusted: loopback, or a valid credential came from there. */
  readonly perTrustedNetwork: number;
  readonly handshake: number;
  readonly firstByte: number;
  readonly headers: number;
  /** The whole request, its body included. */
  readonly request: number;
  readonly idle: number;
  /** Without any of an answer being taken. */
  readonly stalled: number;
  /** From the last word to the end. */
  readonly closing: number;
}

/** What the table needs to know of a network. */
export interface Network {
  readonly name: string;
  readonly isTrusted: boolean;
}

/** One connection. Its owner reads it; only the table changes it. */
export interface ConnectionPlace {
  readonly state: ConnectionState;
}

/** Figures for metrics. */
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

/** Everything else may be closed to make room. */
const PROTECTED: ConnectionState = 'request';

export class ConnectionTable {
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  readonly #all = new Set<HeldConnection>();
  readonly #groups = new Map<string, NetworkGroup>();
  readonly #strangers = new Set<HeldConnection>();
  readonly #refused = zeroes(REFUSALS);
  readonly #closed = zeroes(CLOSURES);

  /** `now`: milliseconds from any beginning, that never go back. */
  constructor(limits: ConnectionLimits, now: () => number) {
    this.#limits = limits;
    this.#now = now;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Connections so far that were refused or had to make room. */
  get pressure(): number {
    return this.#refused.address + this.#refused.total + this.#closed.evicted;
  }

  /** How many a network has. */
  countOf(network: string): number {
    return this.#groups.get(network)?.all.size ?? 0;
  }

  figures(): ConnectionFigures {
    const states = zeroes(CONNECTION_STATES);
    for (const { state } of this.#all) states[state]++;
    return { states, refused: { ...this.#refused }, closed: { ...this.#closed } };
  }

  /**
   * Takes a new connection, which `cut` ends at once, or says why not. Where there is no room, the one that has been without a
   * request for longest makes it: of the same network when that has its share, else of a network that is not trusted.
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

  /** A connection has come so far. Nothing happens to one that is gone. */
  enter(place: ConnectionPlace, state: ConnectionState): void {
    const held = this.#held(place);
    if (held === undefined) return;
    held.state = state;
    held.since = this.#now();
    // The sets are in the order of the last change: the first is the oldest.
    this.#forget(held);
    this.#add(held);
  }

  /** A valid credential came from this network: its connections have the larger share and the reserve from now on. */
  trust(network: string): void {
    const group = this.#groups.get(network);
    if (group !== undefined) this.#trust(group);
  }

  /** The connection is gone. */
  remove(place: ConnectionPlace): void {
    const held = this.#held(place);
    if (held !== undefined) this.#forget(held);
  }

  /** Ends a connection, and counts why. */
  close(place: ConnectionPlace, why: Closure): void {
    const held = this.#held(place);
    if (held === undefined) return;
    this.#forget(held);
    this.#closed[why]++;
    held.cut();
  }

  /** Counts a connection that somebody else ends, such as Node at its own time-out. */
  counted(why: Closure): void {
    this.#closed[why]++;
  }

  /** Ends every connection whose state has lasted too long. */
  sweep(): void {
    const now = this.#now();
    for (const held of [...this.#all]) {
      const [limit, why] = this.#limitOf(held.state);
      if (now - held.since < limit) continue;
      if (why === null) this.#end(held);
      else this.close(held, why);
    }
  }

  /** Ends all that no request is being answered on, or simply all. */
  endAll(which: 'unused' | 'all'): void {
    for (const held of [...this.#all]) {
      if (which === 'all' || held.state !== PROTECTED) this.#end(held);
    }
  }

  #limitOf(state: ConnectionState): readonly [limit: number, why: Closure | null] {
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
        return [closing, null];
      // Its body has the server's limit, and its answer that of being read.
      case 'request':
        return [Number.POSITIVE_INFINITY, null];
    }
  }

  #refuse(why: ConnectionRefusal): ConnectionRefusal {
    this.#refused[why]++;
    return why;
  }

  #makeRoom(forTrusted: boolean): boolean {
    return this.#evictFrom(this.#strangers) || (forTrusted && this.#evictFrom(this.#all));
  }

  /** Closes the oldest that may be; false when there is none. */
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
