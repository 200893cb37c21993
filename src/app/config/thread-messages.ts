/** What the thread that reads a configuration and the one that wants it say to each other. */
import type { Policy } from '../../core/policy.ts';
import type { Piece } from './pieces.ts';
import type { Environment } from './secrets.ts';
import type { ConfigProblem, LoadedConfig } from './types.ts';

/** What the reading thread is given. */
export interface ReadingOrder {
  readonly directory: string;
  readonly environment: Environment | null;
}

/** A configuration without what cannot pass between threads (functions) or is too large to pass at once (the inventory). */
export interface PlainConfig extends Omit<LoadedConfig, 'policy' | 'shown'> {
  readonly policy: Omit<Policy, 'inventory' | 'forecast'>;
  readonly shown: Omit<LoadedConfig['shown'], 'inventory'>;
}

/** Said by the reading thread. After an answer with a configuration it says one piece of the inventory for each `more`. */
export type ReadingMessage =
  | { readonly type: 'reading'; readonly file: string }
  | {
      readonly type: 'answer';
      /** Null: there are problems. */
      readonly config: PlainConfig | null;
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
    }
  | { readonly type: 'piece'; readonly piece: Piece }
  | { readonly type: 'end' };

/** Said to the reading thread. */
export const MORE = 'more';
