/**
 * The last good copy of what a source has answered, with a checksum, so that a start does not need the source. The
 * previous copy is kept, too: it takes the place of one that the disk has damaged. A candidate is a copy that waits for
 * an operator.
 */
import { join } from 'node:path';
import { z } from 'zod';
import { errorText } from '../net/text.ts';
import { createAtomically, errorCode, type Files, readWhole, removeIfThere } from '../store/files.ts';
import {
  type ContentSize,
  contentSchema,
  digestOf,
  type InventoryContent,
  type SourceNote,
} from './inventory-content.ts';
import { MOST_CONTENT_BYTES } from './source-settings.ts';

/** The files in the storage folder. */
export const COPY_FILES = {
  current: 'inventory-copy.json',
  previous: 'inventory-copy.previous.json',
  candidate: 'inventory-candidate.json',
} as const;

const headSchema = z.object({
  version: z.literal(1),
  /** The source's origin. */
  from: z.string(),
  /** When its content was read (ms since the epoch). */
  read_at: z.number(),
  api_version: z.string().optional(),
  digest: z.string(),
  size: z.object({ customers: z.int(), prefixes: z.int(), assets: z.int(), safelist: z.int() }),
  notes: z.array(z.object({ text: z.string(), count: z.int(), example: z.string() })),
});

/** What is known of a copy besides its content. */
export interface CopyHead {
  readonly from: string;
  /** Milliseconds since the epoch. */
  readonly readAt: number;
  readonly apiVersion: string | undefined;
  readonly digest: string;
  readonly size: ContentSize;
  readonly notes: readonly SourceNote[];
}

export interface InventoryCopy {
  readonly head: CopyHead;
  readonly content: InventoryContent;
}

/** A copy, or why there is none: `problem` is absent if none was ever written. */
export type CopyFound =
  | { readonly copy: InventoryCopy; readonly problem?: string }
  | { readonly copy: undefined; readonly problem?: string };

/** Writes a candidate. Resolves when it is durable. */
export async function writeCandidate(
  files: Files,
  folder: string,
  head: CopyHead,
  text: string,
): Promise<void> {
  await createAtomically(files, folder, COPY_FILES.candidate, encoded(head, text));
}

/** Makes the candidate the current copy, and keeps the current one as the previous. */
export async function adoptCandidate(files: Files, folder: string): Promise<void> {
  const path = (name: keyof typeof COPY_FILES): string => join(folder, COPY_FILES[name]);
  await files.rename(path('current'), path('previous')).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
  });
  await files.rename(path('candidate'), path('current'));
  await files.syncFolder(folder);
}

/** Makes the candidate the current copy in place of a damaged or missing one; the previous copy stays. */
export async function restoreCopy(files: Files, folder: string): Promise<void> {
  await files.rename(join(folder, COPY_FILES.candidate), join(folder, COPY_FILES.current));
  await files.syncFolder(folder);
}

export async function dropCandidate(files: Files, folder: string): Promise<void> {
  await removeIfThere(files, join(folder, COPY_FILES.candidate));
}

/** Reads the current copy, or else the previous one. Never rejects. */
export async function readCopy(files: Files, folder: string): Promise<CopyFound> {
  const current = await readOne(files, folder, 'current');
  if ('head' in current) return { copy: current };
  const previous = await readOne(files, folder, 'previous');
  if ('head' in previous) {
    const why = current.problem ?? `${COPY_FILES.current} is missing`;
    return { copy: previous, problem: `${why}; the copy before it is used` };
  }
  const problem = current.problem ?? previous.problem;
  return { copy: undefined, ...(problem === undefined ? {} : { problem }) };
}

/** Reads the candidate; undefined if there is none, or none that can be read. */
export async function readCandidate(files: Files, folder: string): Promise<InventoryCopy | undefined> {
  const found = await readOne(files, folder, 'candidate');
  return 'head' in found ? found : undefined;
}

async function readOne(
  files: Files,
  folder: string,
  name: keyof typeof COPY_FILES,
): Promise<InventoryCopy | { readonly problem?: string }> {
  const path = join(folder, COPY_FILES[name]);
  try {
    const bytes = await readWhole(files, path, MOST_CONTENT_BYTES);
    return bytes === undefined ? {} : decoded(bytes);
  } catch (error) {
    return { problem: `${path} cannot be read: ${errorText(error)}` };
  }
}

function decoded(bytes: Uint8Array): InventoryCopy {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const lineEnd = text.indexOf('\n');
  if (lineEnd < 0) throw new Error('it is cut off');
  const head = headSchema.parse(JSON.parse(text.slice(0, lineEnd)));
  const body = text.slice(lineEnd + 1).trimEnd();
  if (digestOf(body) !== head.digest) throw new Error('its checksum is wrong');
  const { read_at: readAt, api_version: apiVersion, from, digest, size, notes } = head;
  return {
    head: { from, readAt, apiVersion, digest, size, notes },
    content: contentSchema.parse(JSON.parse(body)),
  };
}

async function* encoded(head: CopyHead, text: string): AsyncIterable<Uint8Array> {
  const { from, readAt, apiVersion, digest, size, notes } = head;
  const written: z.input<typeof headSchema> = {
    version: 1,
    from,
    read_at: readAt,
    ...(apiVersion === undefined ? {} : { api_version: apiVersion }),
    digest,
    size,
    notes: [...notes],
  };
  const encoder = new TextEncoder();
  yield encoder.encode(`${JSON.stringify(written)}\n`);
  yield encoder.encode(`${text}\n`);
}
