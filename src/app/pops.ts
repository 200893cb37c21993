/** Makes the exchange with other POPs, if one is configured. */
import { randomUUID } from 'node:crypto';
import type { LoadedConfig } from '../config/types.ts';
import type { Announcer } from '../control/announcer.ts';
import type { Engine } from '../control/engine.ts';
import type { Log } from '../control/types.ts';
import { Exchange } from '../exchange/exchange.ts';
import { realTimers } from './clock.ts';
import type { Metrics } from './observe/metrics.ts';
import { version } from './version.ts';

export interface PopsOptions {
  readonly config: LoadedConfig;
  readonly engine: Engine;
  readonly announcer: Announcer;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly log: Log;
  /** The digest of the active policy. */
  readonly policyHash: () => string;
  readonly metrics: () => Pick<Metrics, 'onImported' | 'onPublished'>;
}

/** Returns the exchange, which does not connect yet; undefined if this POP is on its own. */
export function makeExchange(options: PopsOptions): Exchange | undefined {
  const { config, engine, announcer, clock, log, policyHash, metrics } = options;
  if (config.exchange === undefined) return undefined;
  return new Exchange({
    engine,
    url: config.exchange.url,
    version,
    instance: randomUUID(),
    clock,
    timers: realTimers,
    log,
    sessions: () => {
      const peers = announcer.peers();
      return { up: peers.filter(({ state }) => state === 'established').length, total: peers.length };
    },
    policyHash,
    onImported: (ageMs) => metrics().onImported(ageMs),
    onPublished: (count) => metrics().onPublished(count),
  });
}
