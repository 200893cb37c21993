/** What limited callers see of facts, of the audit log and of actors. */
import type { Fact } from '../core/facts.ts';
import { discreetText } from './discreet-text.ts';
import {
  type CallerScope,
  hasWholePop,
  mayReport,
  type ScopeContext,
  seesEvent,
  seesMitigation,
} from './caller-scope.ts';

/**
 * Returns true if the caller sees the fact. A mitigation that has moved to another customer is seen by its present one
 * only, and by that one without the facts that name another.
 */
export function seesFact(scope: CallerScope, fact: Fact, context: ScopeContext): boolean {
  switch (fact.type) {
    case 'event.received':
      return seesEvent(scope, fact.event, context);
    case 'mitigation.created':
    case 'mitigation.rejected':
    case 'mitigation.imported': {
      const now = context.mitigations.get(fact.mitigation.id) ?? fact.mitigation;
      return seesMitigation(scope, fact.mitigation) && seesMitigation(scope, now);
    }
    case 'mitigation.extended':
    case 'mitigation.widened':
    case 'mitigation.escalated':
    case 'mitigation.released':
    case 'mitigation.ending':
    case 'mitigation.withdrawn':
    case 'mitigation.expired':
      return seesKnown(scope, fact.id, context);
    case 'mitigation.moved': {
      const { id, customerId } = fact;
      const now = context.mitigations.get(id);
      return now !== undefined && seesMitigation(scope, now) && seesMitigation(scope, { ...now, customerId });
    }
    case 'import.refused':
      return mayReport(scope, fact.victim, context);
    case 'import.ended':
      return seesKnown(scope, fact.mitigationId, context);
    case 'safelist.added':
      return mayReport(scope, fact.entry.prefix, context);
    case 'safelist.removed':
      return mayReport(scope, fact.prefix, context);
    case 'control.paused':
    case 'control.resumed':
    case 'peer.disabled':
    case 'peer.enabled':
    case 'scrubber.down':
    case 'scrubber.up':
    case 'policy.loaded':
      return hasWholePop(scope, context.pop);
  }
}

function seesKnown(scope: CallerScope, id: string, { mitigations }: ScopeContext): boolean {
  const mitigation = mitigations.get(id);
  return mitigation !== undefined && seesMitigation(scope, mitigation);
}

/** Returns true if the caller sees an entry of the audit log, which comes from a file. */
export function seesAuditEntry(scope: CallerScope, entry: unknown, context: ScopeContext): boolean {
  if (hasWholePop(scope, context.pop)) return true;
  const { target, after, before } = fieldsOf(entry);
  const { type, id } = fieldsOf(target);
  const customers = [fieldsOf(before).customer_id, fieldsOf(after).customer_id];
  if (customers.some((customer) => typeof customer === 'string' && !isOwn(scope, customer))) return false;
  switch (type) {
    case 'mitigation':
      return typeof id === 'string' && seesKnown(scope, id, context);
    case 'event': {
      const victim = fieldsOf(after).victim_ip;
      const mitigation = fieldsOf(after).mitigation_id;
      if (typeof mitigation === 'string' && !seesKnown(scope, mitigation, context)) return false;
      return typeof victim === 'string' && mayReportText(scope, victim, context);
    }
    case 'safelist':
      return typeof id === 'string' && mayReportText(scope, id, context);
    default:
      return false;
  }
}

function isOwn({ customers }: CallerScope, customer: string): boolean {
  return customers === undefined || customers.includes(customer);
}

/** Like mayReport, for a text that may be no address. */
function mayReportText(scope: CallerScope, victim: string, context: ScopeContext): boolean {
  return /^[0-9a-f:.]+(?:\/\d+)?$/.test(victim) && mayReport(scope, victim, context);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

const ACTOR_KINDS: readonly unknown[] = ['detector', 'operator', 'system'];

/** Fields with texts for people, which may name anybody; the others are data of what the caller sees. */
const TEXTS: readonly string[] = ['why', 'detail', 'reason', 'text', 'error', 'notes'];

/**
 * Returns a copy of an answer for a limited caller: actors have their kind and name only, because the addresses, tokens
 * and subjects of others are not its business, and texts that concern others are gone (see discreetText).
 */
export function discreet<View>(view: View, scope: CallerScope, context: ScopeContext): View {
  const shown = (value: unknown, isText: boolean): unknown => {
    if (typeof value === 'string') return isText ? discreetText(value, scope, context) : value;
    if (Array.isArray(value)) return value.map((inner) => shown(inner, isText));
    if (typeof value !== 'object' || value === null) return value;
    const fields = fieldsOf(value);
    if (ACTOR_KINDS.includes(fields.kind) && typeof fields.name === 'string') {
      return { kind: fields.kind, name: fields.name };
    }
    return Object.fromEntries(
      Object.entries(fields).map(([key, inner]) => [key, shown(inner, TEXTS.includes(key))]),
    );
  };
  return shown(view, false) as View;
}
