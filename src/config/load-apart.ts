/**
 * Reads a configuration folder in a thread of its own. Reading a large inventory takes tens of seconds, and the main
 * thread also serves the sessions' hold timers: it only receives the result in pieces and builds the look-up structures
 * in slices. A thread can also be terminated if a file keeps the parser busy.
 */
import { forecastFor } from '../control/neighbor-forecast.ts';
import { type BuiltInventory, inventorySteps } from '../core/policy/inventory.ts';
import type { InventoryData } from '../core/policy/inventory-schema.ts';
import { availableMib, startThread } from '../inventory/worker.ts';
import { Assembly } from '../net/pieces.ts';
import { secondsWords } from '../net/text.ts';
import { runInSlices } from '../net/steps.ts';
import { errorText } from '../net/text.ts';
import { LIMITS } from './file-limits.ts';
import type { Environment } from './secrets.ts';
import { BUILD_SLICES } from './system-inventory.ts';
import { MORE, type PlainConfig, type ReadingMessage, type ReadingOrder } from './thread-messages.ts';
import type { ConfigProblem, ConfigResult, LoadedConfig } from './types.ts';

export interface ApartOptions {
  /** Time limit for reading (ms). */
  readonly milliseconds?: number;
  /** The thread's memory limit (MiB). */
  readonly heapMib?: number;
  /** False: a process that has nothing else to do exits without waiting for the result. */
  readonly holdsProcess?: boolean;
  /** Folder of the copy of another system's answer. Default: the storage folder. */
  readonly copyFolder?: string;
}

/**
 * Loads a folder as `loadConfig` does, without blocking the event loop. Never rejects: exceeding the time or memory
 * limit is reported as a problem. Lists at most `LIMITS.problems` problems.
 */
export function loadConfigApart(
  directory: string,
  environment: Environment | null,
  options: ApartOptions = {},
): Promise<ConfigResult> {
  const {
    milliseconds = LIMITS.milliseconds,
    heapMib = availableMib(LIMITS.heapMib),
    holdsProcess = true,
  } = options;
  const order: ReadingOrder = {
    directory,
    environment: environment === null ? null : { ...environment },
    ...(options.copyFolder === undefined ? {} : { copyFolder: options.copyFolder }),
  };
  const worker = startThread(import.meta.url, 'load-thread', {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
  });
  return new Promise((resolve) => {
    let file = directory;
    const finish = (result: ConfigResult): void => {
      clearTimeout(timer);
      worker.removeAllListeners();
      // Errors of a thread that is being terminated no longer matter.
      worker.on('error', () => undefined);
      void worker.terminate();
      resolve(result);
    };
    const giveUp = (message: string, fix: string): void => {
      const problem: ConfigProblem = { file, line: null, column: null, path: '', message, fix };
      finish({ ok: false, problems: [problem], warnings: [] });
    };
    const timer = setTimeout(() => {
      const limit = secondsWords(Math.max(1, Math.round(milliseconds / 1000)));
      giveUp(`reading was stopped after ${limit}`, 'make the file smaller or simpler');
    }, milliseconds);
    if (!holdsProcess) {
      timer.unref();
      worker.unref();
    }
    worker.on('error', (error: Error & { code?: unknown }) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
        giveUp(`reading needs more than ${heapMib} MiB of memory`, 'make the file smaller');
      } else giveUp(`reading failed: ${error.message}`, 'please report this');
    });
    worker.on('exit', (code) => giveUp(`the reading thread exited with code ${code}`, 'please report this'));
    const assembly = new Assembly();
    let loaded: { readonly config: PlainConfig; readonly warnings: readonly ConfigProblem[] } | null = null;
    worker.on('message', (message: ReadingMessage) => {
      switch (message.type) {
        case 'reading':
          file = message.file;
          return;
        case 'answer':
          if (message.config === null) {
            finish({ ok: false, problems: message.problems, warnings: message.warnings });
            return;
          }
          loaded = { config: message.config, warnings: message.warnings };
          worker.postMessage(MORE);
          return;
        case 'piece':
          assembly.take(message.piece);
          // Request one piece at a time: queued messages are delivered without a turn of the event loop in between.
          setImmediate(() => worker.postMessage(MORE));
          return;
        case 'end': {
          if (loaded === null) return;
          const { config, warnings } = loaded;
          // The reading thread has checked it.
          const data = assembly.whole as InventoryData;
          worker.removeAllListeners('exit');
          runInSlices(inventorySteps(data), BUILD_SLICES).then(
            (built) => finish({ ok: true, config: whole(config, built), warnings }),
            (error: unknown) => giveUp(`the inventory cannot be used: ${errorText(error)}`, ''),
          );
        }
      }
    });
  });
}

function whole(config: PlainConfig, { inventory }: BuiltInventory): LoadedConfig {
  const { policy } = config;
  const { writtenCustomers, ...sources } = config.inventorySources;
  const { customers } = inventory.data;
  return {
    ...config,
    inventorySources: { ...sources, written: { customers: customers.slice(0, writtenCustomers) } },
    policy: {
      ...policy,
      inventory,
      forecast: forecastFor(
        config.bgp.control,
        policy.guardrails.protectedPorts,
        policy.targets,
        policy.playbooks,
      ),
    },
    shown: { ...config.shown, inventory: { ...inventory.data } },
  };
}
