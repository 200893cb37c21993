/**
 * Numbers facts for readers who see only some of them. The facts' own numbers would tell them how many others there are,
 * so these ids say nothing, but lead back to the number. They are valid until the daemon stops.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** One block, for which ECB is a keyed permutation: equal numbers have equal ids, and nothing else shows. */
const CIPHER = 'aes-128-ecb';
const KEY_BYTES = 16;
const BLOCK_BYTES = 16;

export class FeedIds {
  readonly #key: Buffer;

  constructor(key: Buffer = randomBytes(KEY_BYTES)) {
    this.#key = key;
  }

  /** Returns the id of a fact's number. */
  idOf(seq: number): string {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.writeBigUInt64BE(BigInt(seq));
    const cipher = createCipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    return Buffer.concat([cipher.update(block), cipher.final()]).toString('hex');
  }

  /** Returns the number of an id; undefined if this process has not made it. */
  seqOf(id: string): number | undefined {
    if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
    const decipher = createDecipheriv(CIPHER, this.#key, null).setAutoPadding(false);
    const block = Buffer.concat([decipher.update(id, 'hex'), decipher.final()]);
    const seq = block.readBigUInt64BE();
    return block.readBigUInt64BE(8) === 0n && seq <= BigInt(Number.MAX_SAFE_INTEGER)
      ? Number(seq)
      : undefined;
  }
}
