/**
 * Scopes: which customers, POPs and actions a caller is limited to, beside its role. Every decision about what a limited
 * caller sees and does is made here.
 *
 * Customers and POPs limit what a caller sees and does; actions limit only what it does. Something that is not in its
 * scope does not exist for a caller, so it is not found rather than forbidden.
 */
import type { ActionType } from '../core/action.ts';
import { isImported } from '../core/intent.ts';
import type { Inventory } from '../core/policy/inventory.ts';
import { EVERY_POP, type EventRecord, type Mitigation } from '../core/types.ts';
import { ownerOf } from '../core/victim.ts';
import type { Access } from './role.ts';

/** A caller's limits; an absent list does not limit. A caller without limits has no scope. */
export interface CallerScope {
  readonly customers?: readonly string[];
  readonly pops?: readonly string[];
  readonly actions?: readonly ActionType[];
}

/**
 * How a route treats callers with a scope. `filtered`: it answers with what is in their scope only; `same`: its answer is
 * about nobody; `place`: it is about this POP as a whole, so only callers who are limited to no customers may use it;
 * `unlimited`: it concerns others, other POPs or every action, so only callers without any limit may use it.
 */
export type ScopeRule = 'filtered' | 'same' | 'place' | 'unlimited';

/** What scopes are compared with. */
export interface ScopeContext {
  /** This POP. */
  readonly pop: string;
  readonly inventory: Inventory;
  readonly mitigations: ReadonlyMap<string, Mitigation>;
}

/** Returns true if a scope limits anything. */
function isLimited({ customers, pops, actions }: CallerScope): boolean {
  return customers !== undefined || pops !== undefined || actions !== undefined;
}

/** Returns true if a caller is limited to no customers, and to no other POPs than this one. */
export function hasWholePop(scope: CallerScope | undefined, pop: string): boolean {
  return scope === undefined || (scope.customers === undefined && namesOwn(scope, pop));
}

/** Explains why a caller may not use a route at all; undefined if it may. */
export function refusedByScope(
  scope: CallerScope | undefined,
  rule: ScopeRule,
  access: Access,
  pop: string,
): string | undefined {
  if (scope === undefined || rule === 'filtered' || rule === 'same') return undefined;
  if (rule === 'unlimited') {
    return isLimited(scope) ? 'This concerns more than your scope, which is limited' : undefined;
  }
  if (!hasWholePop(scope, pop)) return `This concerns all of ${pop}, and your scope is limited`;
  const commands = access === 'operate' || access === 'admin';
  return commands && scope.actions !== undefined
    ? 'This concerns all actions, and your scope is limited to some'
    : undefined;
}

/** Returns true if the caller sees the mitigation: its customer's, and for one of the caller's POPs. */
export function seesMitigation(
  { customers, pops }: CallerScope,
  mitigation: Pick<Mitigation, 'customerId' | 'pop' | 'pops'>,
): boolean {
  if (customers !== undefined && !names(customers, mitigation.customerId)) return false;
  return pops === undefined || popsOf(mitigation).some((pop) => pop === EVERY_POP || pops.includes(pop));
}

/** Explains why a caller may not end a mitigation that it sees; undefined if it may. */
export function actionRefusal(
  { pops, actions }: CallerScope,
  mitigation: Pick<Mitigation, 'action' | 'pop' | 'pops' | 'origin'>,
): string | undefined {
  const { type } = mitigation.action;
  if (actions !== undefined && !actions.includes(type)) return actionWords(type, actions);
  // What another POP decided ends here only.
  const concerned = isImported(mitigation) ? [mitigation.pop] : popsOf(mitigation);
  return pops === undefined ? undefined : popRefusal(concerned, pops);
}

/** Explains why a caller may not create a mitigation with this action at these POPs; undefined if it may. */
export function creationRefusal(
  { pops, actions }: CallerScope,
  action: ActionType,
  wanted: readonly string[],
): string | undefined {
  if (actions !== undefined && !actions.includes(action)) return actionWords(action, actions);
  return pops === undefined ? undefined : popRefusal(wanted, pops);
}

/**
 * Explains why a caller may report nothing at all, or nothing for these POPs; undefined if it may. A playbook chooses the
 * action, so who is limited to some actions reports nothing.
 */
export function reportRefusal(
  { pops, actions }: CallerScope,
  wanted: readonly string[] | undefined,
): string | undefined {
  if (actions !== undefined) {
    const allowed = actions.length === 0 ? 'no action' : actions.join(', ');
    return `A playbook chooses what follows from a report, and your scope is limited to ${allowed}`;
  }
  return pops === undefined ? undefined : popRefusal(wanted ?? [], pops);
}

/** Returns true if the victim, an address or a prefix, belongs wholly to one of the caller's customers. */
export function ownsVictim({ customers }: CallerScope, inventory: Inventory, victim: string): boolean {
  return customers === undefined || names(customers, ownerOf(inventory, victim)?.customerId);
}

/** Returns true if the caller may report about the victim: an owned victim, at one of the caller's POPs. */
export function mayReport(scope: CallerScope, victim: string, context: ScopeContext): boolean {
  return namesOwn(scope, context.pop) && ownsVictim(scope, context.inventory, victim);
}

/** Returns true if the caller sees an event: of this POP, about its customers by inventory and by mitigation. */
export function seesEvent(
  scope: CallerScope,
  { detection, mitigationId, refusal }: Pick<EventRecord, 'detection' | 'mitigationId' | 'refusal'>,
  context: ScopeContext,
): boolean {
  if (!namesOwn(scope, context.pop)) return false;
  if (scope.customers === undefined) return true;
  // The victim of an unreadable report may be any text.
  if (refusal === 'invalid_report' && !isCanonical(detection.victim)) return false;
  if (!ownsVictim(scope, context.inventory, detection.victim)) return false;
  const mitigation = mitigationId === null ? undefined : context.mitigations.get(mitigationId);
  return mitigation === undefined || seesMitigation(scope, mitigation);
}

/** A victim as prefixd writes it: an address, or a prefix. */
function isCanonical(victim: string): boolean {
  return /^[0-9a-f:.]+(?:\/\d+)?$/.test(victim);
}

function popsOf({ pop, pops }: Pick<Mitigation, 'pop' | 'pops'>): readonly string[] {
  return pops ?? [pop];
}

function namesOwn({ pops }: CallerScope, pop: string): boolean {
  return pops === undefined || pops.includes(pop);
}

function names(customers: readonly string[], customer: string | null | undefined): boolean {
  return typeof customer === 'string' && customers.includes(customer);
}

function popRefusal(wanted: readonly string[], pops: readonly string[]): string | undefined {
  const other = wanted.find((pop) => !pops.includes(pop));
  if (other === undefined) return undefined;
  const place = other === EVERY_POP ? 'every POP' : other;
  return `It concerns ${place}, and your scope is limited to ${pops.join(', ')}`;
}

function actionWords(action: ActionType, actions: readonly ActionType[]): string {
  const allowed = actions.length === 0 ? 'no action' : actions.join(', ');
  return `Its action is ${action}, and your scope is limited to ${allowed}`;
}
