/** The state as plain data. */
import type { Life } from './life.ts';
import type { Creation, RecentBan } from './recent.ts';
import type { Said, StateSnapshot } from './state-view.ts';
import type { EventRecord, Mitigation, SafelistEntry } from './types.ts';

export interface SnapshotData {
  readonly lastAt: number;
  readonly paused: Said | null;
  /** By name; absent in snapshots of versions that did not keep it. */
  readonly disabledPeers?: readonly (readonly [name: string, said: Said])[];
  /** In order of creation. */
  readonly mitigations: readonly Mitigation[];
  /** Ids of ended and rejected ones, in the order of their end. */
  readonly ended: readonly string[];
  /** In order of arrival. */
  readonly events: readonly EventRecord[];
  readonly safelist: readonly SafelistEntry[];
  readonly bans: readonly RecentBan[];
  readonly creations: readonly Creation[];
  /** Absent in snapshots of versions that did not keep them. */
  readonly lives?: readonly Life[];
}

const LISTS = ['mitigations', 'ended', 'events', 'safelist', 'bans', 'creations'] as const;

/** The data of a snapshot. Checks its outline only (a store guards the bytes); TypeError when that is not this schema. */
export function readSnapshot(snapshot: StateSnapshot): SnapshotData {
  const { data } = snapshot;
  if (snapshot.schema !== 1 || !isSnapshotData(data)) {
    throw new TypeError('the snapshot is not of schema 1: it was written by another version, or damaged');
  }
  return data;
}

function isSnapshotData(data: unknown): data is SnapshotData {
  if (typeof data !== 'object' || data === null) return false;
  const record: Partial<Record<string, unknown>> = { ...data };
  return typeof record.lastAt === 'number' && LISTS.every((key) => Array.isArray(record[key]));
}
