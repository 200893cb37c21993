/** Errors of this room: an exception for a rule that cannot be encoded, a value for octets that cannot be decoded. */

/**
 * Thrown when an invalid rule or action is encoded. The message names the component or action, the problem and a valid
 * form.
 */
export class FlowSpecError extends Error {
  override readonly name = 'FlowSpecError';
}

/**
 * A receiver's reaction to a malformed NLRI (RFC 7606 §2, §5.3; RFC 8955 §10).
 *
 * - `treat-as-withdraw`: the NLRI's own length is intact, so the other NLRI in the field can still be read.
 * - `afi-safi-disable`: the end of the NLRI is unknown, so the rest of the field is lost and the routes of the family
 *   are no longer trustworthy. RFC 7606 §3 (j) allows a session reset instead.
 * - `session-reset`: octets of a family that has no FlowSpec encoding at all.
 */
export type Treatment = 'treat-as-withdraw' | 'afi-safi-disable' | 'session-reset';

/** The reason why octets are not a rule, with their position, and the reaction that RFC 7606 requires. */
export interface RuleRefusal {
  readonly reason: string;
  readonly treatment: Treatment;
}
