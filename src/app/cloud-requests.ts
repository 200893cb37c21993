/** Connects the requests to cloud scrubbers with the log, the metrics and the alerts. */
import type { Logger } from 'pino';
import { makePoster } from '../alert/post.ts';
import { Ledger } from '../cloud/ledger.ts';
import type { RequestReport } from '../cloud/protection.ts';
import { ScrubberRequests } from '../cloud/scrubber-requests.ts';
import type { LoadedConfig } from '../config/types.ts';
import type { StateView } from '../core/state/state.ts';
import { realFiles } from '../store/files.ts';
import type { AlertRelay } from './alerts.ts';
import { realTimers } from './clock.ts';
import type { Metrics } from './observe/metrics.ts';

/** Time to connect to a scrubber (ms). */
const CONNECT_MS = 10_000;

interface RequestFollowers {
  readonly state: StateView;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'onScrubberRequest'>;
  readonly alerts: Pick<AlertRelay, 'scrubberRequest'>;
}

/** Makes the requests of this configuration; nothing is sent before `resume`. */
export function makeScrubberRequests(config: LoadedConfig, followers: RequestFollowers): ScrubberRequests {
  const { state, clock, logger, metrics, alerts } = followers;
  return new ScrubberRequests({
    state,
    settings: config.scrubberRequests,
    ledger: new Ledger(config.storage.path, realFiles),
    // The operator's own file names the address, and https proves it; scrubbers may be in a private network.
    poster: makePoster({ allowPrivateAddresses: true, connectTimeoutMs: CONNECT_MS, connections: null }),
    timers: realTimers,
    clock,
    random: Math.random,
    onReport: (report) => {
      const { result, request, status, trouble } = report;
      if (result !== undefined) metrics.onScrubberRequest(status.scrubber, request, result);
      logReport(logger, report);
      if (trouble !== undefined || result === 'given_up') alerts.scrubberRequest(report, clock());
    },
  });
}

/** Begins to send requests, unless no traffic is sent anywhere (mode mock), and logs a damaged ledger. */
export async function resumeRequests(
  requests: ScrubberRequests,
  { bgp, storage }: LoadedConfig,
  logger: Logger,
): Promise<void> {
  if (bgp.mode === 'mock') return;
  await requests.resume();
  const { reading } = requests.ledgerTrouble;
  if (reading === undefined) return;
  logger.error(
    { folder: storage.path, detail: reading },
    'scrubber-requests.json cannot be read and was set aside: what cloud scrubbers protected for mitigations that are over is not known; stop it there by hand',
  );
}

function logReport(logger: Logger, { result, request, status, trouble }: RequestReport): void {
  const { scrubber, prefix, mitigationId, attempts, lastError } = status;
  const fields = {
    scrubber,
    prefix,
    mitigation_id: mitigationId,
    request,
    ...(attempts === 0 ? {} : { attempts }),
    ...(lastError === undefined ? {} : { detail: lastError }),
  };
  switch (result) {
    case 'accepted':
      logger.info(fields, `a scrubber has accepted the ${request} of a protection`);
      break;
    case 'cancelled':
      logger.info(fields, 'a protection is over before it was requested');
      break;
    case 'given_up':
      logger.error(fields, 'a scrubber may still protect a prefix: it has not accepted the stop for a day');
      break;
    case 'error':
    case 'refused':
      logger[trouble === 'begins' ? 'error' : 'warn'](
        fields,
        `a scrubber has not accepted the ${request} of a protection; trying again`,
      );
      break;
  }
}
