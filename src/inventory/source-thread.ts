/** Runs in the thread that reads a source; see read-apart.ts. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { cut } from '../net/pieces.ts';
import { failed, ok, type Result } from '../net/result.ts';
import { errorText } from '../net/text.ts';
import { realFiles } from '../store/files.ts';
import { changeOf, contentProblem } from './compare-content.ts';
import {
  type CopyHead,
  dropCandidate,
  type InventoryCopy,
  readCandidate,
  readCopy,
  writeCandidate,
} from './copy-file.ts';
import { makeSourceClient, type SourceClient, type SourceFailure, stopFailure } from './get-json.ts';
import {
  contentSchema,
  digestOf,
  type InventoryContent,
  NoteBook,
  normalContent,
  sizeOf,
} from './inventory-content.ts';
import { ListReader } from './list-reader.ts';
import { apiRoot, readNetBox } from './netbox-reader.ts';
import type { SourceMessage, SourceOrder } from './source-messages.ts';
import { MOST_CONTENT_BYTES } from './source-settings.ts';

if (parentPort === null) throw new Error('this file is run as a thread');
const port = parentPort;
const say = (message: SourceMessage): void => port.postMessage(message);

const order = workerData as SourceOrder;
const { settings, folder, limits } = order;

await (order.task === 'read' ? readSource() : offerCandidate());

async function readSource(): Promise<void> {
  const signal = AbortSignal.timeout(limits.totalMs);
  const client = await openClient(signal);
  if (!client.ok) return say({ type: 'failed', failure: client.error });
  const notes = new NoteBook();
  const answer = await askSource(client.value, notes, signal);
  await client.value.close();
  if (!answer.ok) return say({ type: 'failed', failure: answer.error });
  const { content, apiVersion } = answer.value;
  const problem = contentProblem(content);
  if (problem !== undefined) {
    const text = `${new URL(settings.url).origin}: its content is no valid inventory: ${problem}`;
    return say({ type: 'failed', failure: { code: 'invalid', text } });
  }
  const text = JSON.stringify(content);
  const head: CopyHead = {
    from: new URL(settings.url).origin,
    readAt: Date.now(),
    apiVersion,
    digest: digestOf(text),
    size: sizeOf(content),
    notes: notes.all,
  };
  if (head.digest === order.waiting) return say({ type: 'same', as: 'waiting', head, restore: false });
  const isInUse = head.digest === order.inUse;
  const onDisk = isInUse ? await readCopy(realFiles, folder) : undefined;
  if (isInUse && onDisk?.copy?.head.digest === head.digest && onDisk.problem === undefined) {
    await dropCandidate(realFiles, folder).catch(() => undefined);
    return say({ type: 'same', as: 'in_use', head, restore: false });
  }
  try {
    await writeCandidate(realFiles, folder, head, text);
  } catch (error) {
    const words = `the inventory cannot be written to ${folder}: ${errorText(error)}`;
    return say({ type: 'failed', failure: { code: 'invalid', text: words } });
  }
  if (isInUse) return say({ type: 'same', as: 'in_use', head, restore: true });
  await offer({ head, content });
}

/** Offers a candidate that waits on disk. */
async function offerCandidate(): Promise<void> {
  const candidate = await readCandidate(realFiles, folder);
  if (candidate === undefined || candidate.head.digest !== order.waiting) {
    const text =
      'the inventory that waits cannot be read any more; read it again with prefixd inventory sync';
    return say({ type: 'failed', failure: { code: 'invalid', text } });
  }
  await offer(candidate);
}

async function offer({ head, content }: InventoryCopy): Promise<void> {
  const { copy } = await readCopy(realFiles, folder);
  const isBase = copy !== undefined && copy.head.digest === order.inUse;
  const pieces = cut(content);
  port.on('message', () => {
    const next = pieces.next();
    if (!next.done) return say({ type: 'piece', piece: next.value });
    say({ type: 'end' });
    port.close();
  });
  say({ type: 'new', head, change: isBase ? changeOf(copy.content, content) : undefined });
}

async function openClient(signal: AbortSignal): Promise<Result<SourceClient, SourceFailure>> {
  const { token, caPath, source } = settings;
  try {
    const ca = caPath === undefined ? undefined : await readFile(caPath, 'utf8');
    const isNetBox = source === 'netbox';
    const ofKind = { ...limits, ...(isNetBox ? {} : { pageBytes: MOST_CONTENT_BYTES }) };
    return ok(makeSourceClient({ token, ca, limits: ofKind, signal }, isNetBox));
  } catch (error) {
    return failed({ code: 'tls', text: `inventory.ca_path ${caPath}: ${errorText(error)}` });
  }
}

async function askSource(
  client: SourceClient,
  notes: NoteBook,
  signal: AbortSignal,
): Promise<Result<{ content: InventoryContent; apiVersion: string | undefined }, SourceFailure>> {
  if (settings.source === 'http') {
    const answer = await client.get(settings.url);
    if (!answer.ok) return answer;
    const parsed = contentSchema.safeParse(answer.value.data);
    if (parsed.success) return ok({ content: normalContent(parsed.data), apiVersion: undefined });
    const [issue] = parsed.error.issues;
    const text = `the answer is no inventory: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
    return failed({ code: 'invalid', text });
  }
  const lists = new ListReader({
    client,
    root: apiRoot(settings.url),
    limits,
    wait: async (milliseconds) => {
      await pause(milliseconds, undefined, { signal });
    },
    onPage: (list, objects) => say({ type: 'progress', list, objects }),
  });
  try {
    const content = await readNetBox(lists, settings, notes);
    return content.ok ? ok({ content: content.value, apiVersion: lists.apiVersion }) : content;
  } catch (error) {
    if (signal.aborted) return failed(stopFailure(signal.reason));
    throw error;
  }
}
