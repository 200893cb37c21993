/** Defines the messages between the thread that reads a source and the main thread. */
import type { Piece } from '../net/pieces.ts';
import type { ContentChange } from './compare-content.ts';
import type { CopyHead } from './copy-file.ts';
import type { SourceFailure } from './get-json.ts';
import type { ReadLimits, SourceSettings } from './source-settings.ts';

/** The thread's input: read the source, or only the candidate that waits on disk. */
export interface SourceOrder {
  readonly task: 'read' | 'candidate';
  readonly settings: Omit<SourceSettings, 'webhookSecret'>;
  /** The storage folder. */
  readonly folder: string;
  /** Digests of the content in use, and of the candidate that waits; undefined: none. */
  readonly inUse: string | undefined;
  readonly waiting: string | undefined;
  readonly limits: ReadLimits;
}

/**
 * Sent by the thread. After `new` it sends one piece of the content for each `MORE`, and `end` after the last. `same`: the
 * content is the one in use, or the one that waits.
 */
export type SourceMessage =
  | { readonly type: 'progress'; readonly list: string; readonly objects: number }
  | { readonly type: 'failed'; readonly failure: SourceFailure }
  | {
      readonly type: 'same';
      readonly as: 'in_use' | 'waiting';
      readonly head: CopyHead;
      /** True: the copy in use is not on disk any more, and a candidate is to take its place. */
      readonly restore: boolean;
    }
  | {
      readonly type: 'new';
      readonly head: CopyHead;
      /** Undefined: there is nothing on disk to compare with. */
      readonly change: ContentChange | undefined;
    }
  | { readonly type: 'piece'; readonly piece: Piece }
  | { readonly type: 'end' };

/** Asks the thread for the next piece. */
export const NEXT_PIECE = 'next-piece';
