/** Limits on configuration files, so that no folder can block the daemon. */

const MIB = 1024 * 1024;

export const LIMITS = {
  /** Size of inventory.yaml (bytes). */
  inventoryBytes: 32 * MIB,
  /** Size of prefixd.yaml (bytes). */
  settingsBytes: MIB,
  /** Size of a file of playbooks (bytes). */
  playbooksBytes: MIB,
  /** Number of files of playbooks. */
  playbookFiles: 200,
  /** Size of all files of playbooks together (bytes). */
  allPlaybooksBytes: 4 * MIB,
  /** Size of a file with certificates (bytes). */
  certificateBytes: MIB,
  /** Depth to which lists and sections of one YAML document are nested. */
  depth: 64,
  /** Number of values, keys and brackets in one YAML document. */
  nodes: 4_000_000,
  /** Number of problems, and of warnings, that are listed; the rest is counted. */
  problems: 1000,
  /** Time to read a folder (ms). */
  milliseconds: 120_000,
  /** Memory to read a folder (MiB). An inventory of 14 MB takes half of it. */
  heapMib: 4096,
} as const;

/** Formats a size: `32 MiB`, `512 bytes`. */
export function sizeWords(bytes: number): string {
  return bytes >= MIB ? `${Math.round(bytes / MIB)} MiB` : `${bytes} bytes`;
}
