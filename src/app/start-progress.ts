/** How far the start is, in words, and who says so while it goes on. */
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { StartingServer } from '../http/dependencies.ts';
import { loadTls } from '../http/http-listener.ts';
import { listenWhileStarting, type StartProgress } from '../http/starting.ts';
import type { Assessment } from '../view/health.ts';
import type { LoadedConfig } from '../config/types.ts';
import { StartError } from './process.ts';
import { version } from './version.ts';

/** What is known of a start that goes on. */
export class Starting {
  readonly #startedAt: number;
  #progress: StartProgress = { phase: 'opening', factsRead: 0, factsAbout: null };

  /** `startedAt`: milliseconds since the epoch. */
  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  /** Takes note of how many facts are read. */
  read(factsRead: number, factsAbout: number): void {
    this.#progress = { phase: 'reading', factsRead, factsAbout };
  }

  /** All facts are read: their number is no estimate any more. */
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

/** For an operator; one line. */
export function progressText({ phase, factsRead, factsAbout }: StartProgress): string {
  if (phase === 'opening' || factsAbout === null) return 'the journal is being opened';
  if (phase === 'applying') return 'the journal is read, and the policy is being applied to it';
  // It is estimated, and no estimate is worth saying that more is read than there is.
  const about = Math.max(factsRead, factsAbout);
  const number = (value: number): string => value.toLocaleString('en-US');
  return `${number(factsRead)} of about ${number(about)} facts of the journal are read`;
}

/**
 * Listens at `http.listen` from the beginning of the start. Rejects with a StartError when it cannot be bound, and with an
 * Error when certificates cannot be read.
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
    tls: tls === null ? null : await loadTls(tls),
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
