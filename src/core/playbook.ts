/** What to do about which attack. Placeholder of the contract while the room is being built. */
export interface PlaybookSet {
  readonly names: readonly string[];
}
