/**
 * The exchange between POPs: publishes what this POP decides, imports what the others do, and passes on operators'
 * requests. Nothing waits for it: without a database the daemon decides, announces and expires as ever.
 *
 * While it is connected, three things run, each one at a time: publishing (as soon as a decision is durable), reading and
 * requests (at a NOTIFY, which is a hint, and once a second, which is the truth).
 */
import type { Engine } from '../control/engine.ts';
import type { Log, TimerHost } from '../control/types.ts';
import type { Elsewhere } from '../core/commands.ts';
import type { IntentVersion } from '../core/types.ts';
import { SingleFlight } from '../net/single-flight.ts';
import { ExchangeLink } from './exchange-link.ts';
import { IntentReader, permitsMore } from './intent-reader.ts';
import { elsewhereOf, importedByPop, otherNames, otherPops, ownActive, ownPop } from './pop-overview.ts';
import { PopRequests } from './pop-requests.ts';
import { type ExchangeDeadlines, PopSession } from './pop-session.ts';
import { type DatabaseClock, Publisher } from './publisher.ts';
import { RequestRows } from './request-rows.ts';
import type {
  Confirmation,
  ExchangeCondition,
  ExchangeView,
  ForeignIntent,
  KnownPop,
  OpenRequest,
  PopFigures,
  PopRequest,
  PopTargets,
} from './types.ts';

/** Time limits by default (ms): a connection that the network cuts is noticed soon. */
const DEADLINES: ExchangeDeadlines = { connectMs: 5_000, statementMs: 1_500 };
/** The database is asked this often (ms), whatever it tells by itself. */
const POLL_MS = 1_000;
/** Polls between deletions of old rows, and between attempts to import what was refused. */
const PRUNE_EVERY = 60;
const RETRY_REFUSED_EVERY = 10;
/** What is known of the others is counted again after this time (ms). */
const COUNT_EVERY_MS = 1_000;
/** Time to publish the last decisions when the daemon stops (ms). */
const FLUSH_MS = 500;
/** Wait before facts that are not durable yet are published (ms); only those that take rules away are. */
const UNRECORDED_MS = 50;

export interface ExchangeOptions {
  readonly engine: Pick<Engine, 'state' | 'policy' | 'submit' | 'follow' | 'followFirst' | 'whenSettled'>;
  /** The database's URL; a secret. */
  readonly url: string;
  readonly version: string;
  /** Identifies this process. */
  readonly instance: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly timers: TimerHost;
  readonly log: Log;
  readonly sessions: () => { readonly up: number; readonly total: number };
  readonly policyHash: () => string;
  /** Called with the time from an intent's publication to its import here (ms). */
  readonly onImported?: (ageMs: number) => void;
  /** Called with the number of versions that were written. */
  readonly onPublished?: (count: number) => void;
  readonly deadlines?: ExchangeDeadlines;
}

/** The connection in use, and what belongs to it. */
interface Connected extends DatabaseClock {
  readonly session: PopSession;
  readonly rows: RequestRows;
  readonly pop: string;
  /** The database's time (ms) at a time of this daemon (ms), from the newest heartbeat. */
  databaseTime: number;
  beatAt: number;
  polls: number;
  /** Ends the connection because of a failure. */
  readonly fail: (error: unknown) => void;
}

export class Exchange implements ExchangeView {
  readonly #options: ExchangeOptions;
  readonly #link: ExchangeLink;
  readonly #publisher: Publisher;
  readonly #reader: IntentReader;
  readonly #requests: PopRequests;
  readonly #publishing = new SingleFlight<void>();
  readonly #reading = new SingleFlight<void>();
  readonly #asking = new SingleFlight<void>();
  #connected: Connected | undefined;
  #unfollow: readonly (() => void)[] = [];
  #isPublishingSoon = false;
  #isPublishingLater = false;
  /** POPs that have told of something new. */
  readonly #news = new Set<string>();
  #counted: { readonly at: number; readonly elsewhere: Elsewhere | undefined } | undefined;

