/** Runs in the thread that reads a configuration; see load-apart.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { cut } from '../net/pieces.ts';
import { LIMITS } from './file-limits.ts';
import { loadConfig } from './load.ts';
import type { PlainConfig, ReadingMessage, ReadingOrder } from './thread-messages.ts';
import type { ConfigProblem, ConfigResult, LoadedConfig } from './types.ts';

if (parentPort === null) throw new Error('this file is run as a thread');
const port = parentPort;
const say = (message: ReadingMessage): void => port.postMessage(message);

const { directory, environment, copyFolder } = workerData as ReadingOrder;
const onFile = (file: string): void => say({ type: 'reading', file });
answer(await loadConfig(directory, environment, onFile, copyFolder));

function answer(result: ConfigResult): void {
  const warnings = counted(result.warnings, 'warnings');
  if (!result.ok) {
    say({ type: 'answer', config: null, problems: counted(result.problems, 'problems'), warnings });
    return;
  }
  const pieces = cut(result.config.policy.inventory.data);
  port.on('message', () => {
    const next = pieces.next();
    if (!next.done) say({ type: 'piece', piece: next.value });
    else {
      say({ type: 'end' });
      port.close();
    }
  });
  say({ type: 'answer', config: plain(result.config), problems: [], warnings });
}

function plain({ policy, shown, inventorySources, ...config }: LoadedConfig): PlainConfig {
  const { written, ...sources } = inventorySources;
  const { inventory: _inventory, forecast: _forecast, ...plainPolicy } = policy;
  const { inventory: _data, ...plainShown } = shown;
  return {
    ...config,
    policy: plainPolicy,
    shown: plainShown,
    inventorySources: { ...sources, writtenCustomers: written.customers.length },
  };
}

/** Keeps the first `LIMITS.problems` findings and counts the rest. */
function counted(all: readonly ConfigProblem[], what: string): readonly ConfigProblem[] {
  const first = all.slice(0, LIMITS.problems);
  const last = first.at(-1);
  if (last === undefined || first.length === all.length) return all;
  const message = `${all.length - first.length} more ${what} are not listed`;
  const fix = 'fix the ones above and check again';
  return [...first, { file: last.file, line: null, column: null, path: '', message, fix }];
}
