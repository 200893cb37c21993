/**
 * Requests from an operator at one POP to others, and their answers. The asking POP writes a request, each other POP does
 * it once and acknowledges it. A POP that is cut off does it when it returns, unless it has expired.
 */
import type { EngineView, TimerHost } from '../control/types.ts';
import type { Answer, Command } from '../core/commands.ts';
import type { Actor, IntentVersion } from '../core/types.ts';
import { countWords } from '../net/text.ts';
import { decodeRequest } from './intent-codec.ts';
import type { RequestRows, WaitingRequest } from './request-rows.ts';
import type { Confirmation, OpenRequest, PopRequest, PopTargets } from './types.ts';

/** Time for which a request waits for answers before it is reported (ms). */
const WAIT_MS = 1_000;
/** A request other than a safelist entry is void after this time (ms): a POP that returns later must not do it. */
export const REQUEST_TTL_MS = 3_600_000;
/** Most requests that are remembered, and most that wait for the database. */
const MOST_REQUESTS = 200;

export interface PopRequestsOptions {
  readonly engine: Pick<EngineView, 'state' | 'policy' | 'submit'>;
  readonly clock: () => number;
  readonly timers: Pick<TimerHost, 'after'>;
  /** Names of the other POPs that are known or accepted. */
  readonly known: () => readonly string[];
  /** Called when there is something to send. */
  readonly onWaiting: () => void;
}

/** A request of this POP. */
interface OwnRequest {
  readonly id: IntentVersion;
  readonly request: PopRequest;
  readonly targets: PopTargets;
  readonly madeAt: number;
  readonly acks: Map<string, Confirmation>;
  isSent: boolean;
  /** Other POPs that the database had when it was sent. */
  sentTo: readonly string[];
  /** Called when an answer arrives. */
  readonly listeners: Set<() => void>;
}

export class PopRequests {
  readonly #options: PopRequestsOptions;
  readonly #own = new Map<string, OwnRequest>();
  /** Numbers of this process's requests: its start, and a count. */
  readonly #epoch: number;
  #n = 0;

  constructor(options: PopRequestsOptions) {
    this.#options = options;
    this.#epoch = options.clock();
  }

  /** Returns the identity of a new request. */
  next(): IntentVersion {
    return { pop: this.#options.engine.policy.pop, epoch: this.#epoch, n: ++this.#n };
  }

  /** Asks others; resolves when all have answered, or after a second with those that have not. */
  async ask(
    id: IntentVersion,
    request: PopRequest,
    targets: PopTargets,
    problem: () => string | undefined,
  ): Promise<readonly Confirmation[]> {
    const { clock, timers, onWaiting } = this.#options;
    const own: OwnRequest = {
      id,
      request,
      targets,
      madeAt: clock(),
      acks: new Map(),
      isSent: false,
      sentTo: [],
      listeners: new Set(),
    };
    this.#forgetOld();
    this.#own.set(keyOf(id), own);
    onWaiting();
    await new Promise<void>((resolve) => {
      const done = (): void => {
        cancel();
        own.listeners.delete(look);
        resolve();
      };
      const look = (): void => {
        if (this.#isAnswered(own)) done();
      };
      const cancel = timers.after(WAIT_MS, done);
      own.listeners.add(look);
      look();
    });
    return this.#confirmations(own, problem());
  }

  /** Requests that are not confirmed by all, newest first. */
  open(): readonly OpenRequest[] {
    const now = this.#options.clock();
    this.#forgetOld();
    return [...this.#own.values()].reverse().flatMap((own) => {
      const confirmations = this.#confirmations(own, undefined);
      if (confirmations.every(({ state }) => state === 'done')) return [];
      return [{ id: own.id, request: own.request, ageMs: now - own.madeAt, confirmations }];
    });
  }

  /** Takes over requests of earlier runs that are still in the database. */
  async resume(rows: RequestRows): Promise<void> {
    const now = this.#options.clock();
    for (const { id, body, targets, ageMs } of await rows.ownRequests(MOST_REQUESTS)) {
      const decoded = decodeRequest(body);
      if (!decoded.ok || this.#own.has(keyOf(id))) continue;
      this.#own.set(keyOf(id), {
        id,
        request: decoded.value,
        targets,
        madeAt: now - ageMs,
        acks: new Map(),
        isSent: true,
        sentTo: [],
        listeners: new Set(),
      });
    }
  }

