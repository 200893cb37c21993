/**
 * Asks each scrubber's health probe, and reports to the engine when a scrubber has failed or recovered. What follows is
 * decided there, so this only counts answers; the state knows which scrubbers are down, also after a restart.
 */
import { request } from 'undici';
import type { EngineView, TimerHost } from '../control/types.ts';
import { SYSTEM } from '../core/decide/lifecycle.ts';
import type { HealthProbe } from '../core/policy/scrubbers.ts';
import { errorText } from '../net/text.ts';

/** Sends one probe; resolves to the failure in words, or to undefined if the scrubber is healthy. Never rejects. */
export type AskProbe = (probe: HealthProbe, signal: AbortSignal) => Promise<string | undefined>;

export interface ScrubberProbesOptions {
  readonly engine: EngineView;
  readonly timers: Pick<TimerHost, 'after'>;
  /** Default: an HTTP GET. */
  readonly ask?: AskProbe;
}

/** A scrubber that is probed; `stop` ends that, also a probe in progress. */
interface Probed {
  readonly key: string;
  stop(): void;
}

export class ScrubberProbes {
  readonly #options: Required<ScrubberProbesOptions>;
  readonly #probed = new Map<string, Probed>();
  readonly #unfollow: () => void;

  /** Starts with the engine's policy and follows its changes. */
  constructor(options: ScrubberProbesOptions) {
    this.#options = { ask: askByHttp, ...options };
    this.#unfollow = options.engine.follow((facts) => {
      if (facts.some(({ fact }) => fact.type === 'policy.loaded')) this.#adopt();
    });
    this.#adopt();
  }

  stop(): void {
    this.#unfollow();
    for (const { stop } of this.#probed.values()) stop();
    this.#probed.clear();
  }

  #adopt(): void {
    const scrubbers = this.#options.engine.policy.targets?.scrubbers ?? new Map<string, never>();
    for (const [name, { key, stop }] of this.#probed) {
      if (keyOf(scrubbers.get(name)?.probe) === key) continue;
      stop();
      this.#probed.delete(name);
    }
    for (const { name, probe } of scrubbers.values()) {
      if (probe === undefined || this.#probed.has(name)) continue;
      this.#probed.set(name, { key: keyOf(probe), stop: this.#probeRegularly(name, probe) });
    }
  }

  /** Probes at once and then regularly. Returns what ends that. */
  #probeRegularly(name: string, probe: HealthProbe): () => void {
    const { ask, timers } = this.#options;
    const ending = new AbortController();
    let counted: Counted = { failures: 0, successes: 0 };
    let cancel = (): void => undefined;
    const once = async (): Promise<void> => {
      const failure = await ask(probe, ending.signal);
      if (ending.signal.aborted) return;
      counted = counting(counted, failure);
      await this.#report(name, probe, counted, failure ?? '');
      if (!ending.signal.aborted) cancel = timers.after(probe.intervalSeconds * 1000, () => void once());
    };
    void once();
    return () => {
      ending.abort();
      cancel();
    };
  }

  async #report(name: string, probe: HealthProbe, counted: Counted, detail: string): Promise<void> {
    const { engine } = this.#options;
    const isDown = engine.state.downScrubbers.has(name);
    const healthy = isDown ? counted.successes >= probe.successes : counted.failures < probe.failures;
    if (healthy !== isDown) return;
    // A journal that cannot be written is reported elsewhere; the next probe reports again.
    await engine
      .submit({ type: 'scrubber-health', scrubber: name, healthy, detail, actor: SYSTEM })
      .catch(() => undefined);
  }
}

/** Equal answers in a row. */
interface Counted {
  readonly failures: number;
  readonly successes: number;
}

function counting({ failures, successes }: Counted, failure: string | undefined): Counted {
  return failure === undefined
    ? { failures: 0, successes: successes + 1 }
    : { failures: failures + 1, successes: 0 };
}

function keyOf(probe: HealthProbe | undefined): string {
  return probe === undefined ? '' : JSON.stringify(probe);
}

/** Sends a GET request, follows no redirect, and takes a status of 200 to 299 for healthy. */
export const askByHttp: AskProbe = async ({ url, timeoutSeconds }, signal) => {
  const timeout = AbortSignal.timeout(timeoutSeconds * 1000);
  try {
    // One connection each: what is tested is also that a new one can be made.
    const { statusCode, body } = await request(url, {
      signal: AbortSignal.any([signal, timeout]),
      reset: true,
    });
    body.on('error', () => undefined).destroy();
    return statusCode >= 200 && statusCode < 300 ? undefined : `it answers with status ${statusCode}`;
  } catch (error) {
    return timeout.aborted ? `no answer within ${timeoutSeconds} s` : errorText(error);
  }
};
