/** Defines the messages between the thread that reads a configuration and the main thread. */
import type { Policy } from '../core/policy/policy.ts';
import type { Piece } from '../net/pieces.ts';
import type { Environment } from './secrets.ts';
import type { ConfigProblem, InventorySources, LoadedConfig } from './types.ts';

/** The reading thread's input. */
export interface ReadingOrder {
  readonly directory: string;
  readonly environment: Environment | null;
  /** Folder of the copy of another system's answer. Default: the storage folder. */
  readonly copyFolder?: string;
}

/**
 * A configuration without functions, which cannot be sent to another thread, and without the inventory, which is too
 * large.
 */
export interface PlainConfig extends Omit<LoadedConfig, 'policy' | 'shown' | 'inventorySources'> {
  readonly policy: Omit<Policy, 'inventory' | 'forecast'>;
  readonly shown: Omit<LoadedConfig['shown'], 'inventory'>;
  readonly inventorySources: Omit<InventorySources, 'written'> & {
    /** Number of the inventory's first customers that are written in inventory.yaml. */
    readonly writtenCustomers: number;
  };
}

/**
 * Sent by the reading thread. After an answer with a configuration it sends one piece of the inventory for each `more`.
 */
export type ReadingMessage =
  | { readonly type: 'reading'; readonly file: string }
  | {
      readonly type: 'answer';
      /** Null if there are problems. */
      readonly config: PlainConfig | null;
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
    }
  | { readonly type: 'piece'; readonly piece: Piece }
  | { readonly type: 'end' };

/** Asks the reading thread for the next piece. */
export const MORE = 'more';
