/** Resolves the targets that actions name: scrubbers, VRFs and addresses become FlowSpec actions and unicast routes. PURE. */
import { parseVrfRedirect } from '../bgp/flowspec/action-communities.ts';
import type { Action } from '../bgp/flowspec/types.ts';
import type { UnicastRoute } from '../bgp/rib/unicast-route.ts';
import { parseAnyCommunity, type ParsedCommunity } from '../bgp/wire/communities.ts';
import { type MitigationAction, scrubberOf } from '../core/action.ts';
import {
  type Scrubber,
  type Targets,
  type UnicastTarget,
  unicastTargetOf,
} from '../core/policy/scrubbers.ts';
import { concatBytes } from '../net/bytes.ts';
import { parseAddress, type Prefix } from '../net/prefix.ts';
import { failed, ok, type Result } from '../net/result.ts';

type RedirectAction = Extract<MitigationAction, { readonly type: 'redirect' }>;

/** An action whose rule is a unicast route. */
export type UnicastAction = Extract<MitigationAction, { readonly type: 'divert' | 'blackhole' }>;

export function isUnicast(action: MitigationAction): action is UnicastAction {
  return action.type === 'divert' || action.type === 'blackhole';
}

/** Returns true if the routes of a rule with this action depend on the configured targets. */
export function hasTarget({ type }: MitigationAction): boolean {
  return type !== 'police' && type !== 'discard';
}

/**
 * Returns the FlowSpec actions that redirect a rule of this family as asked, the preferred one first: a scrubber's
 * address, then its VRF for platforms that cannot redirect to addresses.
 */
export function redirectsOf(
  { target, copy: isCopy }: RedirectAction,
  family: 4 | 6,
  targets: Targets,
): Result<readonly Action[]> {
  const copy = isCopy === true;
  if ('ip' in target) return all([redirectIp(target.ip, copy)]);
  if ('vrf' in target) return all([redirectVrf(target.vrf, copy)]);
  const scrubber = scrubberNamed(target.scrubber, targets);
  if (!scrubber.ok) return scrubber;
  const { ipv4, ipv6, vrf } = scrubber.value.redirect;
  const address = family === 4 ? ipv4 : ipv6;
  const redirects = [
    ...(address === undefined ? [] : [redirectIp(address, copy)]),
    ...(vrf === undefined ? [] : [redirectVrf(vrf, copy)]),
  ];
  return redirects.length === 0
    ? failed(`scrubber ${target.scrubber} has no redirect target for IPv${family}`)
    : all(redirects);
}

/** Returns the usable ones, or why none is. */
function all(redirects: readonly Result<Action>[]): Result<readonly Action[]> {
  const usable = redirects.flatMap((one) => (one.ok ? [one.value] : []));
  const [first] = redirects;
  return usable.length === 0 && first?.ok === false ? first : ok(usable);
}

function redirectIp(text: string, copy: boolean): Result<Action> {
  const address = parseAddress(text);
  return address === undefined
    ? failed(`"${text}" is not an address`)
    : ok({ type: 'redirect-ip', form: 'ietf', address, copy });
}

function redirectVrf(text: string, copy: boolean): Result<Action> {
  if (copy) return failed('a redirect to a VRF cannot copy');
  const action = parseVrfRedirect(text);
  return action === undefined ? failed(`"${text}" is not a route target`) : ok(action);
}

function scrubberNamed(name: string, { scrubbers }: Targets): Result<Scrubber> {
  const scrubber = scrubbers.get(name);
  return scrubber === undefined ? failed(`there is no scrubber ${name}`) : ok(scrubber);
}

// Well-known communities, which the kinds require.
export const BLACKHOLE = Uint8Array.of(0xff, 0xff, 0x02, 0x9a); // RFC 7999 §5
const NO_EXPORT = Uint8Array.of(0xff, 0xff, 0xff, 0x01); // RFC 1997

/** Returns the unicast route of an action for this prefix, or the reason why there is none. */
export function unicastPartsOf(
  action: UnicastAction,
  prefix: Prefix,
  targets: Targets,
): Result<UnicastRoute> {
  const found = formOf(action, targets);
  if (!found.ok) return found;
  const target = found.value;
  const text = prefix.family === 4 ? target.nextHopV4 : target.nextHopV6;
  const nextHop = text === undefined ? undefined : parseAddress(text);
  if (nextHop === undefined) {
    const whose = action.type === 'divert' ? `scrubber ${action.scrubber}` : 'the blackhole';
    return failed(`${whose} has no next hop for IPv${prefix.family}`);
  }
  const configured = target.communities.map(parseAnyCommunity);
  const unknown = configured.find((one) => !one.ok);
  if (unknown?.ok === false) return unknown;
  const octetsOf = (kind: ParsedCommunity['kind']): readonly Uint8Array[] =>
    configured.flatMap((one) => (one.ok && one.value.kind === kind ? [one.value.octets] : []));
  return ok({
    prefix,
    nextHop,
    communities: concatBytes([
      ...(action.type === 'blackhole' ? [BLACKHOLE] : []),
      ...(target.export ? [] : [NO_EXPORT]),
      ...octetsOf('standard'),
    ]),
    extendedCommunities: concatBytes(octetsOf('extended')),
    largeCommunities: concatBytes(octetsOf('large')),
  });
}

function formOf(action: UnicastAction, targets: Targets): Result<UnicastTarget> {
  if (action.type === 'blackhole' && !targets.blackhole.allowed) return failed('blackhole.allowed is false');
  const target = unicastTargetOf({ targets }, action);
  if (target !== undefined) return ok(target);
  const scrubber = scrubberNamed(scrubberOf(action) ?? '', targets);
  return scrubber.ok ? failed(`nothing can be diverted to scrubber ${scrubber.value.name}`) : scrubber;
}
