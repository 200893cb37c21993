/** Limits on what is read as configuration, so that no folder can occupy the daemon. */

const MIB = 1024 * 1024;

export const LIMITS = {
  /** Size of inventory.yaml (bytes). */
  inventoryBytes: 32 * MIB,
  /** Size of prefixd.yaml (bytes). */
  settingsBytes: MIB,
  /** Size of a file of playbooks (bytes). */
  playbooksBytes: MIB,
  /** Files of playbooks. */
  playbookFiles: 200,
  /** Size of all files of playbooks together (bytes). */
  allPlaybooksBytes: 4 * MIB,
  /** Size of a file with certificates (bytes). */
  certificateBytes: MIB,
  /** How deep lists and sections of one YAML document may be nested. */
  depth: 64,
  /** Values, keys and brackets of one YAML document. */
  nodes: 4_000_000,
  /** Problems, and warnings, that are reported one by one; the rest is counted. */
  problems: 1000,
  /** How long reading a folder may take until it is given up (ms). */
  milliseconds: 120_000,
  /** Memory for reading a folder (MiB). An inventory of 14 MB takes half of it. */
  heapMib: 4096,
} as const;

/** `32 MiB`, `512 bytes`. */
export function sizeWords(bytes: number): string {
  return bytes >= MIB ? `${Math.round(bytes / MIB)} MiB` : `${bytes} bytes`;
}
