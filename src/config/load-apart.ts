/**
 * Reads a folder of configuration in a thread of its own. The event loop is shared with the sessions' hold timers, and
 * reading a large inventory takes tens of seconds: this thread only takes what was read, in pieces, and builds the look-up
 * structures in slices. A thread can also be ended, whatever a file makes a parser do.
 */
import { totalmem } from 'node:os';
import { extname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { forecastFor } from '../control/neighbor-forecast.ts';
import { type BuiltInventory, inventorySteps } from '../core/policy/inventory.ts';
import type { InventoryData } from '../core/policy/inventory-data.ts';
import { secondsWords } from '../net/text.ts';
import { runInSlices, type Slices } from '../net/steps.ts';
import { errorText } from '../net/text.ts';
import { LIMITS } from './limits.ts';
import { Assembly } from './thread-messages.ts';
import type { Environment } from './secrets.ts';
import { MORE, type PlainConfig, type ReadingMessage, type ReadingOrder } from './thread-messages.ts';
import type { ConfigProblem, ConfigResult, LoadedConfig } from './types.ts';

/** How the look-up structures are built. */
const SLICES: Slices = {
  milliseconds: 5,
  stopwatch: () => performance.now(),
  pause: () => nextTurn(),
};

export interface ApartOptions {
  /** Until reading is given up (ms). */
  readonly milliseconds?: number;
  /** Memory of the thread (MiB). */
  readonly heapMib?: number;
  /** False: a process that has nothing else to do ends without waiting for the result. */
  readonly holdsProcess?: boolean;
}

/**
 * Loads a folder as `loadConfig` does, without holding the event loop. Never rejects: what takes too long or too much
 * memory is a problem, too. At most `LIMITS.problems` problems are listed.
 */
export function loadConfigApart(
  directory: string,
  environment: Environment | null,
  options: ApartOptions = {},
): Promise<ConfigResult> {
  const { milliseconds = LIMITS.milliseconds, heapMib = availableMib(), holdsProcess = true } = options;
  const order: ReadingOrder = { directory, environment: environment === null ? null : { ...environment } };
  const worker = startThread({
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
  });
  return new Promise((resolve) => {
    let file = directory;
    const finish = (result: ConfigResult): void => {
      clearTimeout(timer);
      worker.removeAllListeners();
      // What a thread that is being ended still has to say concerns nobody.
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
      giveUp(`reading it was given up after ${limit}`, 'make it smaller or write it in a simpler form');
    }, milliseconds);
    if (!holdsProcess) {
      timer.unref();
      worker.unref();
    }
    worker.on('error', (error: Error & { code?: unknown }) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
        giveUp(`reading it takes more than ${heapMib} MiB of memory`, 'make it smaller');
      } else giveUp(`it cannot be read: ${error.message}`, 'please report this');
    });
    worker.on('exit', (code) => giveUp(`reading it ended with code ${code}`, 'please report this'));
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
          // Asked for one at a time: messages that wait are delivered without a turn for others.
          setImmediate(() => worker.postMessage(MORE));
          return;
        case 'end': {
          if (loaded === null) return;
          const { config, warnings } = loaded;
          // Checked by the reading thread.
          const data = assembly.whole as InventoryData;
          worker.removeAllListeners('exit');
          runInSlices(inventorySteps(data), SLICES).then(
            (built) => finish({ ok: true, config: whole(config, built), warnings }),
            (error: unknown) => giveUp(`it cannot be used: ${errorText(error)}`, ''),
          );
        }
      }
    });
  });
}

/** Threads do not inherit the loader that translates the sources in a checkout (tsx); the package has JavaScript. */
function startThread(options: WorkerOptions): Worker {
  const extension = extname(import.meta.url);
  const file = new URL(`./load-thread${extension}`, import.meta.url);
  if (extension !== '.ts') return new Worker(file, options);
  const [loader, thread] = [import.meta.resolve('tsx/esm/api'), file.href].map((url) => JSON.stringify(url));
  const script = `import(${loader}).then(({ register }) => { register(); return import(${thread}); })`;
  return new Worker(script, { ...options, eval: true });
}

function whole(config: PlainConfig, { inventory }: BuiltInventory): LoadedConfig {
  const { policy } = config;
  return {
    ...config,
    policy: {
      ...policy,
      inventory,
      forecast: forecastFor(config.bgp.control, policy.guardrails.protectedPorts),
    },
    shown: { ...config.shown, inventory: { ...inventory.data } },
  };
}

/** Half of what the process may use, so that a file cannot bring it to its end. */
function availableMib(): number {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.max(64, Math.min(LIMITS.heapMib, Math.floor(bytes / 2 / 1024 / 1024)));
}
