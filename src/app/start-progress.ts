/** Tracks the start's progress and reports it over the API. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { StartingServer } from '../http/dependencies.ts';
import { loadTls } from '../http/http-listener.ts';
import { listenWhileStarting, type StartProgress } from '../http/starting.ts';
import type { Assessment } from '../view/health.ts';
import type { LoadedConfig } from '../config/types.ts';
import { StartError } from './process.ts';
import { version } from './version.ts';

/** Progress of the start. */
export class Starting {
  readonly #startedAt: number;
  #progress: StartProgress = { phase: 'opening', factsRead: 0, factsAbout: undefined };

  /** `startedAt`: milliseconds since the epoch. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Records the number of facts read so far. */
  read(factsRead: number, factsAbout: number): void {
    this.#progress = { phase: 'reading', factsRead, factsAbout };
  }

  /** Records that all facts are read; their number is now exact. */
  readAll(): void {
    const { factsRead } = this.#progress;
    this.#progress = { phase: 'applying', factsRead, factsAbout: factsRead };
  }

  get progress(): StartProgress {
    return this.#progress;
  }

  assess(): Assessment {
    const text = progressText(this.#progress);
    return { status: 'starting', reasons: [{ code: 'starting', text, since: this.#startedAt }] };
  }
}

/** Describes the progress in one line. */
export function progressText({ phase, factsRead, factsAbout }: StartProgress): string {
  if (phase === 'opening' || factsAbout === undefined) return 'opening the journal';
  if (phase === 'applying') return 'journal read; applying the policy';
  // The total is an estimate: it must not be less than the number read.
  const about = Math.max(factsRead, factsAbout);
  const number = (value: number): string => value.toLocaleString('en-US');
  return `read ${number(factsRead)} of about ${number(about)} journal facts`;
}

/**
 * Listens at `http.listen` while the daemon starts. Rejects with a StartError if the address cannot be bound, and with
 * an Error if certificates cannot be read.
 */
export async function serveStart(
  config: LoadedConfig,
  starting: Starting,
  clock: () => number,
  logger: Logger,
): Promise<StartingServer> {
  const { auth, tls, listen } = config.http;
  const deps = {
    auth: () => auth,
    tls: tls === undefined ? undefined : await loadTls(tls),
    logger,
    clock,
    newId: randomUUID,
    version,
    startedAt: clock(),
    pop: config.policy.pop,
    mode: config.policy.mode,
    neighbors: config.bgp.speaker.neighbors.length,
    onRequest: () => undefined,
    progress: () => starting.progress,
    assess: () => starting.assess(),
  };
  return listenWhileStarting(deps, listen).catch((error: unknown) => {
    throw StartError.binding('http.listen', `${listen.host}:${listen.port}`, error);
  });
}
