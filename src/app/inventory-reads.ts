/** Connects the reads of another system's inventory with the reload, the log and the metrics. */
import type { Logger } from 'pino';
import type { LoadedConfig } from '../config/types.ts';
import type { EngineView } from '../control/types.ts';
import { SYSTEM } from '../core/decide/lifecycle.ts';
import { adoptCandidate, restoreCopy } from '../inventory/copy-file.ts';
import { type AdoptionOutcome, InventorySync, type SyncReport } from '../inventory/inventory-sync.ts';
import { readApart } from '../inventory/read-apart.ts';
import { countWords, errorText } from '../net/text.ts';
import { realFiles } from '../store/files.ts';
import { realTimers } from './clock.ts';
import type { Metrics } from './observe/metrics.ts';
import type { Reloader } from './reload.ts';

interface SyncNeighbors {
  readonly reloader: Reloader;
  readonly engine: EngineView;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'onInventoryRead'>;
}

/** Differences that are logged; the others are counted. */
const LOGGED_LINES = 20;

/** Makes the reads that the configuration asks for, and lets them follow reloads; nothing is read before `start`. */
export function makeInventorySync(config: LoadedConfig, neighbors: SyncNeighbors): InventorySync {
  const { reloader, engine, clock, logger, metrics } = neighbors;
  const folder = config.storage.path;
  const sync = new InventorySync({
    settings: config.inventorySources.system,
    folder,
    copy: config.inventorySources.copy,
    read: readApart,
    adopt: async (content, head, actor, confirmed): Promise<AdoptionOutcome> => {
      try {
        const keep = (): Promise<void> => adoptCandidate(realFiles, folder);
        const outcome = await reloader.replaceSystem(content, head, actor, { confirmed, keep });
        if (outcome.ok) {
          const warnings = outcome.warnings ?? [];
          if (warnings.length > 0)
            logger.error({ warnings }, 'the inventory is in use, but not everything worked');
          return { type: 'adopted' };
        }
        if ('effect' in outcome) {
          const { effect, wouldWithdraw: ends, active } = outcome;
          return { type: 'needs-confirmation', effect, ends, active };
        }
        return { type: 'failed', text: outcome.problems.join('; ') };
      } catch (error) {
        return { type: 'failed', text: errorText(error) };
      }
    },
    restore: () => restoreCopy(realFiles, folder),
    attacked: () => attackedCustomers(engine, reloader.config),
    actor: SYSTEM,
    after: realTimers.after,
    clock,
    random: Math.random,
    onReport: (report) => {
      metrics.onInventoryRead(report.type);
      logReport(logger, report);
    },
  });
  reloader.onAdopted(async ({ inventorySources: { system, copy } }) => sync.adoptSettings(system, copy));
  const { copyProblem } = config.inventorySources;
  if (copyProblem !== undefined)
    logger.error({ folder, detail: copyProblem }, 'a copy of the inventory is damaged');
  return sync;
}

/** Returns the customers with active mitigations that inventory.yaml does not have. */
function attackedCustomers(
  { state }: EngineView,
  { inventorySources: { written } }: LoadedConfig,
): ReadonlySet<string> {
  const attacked = new Set([...state.activeByCustomer(false).keys(), ...state.activeByCustomer(true).keys()]);
  for (const { customer_id: id } of written.customers) attacked.delete(id);
  return attacked;
}

function logReport(logger: Logger, report: SyncReport): void {
  switch (report.type) {
    case 'unchanged':
      logger.debug({}, 'the inventory was read; nothing has changed');
      break;
    case 'recovered':
      logger.info({}, 'the inventory can be read again');
      break;
    case 'adopted':
      logger.info(
        { ...report.head.size, digest: report.head.digest, differences: linesOf(report.change) },
        'a new inventory was read and is in use',
      );
      break;
    case 'waiting':
      logger.error(
        { reason: report.reason, differences: linesOf(report.change) },
        'a new inventory was read and is not used: look at prefixd inventory diff, then prefixd inventory accept',
      );
      break;
    case 'failed': {
      const fields = { code: report.failure.code, detail: report.failure.text };
      const text = 'the inventory cannot be read; the last copy stays in use';
      logger[report.isFirst ? 'error' : 'debug'](fields, text);
      break;
    }
  }
}

function linesOf(change: { readonly lines: readonly string[]; readonly count: number } | undefined) {
  if (change === undefined) return [];
  const shown = change.lines.slice(0, LOGGED_LINES);
  const more = change.count - shown.length;
  return more === 0 ? shown : [...shown, `and ${countWords(more, 'more difference')}`];
}
