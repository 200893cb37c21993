/** Reads files that an operator names: regular files up to a size. Anything else is refused before it can hang or fill the memory. */
import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { sizeWords } from './limits.ts';

/** Why a file was not read, in words, with what to do about it. */
export class UnreadableFile extends Error {
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.name = 'UnreadableFile';
    this.fix = fix;
  }
}

/**
 * Reads a regular file of at most `maxBytes`; links are followed. Rejects with UnreadableFile when it is something else or
 * larger, and with the system's error when it cannot be opened.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  // Asked before it is opened, because opening a device may already do something.
  mustBeRegular(await stat(path));
  // Something else may have taken its place since: without O_NONBLOCK, opening a FIFO waits for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = await file.stat();
    mustBeRegular(stats);
    if (stats.size > maxBytes) throw tooLarge(maxBytes);
    // A file that grows meanwhile, or of a file system that does not know its sizes, has the same limit.
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const chunk = new Uint8Array(
        Math.min(maxBytes + 1 - length, Math.max(stats.size + 1 - length, 64 * 1024)),
      );
      const { bytesRead } = await file.read(chunk, 0, chunk.length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk.subarray(0, bytesRead));
    }
    return Buffer.concat(chunks, length);
  } finally {
    await file.close();
  }
}

/** Rejects with UnreadableFile when `path` is there and is no regular file. */
export async function refuseSpecialFile(path: string): Promise<void> {
  const stats = await stat(path).catch(() => null);
  if (stats !== null) mustBeRegular(stats);
}

function mustBeRegular(stats: Stats): void {
  if (stats.isFile()) return;
  const kind = stats.isDirectory()
    ? 'a folder'
    : stats.isFIFO()
      ? 'a FIFO'
      : stats.isSocket()
        ? 'a socket'
        : 'a device';
  throw new UnreadableFile(`it is ${kind}, not a regular file`, 'put a regular file there');
}

function tooLarge(maxBytes: number): UnreadableFile {
  return new UnreadableFile(
    `it is larger than ${sizeWords(maxBytes)}, the most that is read`,
    'make it smaller, for instance with anchors and merge keys for what is repeated',
  );
}
