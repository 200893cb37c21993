/** Defines the messages to and from a driver in a separate process. */
export interface ChildOptions {
  readonly host: string;
  /** The sink's address. */
  readonly sink: { readonly host: string; readonly port: number };
}

export type ChildRequest =
  | { readonly type: 'ready'; readonly from: number; readonly count: number }
  /** Announces what was made ready. */
  | { readonly type: 'go' };

export type ChildReport = { readonly type: 'is-ready' };
