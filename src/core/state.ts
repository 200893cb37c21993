/** Contract while the room is being built: everything that facts add up to. */
import type { Mitigation } from './types.ts';
export interface StateSnapshot {
  readonly seq: number;
  readonly schema: 1;
  readonly data: unknown;
}
export type MatchKey = string;
export interface StateView {
  readonly seq: number;
  readonly paused: boolean;
  readonly mitigations: ReadonlyMap<string, Mitigation>;
}
