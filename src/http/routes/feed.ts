/**
 * Serves every fact as a Server-Sent Event (WHATWG HTML §9.2); `id:` is its sequence number.
 *
 * Queues nothing for a reader: each has a position, and receives more when its socket has drained. A reader that falls
 * behind what the engine keeps, or that reads nothing for long, is disconnected and may resume.
 */
import type { ServerResponse } from 'node:http';
import type { CallerScope } from '../../access/caller-scope.ts';
import { discreet, seesFact } from '../../access/scoped-facts.ts';
import type { EngineView } from '../../control/types.ts';
import type { RecordedFact } from '../../core/facts.ts';
import { type App, scopeContext, scopeOf } from '../request-context.ts';
import { FeedIds } from '../feed-ids.ts';
import { HttpProblem, invalidField } from '../http-problem.ts';
import { clientOf } from '../rate-limit.ts';
import { commonProblems, FeedText } from '../answer-schemas.ts';
import { factView } from '../../view/fact.ts';

/** Maximum number of readers; more are answered 503. */
export const MAX_FEED_READERS = 64;
/** Maximum number of readers of one client (see `clientOf`), so that no client takes all places. */
export const MAX_READERS_OF_CLIENT = 32;
/** Interval of heartbeat comments, so that both sides notice a dead connection (ms). */
const HEARTBEAT_MS = 15_000;
/** Maximum lag of a reader (facts); one further behind could not resume either. */
const MAX_LAG = 10_000;
/** Limits of one slice: facts, and characters of text. */
const FACTS_PER_SLICE = 200;
const SLICE_LENGTH = 256 * 1024;
/** Size of the cache of texts (characters); readers that keep up all read the newest ones. */
const KEPT_LENGTH = 2 * 1024 * 1024;

/** Who reads: the limit of its places, its scope, and whether its credentials are still valid. */
export interface FeedClient {
  readonly client: string;
  /** Absent: it sees every fact. */
  readonly scope?: CallerScope | undefined;
  /** Asked at least at each heartbeat; the stream of a reader who may not read any more is closed. Default: always. */
  readonly isAllowed?: () => boolean;
}

interface Reader extends FeedClient {
  readonly response: ServerResponse;
  /** Sequence number of the last fact written. */
  position: number;
  /** The socket has not drained yet. */
  waiting: boolean;
  /** `waiting` was already true at the previous heartbeat. */
  late: boolean;
}

export class Feed {
  readonly #engine: EngineView;
  readonly #readers = new Set<Reader>();
  /** Cached texts by sequence number, oldest first. */
  readonly #texts = new Map<number, string>();
  #kept = 0;
  readonly #ids = new FeedIds();
  readonly #unfollow: () => void;
  readonly #heartbeat: NodeJS.Timeout;
  /** The newest durable fact. The state may be ahead of it by a group that is undone if the disk fails. */
  #durable: number;

