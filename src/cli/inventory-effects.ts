/** Describes the effect of a new inventory on active mitigations. Pure. */
import { allowedFor, excludedRanges } from '../core/decide/rule.ts';
import type { Inventory } from '../core/policy/inventory.ts';
import { rangesLess } from '../core/policy/ports.ts';
import { portWords } from '../core/rule-text.ts';
import type { Mitigation, Range } from '../core/types.ts';
import { ownerOf } from '../core/victim.ts';

/** Holds the fields of an active mitigation that depend on the inventory. */
export type Owned = Pick<
  Mitigation,
  'victim' | 'customerId' | 'serviceId' | 'match' | 'ports' | 'excludedPorts' | 'action'
>;

/**
 * Describes how a reload changes an active mitigation that it does not withdraw; empty if nothing changes. `required`:
 * victims outside the inventory are not protected.
 */
export function consequences(
  mitigation: Owned,
  before: Inventory,
  after: Inventory,
  required: boolean,
): readonly string[] {
  const { victim, match } = mitigation;
  const [was, becomes] = [ownerOf(before, victim), ownerOf(after, victim)];
  const words = [...moveWords(mitigation, becomes?.customerId ?? null, becomes?.serviceId ?? null, required)];
  const [old, wanted] = [was, becomes].map((owner) =>
    owner === undefined ? [] : allowedFor(owner.allowedPorts, match.protocol),
  );
  const come = within(rangesLess(wanted ?? [], old ?? []), match.dstPorts);
  if (come.length > 0) words.push(`its rule polices ${portWords(come)}, which the inventory now allows`);
  const gone = within(rangesLess(old ?? [], wanted ?? []), excludedRanges(mitigation));
  if (gone.length > 0 && excludedRanges(mitigation).length > 0) {
    words.push(`its rule excludes ${portWords(gone)}, which the inventory no longer allows`);
  }
  return words;
}

function* moveWords(
  { customerId, serviceId }: Owned,
  customer: string | null,
  service: string | null,
  required: boolean,
): Iterable<string> {
  if (customerId !== customer) {
    if (customer === null) {
      yield `no longer belongs to a customer (was ${customerId})`;
      if (required)
        yield 'its rule stays until it expires; new reports are refused (guardrails.require_inventory)';
    } else {
      yield `moves from ${customerId ?? 'no customer'} to ${customer}`;
    }
  } else if (serviceId !== service) {
    yield `moves from ${serviceId === null ? 'no service' : `service ${serviceId}`} to ${
      service === null ? 'no service' : `service ${service}`
    } of ${customer ?? 'no customer'}`;
  }
}

/** Intersects ranges with a list of ranges; an empty list restricts nothing. */
function within(ranges: readonly Range[], list: readonly Range[]): readonly Range[] {
  return list.length === 0 ? ranges : rangesLess(ranges, rangesLess([[0, 65535]], list));
}