  constructor(options: ExchangeOptions) {
    const { engine, clock, timers, log, onImported, onPublished } = options;
    this.#options = options;
    this.#publisher = new Publisher({ engine, clock, onPublished });
    this.#link = new ExchangeLink({
      clock,
      timers,
      log,
      pop: () => engine.policy.pop,
      open: (lose, signal) => this.#open(lose, signal),
      begin: (session, fail) => this.#begin(session, fail),
    });
    this.#reader = new IntentReader({
      engine,
      clock,
      ...(onImported === undefined ? {} : { onImported }),
      onUnreadable: ({ pop, n }, why) =>
        log('warn', 'an intent of another POP cannot be read and is skipped', { pop, n, why }),
    });
    this.#requests = new PopRequests({
      engine,
      clock,
      timers,
      known: () => otherNames(this.#reader.pops, engine.policy),
      onWaiting: () => this.#exchangeRequests(),
    });
  }

  /** Starts connecting. Returns at once. */
  start(): void {
    const { engine } = this.#options;
    this.#unfollow = [
      engine.followFirst((facts) => {
        for (const { fact } of facts) this.#publisher.note(fact);
        // Durable facts are published as soon as the others follow them.
        this.#publishLater();
      }),
      engine.follow((facts) => {
        this.#publishSoon();
        if (facts.some(({ fact }) => permitsMore(fact))) this.#retryRefused();
      }),
    ];
    this.#link.start();
  }

  /** Publishes the last decisions, within half a second, and ends the connection. */
  async stop(): Promise<void> {
    const connected = this.#connected;
    for (const unfollow of this.#unfollow) unfollow();
    if (connected !== undefined && this.#publisher.isDirty) {
      let cancel = (): void => undefined;
      const late = new Promise<void>((resolve) => {
        cancel = this.#options.timers.after(FLUSH_MS, resolve);
      });
      await Promise.race([this.#publish(connected), late]);
      cancel();
    }
    await this.#link.stop();
  }

  get condition(): ExchangeCondition {
    return this.#link.condition;
  }

  get importFailure(): Error | undefined {
    return this.#reader.failure;
  }

  pops(): readonly KnownPop[] {
    const { clock, version, engine } = this.#options;
    const { epoch, n } = this.#publisher.epoch;
    const own = { name: engine.policy.pop, epoch, n, version, ageMs: 0, ...this.#figures() };
    return [ownPop(own, this.#connected?.beatAt, clock()), ...this.#others()];
  }

  elsewhere(): readonly ForeignIntent[] {
    return this.#reader.intents();
  }

  openRequests(): readonly OpenRequest[] {
    return this.#requests.open();
  }

  nextRequest(): IntentVersion {
    return this.#requests.next();
  }

  ask(id: IntentVersion, request: PopRequest, targets: PopTargets): Promise<readonly Confirmation[]> {
    return this.#requests.ask(id, request, targets, () => this.condition.problem);
  }

  /** Returns what limits on all POPs count of the others, at most a second old; undefined: nothing is known. */
  othersActive(): Elsewhere | undefined {
    const now = this.#options.clock();
    if (this.#counted === undefined || now - this.#counted.at >= COUNT_EVERY_MS) {
      this.#counted = { at: now, elsewhere: elsewhereOf(this.#others()) };
    }
    return this.#counted.elsewhere;
  }

  #others(): readonly KnownPop[] {
    const { clock, engine } = this.#options;
    return otherPops(this.#reader.pops, engine.policy, importedByPop(engine.state), clock());
  }

  #figures(): PopFigures {
    const { engine, sessions, policyHash } = this.#options;
    const { up, total } = sessions();
    return {
      sessionsUp: up,
      sessionsTotal: total,
      active: ownActive(engine.state),
      policyHash: policyHash(),
    };
  }

  // Beginning.

  #open(lose: (error: unknown) => void, signal: AbortSignal): Promise<PopSession> {
    const { url, instance, version, engine, deadlines = DEADLINES } = this.#options;
    const { pop } = engine.policy;
    this.#publisher.end();
    return PopSession.open({
      ...deadlines,
      url,
      instance,
      version,
      pop,
      onLost: lose,
      signal,
      onNotification: (payload) => this.#told(payload),
    });
  }

  async #begin(session: PopSession, fail: (error: unknown) => void): Promise<() => void> {
    const { timers } = this.#options;
    const { pop } = session;
    if (await this.#publisher.begin(session, this.#figures())) this.#reader.forgetCursors();
    const rows = new RequestRows(session.connection, pop);
    const connected: Connected = { session, rows, pop, databaseTime: 0, beatAt: 0, polls: 0, fail };
    const sentAt = await this.#beat(connected);
    await this.#requests.resume(rows);
    this.#connected = connected;
    this.#publishSoon();
    this.#exchangeRequests();
    this.#readSoon(connected, 'first', () => this.#reader.read(session, sentAt));
    let cancel = (): void => undefined;
    const again = (): void => {
      cancel = timers.after(POLL_MS, () => {
        again();
        this.#readSoon(connected, 'poll', () => this.#poll(connected));
      });
    };
    again();
    return () => {
      cancel();
      this.#connected = undefined;
      this.#publisher.end();
    };
  }

  // Work while connected.

  /** Writes the heartbeat and reads the others'. Returns the time before it (ms). */
  async #beat(connected: Connected): Promise<number> {
    const { clock } = this.#options;
    const sentAt = clock();
    const { databaseTime, pops } = await connected.session.beat(this.#publisher.epoch, this.#figures());
    connected.databaseTime = databaseTime;
    connected.beatAt = clock();
    this.#reader.hear(pops, sentAt);
    return sentAt;
  }

  /** Once a second: the heartbeat, everything that is new, and from time to time what is old. */
  async #poll(connected: Connected): Promise<void> {
    const { engine } = this.#options;
    const { pop, session } = connected;
    if (engine.policy.pop !== pop)
      throw new Error(`this daemon was POP ${pop} and is ${engine.policy.pop} now`);
    const sentAt = await this.#beat(connected);
    await this.#reader.read(session, sentAt);
    this.#publisher.noteDue();
    this.#publishSoon();
    this.#exchangeRequests();
    connected.polls++;
    if (connected.polls % RETRY_REFUSED_EVERY === 0) await this.#reader.retryRefused();
    if (connected.polls % PRUNE_EVERY === 1) await session.prune();
  }

  /** Follows a NOTIFY, which only says where to look. */
  #told(payload: string): void {
    const connected = this.#connected;
    if (connected === undefined) return;
    const [kind, pop] = payload.split(' ', 2);
    if (kind !== 'intent') this.#exchangeRequests();
    else if (pop !== undefined && pop !== connected.pop) {
      this.#news.add(pop);
      this.#readSoon(connected, 'told', () => {
        const only = new Set(this.#news);
        this.#news.clear();
        return this.#reader.read(connected.session, undefined, only);
      });
    }
  }

  #retryRefused(): void {
    const connected = this.#connected;
    if (connected !== undefined) this.#readSoon(connected, 'refused', () => this.#reader.retryRefused());
  }

  #readSoon(connected: Connected, kind: string, work: () => Promise<void>): void {
    void this.#reading.run(() => this.#guarded(connected, work), kind);
  }

  #exchangeRequests(): void {
    const connected = this.#connected;
    if (connected === undefined) return;
    const { rows } = connected;
    void this.#asking.run(() =>
      this.#guarded(connected, async () => {
        await this.#requests.exchange(rows);
        await this.#requests.serve(rows);
      }),
    );
  }

  #publishLater(): void {
    if (this.#isPublishingLater) return;
    this.#isPublishingLater = true;
    this.#options.timers.after(UNRECORDED_MS, () => {
      this.#isPublishingLater = false;
      this.#publishSoon();
    });
  }

  #publishSoon(): void {
    if (this.#isPublishingSoon || this.#connected === undefined || !this.#publisher.isDirty) return;
    this.#isPublishingSoon = true;
    setImmediate(() => {
      this.#isPublishingSoon = false;
      if (this.#connected !== undefined) void this.#publish(this.#connected);
    });
  }

  #publish(connected: Connected): Promise<void> {
    return this.#publishing.run(() =>
      this.#guarded(connected, () => this.#publisher.publishAll(connected.session, connected)),
    );
  }

  /** Runs work for a connection, and ends the connection if it fails. */
  async #guarded(connected: Connected, work: () => Promise<void>): Promise<void> {
    if (this.#connected !== connected) return;
    try {
      await work();
    } catch (error) {
      connected.fail(error);
    }
  }
}