  /** Create it before the engine receives commands. */
  constructor(engine: EngineView, heartbeatMs = HEARTBEAT_MS) {
    this.#engine = engine;
    this.#durable = engine.state.seq;
    this.#unfollow = engine.follow((facts) => {
      this.#durable = facts.at(-1)?.seq ?? this.#durable;
      for (const reader of this.#readers) this.#give(reader);
    });
    this.#heartbeat = setInterval(() => this.#beat(), heartbeatMs);
    this.#heartbeat.unref();
  }

  get durable(): number {
    return this.#durable;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Closes every reader's stream and follows the engine no more. */
  close(): void {
    this.#unfollow();
    clearInterval(this.#heartbeat);
    for (const { response } of this.#readers) response.end();
    this.#readers.clear();
  }

  /** Returns why another reader of this client is refused; undefined if there is room. */
  refusal(client: string): string | undefined {
    if (this.#readers.size >= MAX_FEED_READERS)
      return `The feed already has its maximum of ${MAX_FEED_READERS} readers`;
    let ofClient = 0;
    for (const reader of this.#readers) if (reader.client === client) ofClient++;
    if (ofClient < MAX_READERS_OF_CLIENT) return undefined;
    return `This token or address already has its maximum of ${MAX_READERS_OF_CLIENT} feed readers`;
  }

  /** Returns the id that a reader gets for a fact, or for its place in the stream. */
  idFor(scope: CallerScope | undefined, seq: number): string {
    return scope === undefined ? String(seq) : this.#ids.idOf(seq);
  }

  /** Returns the number that a reader's id stands for; undefined if it is unknown. Throws HttpProblem 400 if malformed. */
  seqOf(scope: CallerScope | undefined, id: string): number | undefined {
    if (scope !== undefined) return this.#ids.seqOf(id);
    if (/^\d{1,15}$/.test(id)) return Number(id);
    throw invalidField('Last-Event-ID', 'is not an event id of this feed');
  }

  /** Streams the facts after `after` to a response whose headers are already written. */
  add(response: ServerResponse, after: number, client: FeedClient): void {
    const reader: Reader = { ...client, response, position: after, waiting: false, late: false };
    this.#readers.add(reader);
    response.on('drain', () => {
      reader.waiting = false;
      this.#give(reader);
    });
    response.on('close', () => this.#readers.delete(reader));
    response.on('error', () => this.#cut(reader));
    response.write('retry: 2000\n\n');
    this.#give(reader);
  }

  /** Writes new facts to a reader, as many as one slice and its socket allow. */
  #give(reader: Reader): void {
    if (!this.#readers.has(reader)) return;
    if (reader.waiting) {
      if (this.#durable - reader.position > MAX_LAG) this.#cut(reader);
      return;
    }
    if (reader.position >= this.#durable) return;
    if (reader.isAllowed?.() === false) {
      this.#end(reader);
      return;
    }
    const facts = this.#engine.recent(reader.position);
    if (facts === undefined) {
      this.#cut(reader);
      return;
    }
    let text = '';
    let given = 0;
    for (const fact of facts) {
      if (given >= FACTS_PER_SLICE || text.length >= SLICE_LENGTH) break;
      text += reader.scope === undefined ? this.#text(fact) : this.#limitedText(fact, reader.scope);
      reader.position = fact.seq;
      given++;
    }
    if (given === 0) return;
    if (text !== '') reader.waiting = !reader.response.write(text);
    if (given < facts.length && !reader.waiting) setImmediate(() => this.#give(reader));
  }

  /** Returns a fact's text, which is made once for all readers. */
  #text(recorded: RecordedFact): string {
    const known = this.#texts.get(recorded.seq);
    if (known !== undefined) return known;
    const data = JSON.stringify(factView(recorded));
    const text = `id: ${recorded.seq}\nevent: ${recorded.fact.type}\ndata: ${data}\n\n`;
    this.#texts.set(recorded.seq, text);
    this.#kept += text.length;
    for (const [seq, oldest] of this.#texts) {
      if (this.#kept <= KEPT_LENGTH) break;
      this.#texts.delete(seq);
      this.#kept -= oldest.length;
    }
    return text;
  }

  /** Returns what a limited reader sees of a fact; empty for nothing. */
  #limitedText(recorded: RecordedFact, scope: CallerScope): string {
    const { fact } = recorded;
    const context = scopeContext(this.#engine);
    if (!seesFact(scope, fact, context)) return '';
    const { seq, ...view } = factView(recorded);
    const data = JSON.stringify(discreet(view, scope, context));
    return `id: ${this.#ids.idOf(recorded.seq)}\nevent: ${fact.type}\ndata: ${data}\n\n`;
  }

  #beat(): void {
    for (const reader of this.#readers) {
      if (reader.isAllowed?.() === false) this.#end(reader);
      else if (reader.waiting && reader.late) this.#cut(reader);
      else if (reader.waiting) reader.late = true;
      else {
        reader.late = false;
        reader.waiting = !reader.response.write(': heartbeat\n\n');
      }
    }
  }

  /** Ends a stream in order. */
  #end(reader: Reader): void {
    this.#readers.delete(reader);
    reader.response.end();
  }

  #cut(reader: Reader): void {
    this.#readers.delete(reader);
    reader.response.destroy();
  }
}

export function registerFeed(app: App, engine: EngineView, feed: Feed): void {
  app.get(
    '/v1/feed',
    {
      config: { access: 'read', scoped: 'filtered' },
      exposeHeadRoute: false,
      schema: {
        tags: ['feed'],
        summary: 'Stream every fact as Server-Sent Events when it becomes durable',
        description:
          'Resumes after the fact that Last-Event-ID names. If that fact is too old to resume, the first event is ' +
          '`resync`: read the lists again.',
        response: {
          200: { description: 'Facts', content: { 'text/event-stream': { schema: FeedText } } },
          ...commonProblems,
        },
      },
    },
    (request, reply) => {
      const client = clientOf(request);
      const refusal = feed.refusal(client);
      if (refusal !== undefined) throw new HttpProblem(503, refusal, { headers: { 'retry-after': '10' } });
      const scope = scopeOf(request);
      const last = lastId(request.headers['last-event-id']);
      const asked = last === undefined ? undefined : feed.seqOf(scope, last);
      const seq = feed.durable;
      const resumable =
        last === undefined || (asked !== undefined && asked <= seq && engine.recent(asked) !== undefined);
      reply.hijack();
      const response = reply.raw;
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        'x-request-id': request.id,
      });
      if (!resumable) {
        const data = scope === undefined ? `{"seq":${seq}}` : '{}';
        response.write(`id: ${feed.idFor(scope, seq)}\nevent: resync\ndata: ${data}\n\n`);
      }
      const isAllowed = (): boolean => request.server.isStillAllowed(request);
      feed.add(response, resumable ? (asked ?? seq) : seq, { client, scope, isAllowed });
    },
  );
}

function lastId(header: string | readonly string[] | undefined): string | undefined {
  if (header === undefined || header === '') return undefined;
  if (typeof header === 'string') return header;
  throw invalidField('Last-Event-ID', 'is not an event id of this feed');
}
