/** Who owns an address. Placeholder of the contract while the room is being built. */
export interface Inventory {
  readonly size: number;
}
