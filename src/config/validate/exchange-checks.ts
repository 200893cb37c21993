/** Checks the section `exchange`, and what it means for the names of POPs and for iBGP neighbors. */
import { stepsOf } from './playbook-checks.ts';
import type { Policy } from '../../core/policy/policy.ts';
import type { Findings } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Settings } from '../schema/prefixd-schema.ts';

/** Names that commands and requests use for all POPs. */
const RESERVED = new Set(['all']);
const NO_ADVERTISE = new Set(['no-advertise', '65535:65282']);

/** Checks the names of POPs. */
export function exchangeChecks({ pop, exchange }: DeepPartial<Settings>, found: Findings): void {
  if (exchange === undefined) return;
  if (pop !== undefined && RESERVED.has(pop)) {
    found.problem(['pop'], `"${pop}" means all POPs in commands`, 'give this POP another name');
  }
  if (pop === undefined || pop === 'default') {
    found.warning(
      ['pop'],
      'this POP shares its mitigations under the name "default"',
      'give each POP a name of its own',
    );
  }
  for (const [i, name] of (exchange.accept ?? []).entries()) {
    if (name !== pop) continue;
    found.warning(['exchange', 'accept', i], `"${name}" is this POP itself`, 'remove it');
  }
  if ((exchange.accept ?? []).length === 0) {
    found.warning(
      ['exchange'],
      'accept is empty: this POP publishes its mitigations, and takes over none',
      'list the POPs whose mitigations and requests count here',
    );
  }
}

/**
 * Warns about iBGP neighbors that may pass rules on to the routers of another POP, which has a daemon of its own: what
 * that one withdraws would stay.
 */
export function reflectionChecks(policy: Policy, { bgp, exchange }: Settings, found: Findings): void {
  if (exchange === undefined) return;
  const isShared = [...stepsOf(policy.playbooks.data, policy.pop)].some(
    ({ step: { scope } }) => scope !== undefined && scope !== 'here',
  );
  if (!isShared) return;
  for (const [i, { peer_asn: peer, communities, announce }] of bgp.neighbors.entries()) {
    if (peer !== bgp.local_asn || !announce.includes('flowspec')) continue;
    if (communities.some((one) => NO_ADVERTISE.has(one))) continue;
    found.warning(
      ['bgp', 'neighbors', i],
      'this iBGP neighbor may reflect rules to routers of other POPs, where the withdrawal of their own daemon does not end them',
      'add no-advertise to its communities, let it reflect no FlowSpec, or use scope: here',
    );
  }
}