  /** Writes requests that wait, and reads answers. Rejects with PostgresError. */
  async exchange(rows: RequestRows): Promise<void> {
    for (const own of this.#own.values()) {
      if (own.isSent) continue;
      const left = this.#lifetime(own);
      if (left !== undefined && left <= 0) continue;
      own.sentTo = await rows.write(own.id, own.targets, own.request, left);
      own.isSent = true;
      for (const look of [...own.listeners]) look();
    }
    const open = [...this.#own.values()].filter((own) => own.isSent && !this.#isAnswered(own));
    if (open.length === 0) return;
    for (const { id, by, state, detail } of await rows.readAcks(open.map(({ id }) => id))) {
      const own = this.#own.get(keyOf(id));
      if (own === undefined || own.acks.has(by)) continue;
      own.acks.set(by, { pop: by, state, detail });
      for (const look of [...own.listeners]) look();
    }
  }

  /** Does what other POPs ask, in order, and acknowledges it. What cannot be recorded is tried again next time. */
  async serve(rows: RequestRows): Promise<void> {
    for (const waiting of await rows.waiting()) {
      const outcome = await this.#do(waiting);
      if (outcome === undefined) return;
      await rows.acknowledge(waiting.id, outcome.state, outcome.detail);
    }
  }

  /** Does one request; undefined if the journal cannot be written. */
  async #do({
    id,
    body,
  }: WaitingRequest): Promise<{ state: 'done' | 'refused'; detail: string } | undefined> {
    const { engine } = this.#options;
    const { pop: own, exchange } = engine.policy;
    if (exchange?.accept.includes(id.pop) !== true) {
      return {
        state: 'refused',
        detail: `POP ${own} accepts nothing from POP ${id.pop} (exchange.accept)`,
      };
    }
    const decoded = decodeRequest(body);
    if (!decoded.ok) {
      return { state: 'refused', detail: `POP ${own} cannot read the request: ${decoded.error}` };
    }
    try {
      return outcomeOf(decoded.value, await engine.submit(commandOf(id, decoded.value)));
    } catch {
      return undefined;
    }
  }

  #expected({ targets, sentTo }: OwnRequest): readonly string[] {
    return targets === 'all' ? [...new Set([...this.#options.known(), ...sentTo])] : targets;
  }

  #isAnswered(own: OwnRequest): boolean {
    return own.isSent && this.#expected(own).every((pop) => own.acks.has(pop));
  }

  #confirmations(own: OwnRequest, problem: string | undefined): readonly Confirmation[] {
    const names = new Set([...this.#expected(own), ...own.acks.keys()]);
    return [...names].sort().map((pop): Confirmation => {
      const known = own.acks.get(pop);
      if (known !== undefined) return known;
      const left = this.#lifetime(own);
      const until =
        left === undefined
          ? 'it does this when it returns'
          : left > 0
            ? `it does this if it returns within ${countWords(Math.ceil(left / 60_000), 'minute')}`
            : 'it has expired';
      const cause = own.isSent ? 'it has not answered yet' : (problem ?? 'the request is not sent yet');
      const lost = own.isSent ? '' : ', unless prefixd stops here before the database returns';
      return { pop, state: 'unconfirmed', detail: `${cause}; ${until}${lost}` };
    });
  }

  /** Time until a request expires (ms); undefined: never. */
  #lifetime({ request, madeAt }: OwnRequest): number | undefined {
    if (request.type === 'safelist-add' || request.type === 'safelist-remove') return undefined;
    return madeAt + REQUEST_TTL_MS - this.#options.clock();
  }

  #forgetOld(): void {
    const now = this.#options.clock();
    for (const [key, own] of this.#own) {
      const isDone = own.isSent && this.#expected(own).every((pop) => own.acks.get(pop)?.state === 'done');
      const left = this.#lifetime(own);
      const isOver = (left !== undefined && left <= 0) || (isDone && now - own.madeAt > WAIT_MS);
      if (isOver || this.#own.size > MOST_REQUESTS) this.#own.delete(key);
    }
  }
}

function keyOf({ pop, epoch, n }: IntentVersion): string {
  return `${pop} ${epoch} ${n}`;
}

/** Returns the command that does another POP's request. */
function commandOf(id: IntentVersion, request: PopRequest): Command {
  const actor: Actor = { kind: 'operator', name: request.operator, via: `POP ${id.pop}` };
  switch (request.type) {
    case 'withdraw':
      return { type: 'withdraw', id: request.id, actor, reason: request.reason };
    case 'safelist-add':
      return {
        type: 'safelist-add',
        prefix: request.prefix,
        actor,
        reason: request.reason,
        ask: !request.confirmed,
        tag: id,
      };
    case 'safelist-remove':
      return { type: 'safelist-remove', prefix: request.prefix, actor, tags: request.tags };
    default:
      return { type: request.type, actor, reason: request.reason };
  }
}

/** Returns what an answer means for the asking POP. What is not there any more needs no withdrawal. */
function outcomeOf({ type }: PopRequest, answer: Answer): { state: 'done' | 'refused'; detail: string } {
  switch (answer.type) {
    case 'not-found':
      return { state: 'done', detail: answer.detail };
    case 'conflict':
      return { state: type === 'withdraw' ? 'done' : 'refused', detail: answer.detail };
    case 'needs-confirmation':
      return { state: 'refused', detail: `${answer.detail}; to confirm it, repeat it with --yes` };
    case 'refused':
      return { state: 'refused', detail: answer.detail };
    case 'safelist':
      return { state: 'done', detail: withdrawnWords(answer.withdrawn.length) };
    case 'done':
      return { state: 'done', detail: type === 'withdraw-all' ? withdrawnWords(answer.affected.length) : '' };
    default:
      return { state: 'done', detail: '' };
  }
}

function withdrawnWords(count: number): string {
  return count === 0 ? '' : `${countWords(count, 'mitigation')} withdrawn`;
}
