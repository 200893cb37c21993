/**
 * Reads a source in a thread of its own: hundreds of thousands of objects are parsed and mapped there, and the main
 * thread, which serves sessions and events, receives only the content of an inventory that is to be adopted, in pieces.
 */
import { Assembly } from '../net/pieces.ts';
import { secondsWords } from '../net/text.ts';
import type { ContentChange } from './compare-content.ts';
import type { CopyHead } from './copy-file.ts';
import type { SourceFailure } from './get-json.ts';
import type { InventoryContent } from './inventory-content.ts';
import { NEXT_PIECE, type SourceMessage, type SourceOrder } from './source-messages.ts';
import { availableMib, startThread } from './worker.ts';

/** Memory for one read (MiB). */
const HEAP_MIB = 4096;

/** Time that the thread has for mapping and comparing, besides that of the read (ms). */
const AFTER_READING_MS = 120_000;

export type SourceOutcome =
  | { readonly type: 'failed'; readonly failure: SourceFailure }
  /** Nothing is new: the content is in use, or waits for an operator. */
  | Extract<SourceMessage, { readonly type: 'same' }>
  | {
      readonly type: 'new';
      readonly head: CopyHead;
      readonly change: ContentChange | undefined;
      /** Receives the content. Rejects if the thread dies. */
      readonly content: () => Promise<InventoryContent>;
      /** Ends the thread. The candidate stays on disk. */
      readonly close: () => void;
    };

export type ReadSource = (
  order: SourceOrder,
  signal: AbortSignal,
  onProgress: (list: string, objects: number) => void,
) => Promise<SourceOutcome>;

/** Reads a source as ordered. Never rejects; ends when `signal` is aborted. */
export const readApart: ReadSource = (order, signal, onProgress) => {
  const heapMib = availableMib(HEAP_MIB);
  const worker = startThread(import.meta.url, 'source-thread', {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: heapMib },
  });
  // A daemon that stops does not wait for it.
  worker.unref();
  return new Promise((resolve) => {
    let fail = (failure: SourceFailure): void => finish({ type: 'failed', failure });
    const close = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      worker.removeAllListeners();
      // Errors of a thread that is being terminated no longer matter.
      worker.on('error', () => undefined);
      void worker.terminate();
    };
    const finish = (outcome: SourceOutcome): void => {
      close();
      resolve(outcome);
    };
    const onAbort = (): void => fail({ code: 'stopped', text: 'the read was stopped' });
    signal.addEventListener('abort', onAbort, { once: true });
    const limitMs = order.limits.totalMs + AFTER_READING_MS;
    const timer = setTimeout(() => {
      const text = `the read was stopped after ${secondsWords(Math.round(limitMs / 1000))}`;
      fail({ code: 'timeout', text });
    }, limitMs);
    timer.unref();
    worker.on('error', (error: Error & { code?: unknown }) => {
      const isMemory = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
      const text = isMemory
        ? `reading needs more than ${heapMib} MiB of memory; narrow it with inventory.filter`
        : `reading failed: ${error.message}; please report this`;
      fail({ code: isMemory ? 'too_large' : 'invalid', text });
    });
    worker.on('exit', (code) => {
      fail({ code: 'invalid', text: `the reading thread exited with code ${code}; please report this` });
    });
    const assembly = new Assembly();
    let received = (_content: InventoryContent): void => undefined;
    worker.on('message', (message: SourceMessage) => {
      switch (message.type) {
        case 'progress':
          onProgress(message.list, message.objects);
          return;
        case 'failed':
          fail(message.failure);
          return;
        case 'same':
          finish(message);
          return;
        case 'new': {
          const content = (): Promise<InventoryContent> =>
            new Promise((deliver, reject) => {
              received = deliver;
              fail = ({ text }) => {
                close();
                reject(new Error(text));
              };
              worker.postMessage(NEXT_PIECE);
            });
          resolve({ ...message, content, close });
          return;
        }
        case 'piece':
          assembly.take(message.piece);
          // One piece at a time: queued messages are delivered without a turn of the event loop in between.
          setImmediate(() => worker.postMessage(NEXT_PIECE));
          return;
        case 'end':
          close();
          // The thread has checked it.
          received(assembly.whole as InventoryContent);
      }
    });
  });
};
