/** What a driver of ours that runs in a process of its own is told and tells. */
export interface ChildOptions {
  readonly host: string;
  /** Where the sink listens. */
  readonly sink: { readonly host: string; readonly port: number };
}

export type ChildRequest =
  | { readonly type: 'ready'; readonly from: number; readonly count: number }
  /** Announces what was made ready. */
  | { readonly type: 'go' };

export type ChildReport = { readonly type: 'is-ready' };
