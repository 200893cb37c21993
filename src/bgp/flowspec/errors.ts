/** How this room says no: an error for what cannot be written, a value for what cannot be read. */

/**
 * Thrown when something that is not a valid rule or action is to be encoded. The message names the component or
 * action, what is wrong with it and what would be right.
 */
export class FlowSpecError extends Error {
  override readonly name = 'FlowSpecError';
}

/**
 * What a receiver does about a malformed NLRI (RFC 7606 §2, §5.3; RFC 8955 §10).
 *
 * - `treat-as-withdraw`: the NLRI's own length is intact, so its neighbors in the field can still be read.
 * - `afi-safi-disable`: the boundaries of the NLRI are lost, and with them the rest of the field; routes of the family
 *   are no longer trustworthy. RFC 7606 §3 (j) allows a session reset in its place.
 * - `session-reset`: octets of a family for which there is no FlowSpec encoding at all.
 */
export type Treatment = 'treat-as-withdraw' | 'afi-safi-disable' | 'session-reset';

/** Why octets are no rule, in words with the place, and what RFC 7606 makes of it. */
export interface RuleRefusal {
  readonly ok: false;
  readonly reason: string;
  readonly treatment: Treatment;
}
