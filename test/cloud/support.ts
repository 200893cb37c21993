/** A scrubber, a disk and mitigations that the test decides about, and requests between them. */
import type { HttpRequest, PostAnswer, Poster } from '../../src/alert/post.ts';
import { Ledger } from '../../src/cloud/ledger.ts';
import type { RequestReport } from '../../src/cloud/protection.ts';
import type { RequestLimits } from '../../src/cloud/request-limits.ts';
import type { RequestSettings } from '../../src/cloud/request-template.ts';
import { ScrubberRequests } from '../../src/cloud/scrubber-requests.ts';
import type { MitigationAction } from '../../src/core/action.ts';
import type { Fact } from '../../src/core/facts.ts';
import { initialState } from '../../src/core/state/state.ts';
import type { Mitigation } from '../../src/core/types.ts';
import type { Files, OpenFile } from '../../src/store/files.ts';
import { FakeTime, idle } from '../control/fake-time.ts';
import { mitigation, OPERATOR } from '../control/support.ts';
import { systemError } from '../store/support.ts';

/** A folder in memory, whose disk works, is full, or hangs. */
export class MemoryFiles implements Files {
  readonly content = new Map<string, Uint8Array>();
  disk: 'works' | 'full' | 'hangs' = 'works';

  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  list(): Promise<string[]> {
    return Promise.resolve([...this.content.keys()]);
  }

  async open(path: string, how: string): Promise<OpenFile> {
    const { content } = this;
    if (how === 'read' && !content.has(path)) throw systemError('ENOENT');
    if (how !== 'read' && this.disk === 'full') throw systemError('ENOSPC');
    if (how !== 'read' && this.disk === 'hangs') await new Promise(() => undefined);
    if (!content.has(path)) content.set(path, new Uint8Array(0));
    const bytes = (): Uint8Array => content.get(path) ?? new Uint8Array(0);
    return {
      read: async (into, position) => {
        const part = bytes().subarray(position, position + into.length);
        into.set(part);
        return part.length;
      },
      write: async (more) => {
        content.set(path, Uint8Array.of(...bytes(), ...more));
        return more.length;
      },
      datasync: () => Promise.resolve(),
      truncate: () => Promise.resolve(),
      size: async () => bytes().length,
      close: () => Promise.resolve(),
    };
  }

  overwrite(): Promise<void> {
    return Promise.resolve();
  }

  async rename(from: string, to: string): Promise<void> {
    const bytes = this.content.get(from);
    if (bytes === undefined) throw systemError('ENOENT');
    this.content.delete(from);
    this.content.set(to, bytes);
  }

  async remove(path: string): Promise<void> {
    if (!this.content.delete(path)) throw systemError('ENOENT');
  }

  syncFolder(): Promise<void> {
    return Promise.resolve();
  }

  status(): Promise<{ octets: number; modifiedAt: number }> {
    return Promise.resolve({ octets: 0, modifiedAt: 0 });
  }
}

export const LEDGER_FILE = '/data/scrubber-requests.json';

export const SECRET = 'hunter2-hunter2';

/** Starts with POST and the prefix, stops with DELETE; `host` tells templates apart. */
export function settings(host = 'api.example', changes: Partial<RequestSettings> = {}): RequestSettings {
  const headers = { authorization: `Bearer ${SECRET}` };
  const url = `https://${host}/v1/protect`;
  return {
    timeoutMs: 10_000,
    stopDelayMs: 30_000,
    start: {
      method: 'POST',
      url: `${url}?token=t0ken`,
      headers,
      body: { prefix: '{prefix}', id: '{mitigation_id}' },
      accepted: [],
    },
    stop: { method: 'DELETE', url: `${url}/{mitigation_id}?p={prefix}`, headers, accepted: [404, 410] },
    secrets: [SECRET],
    ...changes,
  };
}

export const TO_CLOUD: MitigationAction = { type: 'divert', rateBps: null, scrubber: 'cloud' };

