/** Defines the file operations that the store needs, so that tests can make each of them fail. */
import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../net/text.ts';
import { PostgresError } from '../postgres/postgres-error.ts';
import { StoreError } from './store.ts';

/**
 * All modes except `read` append; `create` fails if the file exists. `durably`: a write resolves when its bytes are
 * durable.
 */
export type OpenMode = 'read' | 'create' | 'append-durably' | 'create-durably';

export interface OpenFile {
  /** Fills `into` as far as the file allows; returns the bytes read, 0 at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Appends; returns the bytes written, which may be fewer (disk full). */
  write(bytes: Uint8Array): Promise<number>;
  /** Resolves when content and length are durable. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface Files {
  /** Creates a folder and its parents, accessible to the owner only. */
  makeFolder(path: string): Promise<void>;
  /** Returns the names in a folder, unsorted. */
  list(folder: string): Promise<string[]>;
  /** Opens a file; new files are accessible to the owner only. */
  open(path: string, how: OpenMode): Promise<OpenFile>;
  /** Replaces bytes within a file; resolves when they are durable. */
  overwrite(path: string, position: number, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a file. */
  remove(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Returns a file's size (bytes) and the time of its last write (ms since the epoch). */
  status(path: string): Promise<{ readonly octets: number; readonly modifiedAt: number }>;
}

const FLAGS = {
  read: constants.O_RDONLY,
  create: constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL,
  'append-durably': constants.O_RDWR | constants.O_APPEND | constants.O_DSYNC,
  'create-durably':
    constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC,
} as const satisfies Readonly<Record<OpenMode, number>>;

class RealFile implements OpenFile {
  readonly #handle: fs.FileHandle;

  constructor(handle: fs.FileHandle) {
    this.#handle = handle;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return (await this.#handle.read(into, 0, into.length, position)).bytesRead;
  }

  async write(bytes: Uint8Array): Promise<number> {
    return (await this.#handle.write(bytes, 0, bytes.length, null)).bytesWritten;
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  truncate(length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Uses the real file system. */
export const realFiles: Files = {
  async makeFolder(path) {
    await fs.mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (folder) => fs.readdir(folder),
  open: async (path, how) => new RealFile(await fs.open(path, FLAGS[how], 0o600)),
  async overwrite(path, position, bytes) {
    const file = await fs.open(path, constants.O_WRONLY | constants.O_DSYNC);
    try {
      await file.write(bytes, 0, bytes.length, position);
    } finally {
      await file.close();
    }
  },
  rename: (from, to) => fs.rename(from, to),
  remove: (path) => fs.unlink(path),
  async syncFolder(path) {
    const folder = await fs.open(path, constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async status(path) {
    const { size, mtimeMs } = await fs.stat(path);
    return { octets: size, modifiedAt: mtimeMs };
  },
};

/** Writes all of `bytes`, in several calls if necessary. */
export async function writeAll(file: OpenFile, bytes: Uint8Array): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const count = await file.write(bytes.subarray(written));
    if (count <= 0) throw new Error('the file system wrote no bytes');
    written += count;
  }
}

/** Creates a file completely or not at all; it is durable when this resolves. */
export async function createAtomically(
  files: Files,
  folder: string,
  name: string,
  pieces: AsyncIterable<Uint8Array>,
): Promise<void> {
  const temporary = join(folder, `${name}${TEMPORARY}`);
  await removeIfThere(files, temporary);
  const file = await files.open(temporary, 'create');
  try {
    try {
      for await (const piece of pieces) await writeAll(file, piece);
      await file.datasync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, join(folder, name));
  } catch (error) {
    await removeIfThere(files, temporary);
    throw error;
  }
  await files.syncFolder(folder);
}

/**
 * Reads a file of at most `most` bytes; undefined if there is none. Rejects with an error that names the size of a larger
 * one.
 */
export async function readWhole(files: Files, path: string, most: number): Promise<Uint8Array | undefined> {
  const file = await files.open(path, 'read').catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const size = await file.size();
    if (size > most) throw new Error(`it has ${size} bytes`);
    const bytes = new Uint8Array(size);
    let read = 0;
    while (read < size) {
      const count = await file.read(bytes.subarray(read), read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } finally {
    await file.close();
  }
}

/** Suffix of incomplete files. */
export const TEMPORARY = '.tmp';

/** Removes a file if it exists. */
export async function removeIfThere(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Returns the operating system's error code, such as `ENOSPC`; undefined for other errors. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device; free some space, a restart is not needed',
  EDQUOT: 'the disk quota is used up; raise it or free some space, a restart is not needed',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied; the folder and its files must belong to the user that runs prefixd',
  EPERM: 'the operation is not permitted; the folder and its files must belong to the user that runs prefixd',
  EIO: 'the device reports an input/output error; check the disk',
  EMFILE: 'too many open files; raise the limit (ulimit -n, LimitNOFILE)',
  ENOTDIR: 'a part of the path is a file, not a folder',
};

/** Creates a StoreError that names the operation, the path, the cause and the fix. */
export function storeError(attempt: string, path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  const code = errorCode(error);
  // The advice is about files; errors of a database have their own.
  const advice = code === undefined || error instanceof PostgresError ? undefined : ADVICE[code];
  const why = advice ?? errorText(error);
  return new StoreError(`cannot ${attempt} ${path}: ${why}${advice === undefined ? '' : ` (${code})`}`, {
    cause: error,
  });
}
