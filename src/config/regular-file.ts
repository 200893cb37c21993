/** Reads regular files up to a size limit. Refuses anything else before it can block the daemon or fill its memory. */
import { constants, type Stats } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { sizeWords } from './file-limits.ts';

/** Says why a file was not read, and the fix. */
export class UnreadableFile extends Error {
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.name = 'UnreadableFile';
    this.fix = fix;
  }
}

/**
 * Reads a regular file of at most `maxBytes`, following links. Rejects with UnreadableFile if it is larger or not a
 * regular file, and with the system's error if it cannot be opened.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Uint8Array> {
  // Checked before opening, because opening a device can have an effect.
  mustBeRegular(await stat(path));
  // The file may have been replaced since: without O_NONBLOCK, opening a FIFO waits for a writer.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const stats = await file.stat();
    mustBeRegular(stats);
    if (stats.size > maxBytes) throw tooLarge(maxBytes);
    // The limit also holds for a file that grows, and on file systems that do not report sizes.
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

/** Rejects with UnreadableFile if `path` exists and is not a regular file. */
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
    `it is larger than the limit of ${sizeWords(maxBytes)}`,
    'make it smaller, for example with anchors and merge keys for repeated parts',
  );
}