/** Returns the id of the test's nth mitigation. */
export function idOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

interface SentRequest {
  readonly request: HttpRequest;
  readonly at: number;
}

/** Answers a request. `signal` ends it. */
type Answerer = (request: HttpRequest, count: number, signal: AbortSignal) => Promise<Partial<PostAnswer>>;

/** One daemon after the other, with one disk and one scrubber. */
export class CloudBench {
  readonly time = new FakeTime();
  readonly files = new MemoryFiles();
  readonly state = initialState();
  readonly sent: SentRequest[] = [];
  readonly reports: RequestReport[] = [];
  readonly limits: Partial<RequestLimits> = {};
  settings: ReadonlyMap<string, RequestSettings> = new Map([['cloud', settings()]]);
  answer: Answerer = () => Promise.resolve({ status: 200 });
  requests: ScrubberRequests;

  constructor(changes: Partial<Pick<CloudBench, 'settings' | 'answer' | 'limits'>> = {}) {
    Object.assign(this, changes);
    this.requests = this.#make();
  }

  /** Starts the daemon. */
  async start(): Promise<void> {
    await this.requests.resume();
    await idle();
  }

  /** Kills the daemon and makes the next one; requests that are under way are not heard of again. */
  crash(): void {
    this.time.forget();
    this.requests = this.#make();
  }

  async record(...facts: readonly Fact[]): Promise<void> {
    const recorded = facts.map((fact, i) => ({ seq: this.state.seq + 1 + i, at: this.time.now, fact }));
    for (const one of recorded) this.state.apply(one);
    this.requests.record(recorded);
    await idle();
  }

  /** Begins the nth mitigation, of host n unless the changes say otherwise. */
  async begin(n: number, changes: Partial<Mitigation> = {}): Promise<void> {
    const victim = `203.0.113.${n}`;
    const match = { dstPrefix: `${victim}/32`, protocol: null, dstPorts: [], srcPorts: [] };
    const begun = mitigation({ id: idOf(n), victim, match, action: TO_CLOUD, ...changes });
    await this.record({ type: 'mitigation.created', mitigation: begun });
  }

  /** Ends the nth mitigation: it is ending, and then withdrawn from the routers. */
  async end(n: number): Promise<void> {
    const id = idOf(n);
    const ending = { to: 'withdrawn', at: this.time.now, actor: OPERATOR, reason: 'over' } as const;
    await this.record({ type: 'mitigation.ending', id, ending }, { type: 'mitigation.withdrawn', id });
  }

  /** The requests as texts: `POST 203.0.113.1/32`. */
  get lines(): readonly string[] {
    return this.sent.map(({ request }) => requestLine(request));
  }

  /** The states as texts: `203.0.113.1/32 confirmed`. */
  get states(): readonly string[] {
    return this.requests.statuses().map(({ prefix, state }) => `${prefix} ${state}`);
  }

  #make(): ScrubberRequests {
    const poster: Poster = {
      post: async (request, signal) => {
        this.sent.push({ request, at: this.time.now });
        const answer = await this.answer(request, this.sent.length, signal);
        return { status: 200, retryAfterMs: undefined, text: '', ...answer };
      },
      close: () => Promise.resolve(),
    };
    return new ScrubberRequests({
      state: this.state,
      settings: this.settings,
      ledger: new Ledger('/data', this.files),
      poster,
      timers: this.time,
      clock: () => this.time.now,
      random: () => 0.5,
      onReport: (report) => this.reports.push(report),
      limits: this.limits,
    });
  }
}

/** Returns a request's method and prefix. */
export function requestLine({ method, url, body }: HttpRequest): string {
  const asked: { prefix?: string } = body === undefined ? {} : JSON.parse(body);
  return `${method} ${asked.prefix ?? new URL(url).searchParams.get('p')}`;
}

/** A promise that the test resolves. */
export function pending<Value>(): {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
} {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
