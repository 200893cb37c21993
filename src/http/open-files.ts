/** Limits on connections that leave descriptors to the rest of the process: journal, audit log, BGP sessions. */
import { readFileSync } from 'node:fs';
import type { ListenerLimits } from './listener.ts';

/** The share of the open files that the process may have which connections may take. */
const SHARE = 0.5;

/** How many files this process may have open; infinity where the system does not say. */
export function openFilesLimit(
  readLimits: () => string = () => readFileSync('/proc/self/limits', 'utf8'),
): number {
  let text: string;
  try {
    text = readLimits();
  } catch {
    // Only Linux has the file. Elsewhere the usual limits hold.
    return Number.POSITIVE_INFINITY;
  }
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** The limits, made smaller in proportion where so many connections would need too many of the process's files. */
export function fittingLimits(limits: ListenerLimits, openFiles: number): ListenerLimits {
  const most = Math.max(16, Math.floor(openFiles * SHARE));
  if (limits.connections <= most) return limits;
  const scaled = (count: number): number => Math.max(1, Math.floor((count * most) / limits.connections));
  return {
    ...limits,
    connections: most,
    reserve: scaled(limits.reserve),
    perNetwork: scaled(limits.perNetwork),
    perTrustedNetwork: scaled(limits.perTrustedNetwork),
  };
}
