/** Starts threads for work that would hold the event loop: reading a configuration, or another system's inventory. */
import { totalmem } from 'node:os';
import { extname } from 'node:path';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts the thread of a module beside `importer` (an `import.meta.url`), named without extension. In a checkout it
 * registers tsx, because threads do not inherit the loader of TypeScript files.
 */
export function startThread(importer: string, name: string, options: WorkerOptions): Worker {
  const extension = extname(new URL(importer).pathname);
  const file = new URL(`./${name}${extension}`, importer);
  if (extension !== '.ts') return new Worker(file, options);
  const [loader, thread] = [import.meta.resolve('tsx/esm/api'), file.href].map((url) => JSON.stringify(url));
  const script = `import(${loader}).then(({ register }) => { register(); return import(${thread}); })`;
  return new Worker(script, { ...options, eval: true });
}

/** Returns half of the process's memory, at most `mostMib` (MiB), so that no input can exhaust all of it. */
export function availableMib(mostMib: number): number {
  const constrained = process.constrainedMemory();
  const bytes = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.max(64, Math.min(mostMib, Math.floor(bytes / 2 / 1024 / 1024)));
}
