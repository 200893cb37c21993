/**
 * Knows what each router platform can match and do, and how it expects actions to be encoded. A rule that a platform
 * cannot enforce exactly is refused with the reason; nothing is left out or widened to make it fit. If the vendor's
 * documents are silent, the table says no. docs/notation.md shows the table to operators.
 */
import { failed, ok, type Result } from '../../net/result.ts';
import { encodeActions } from './actions.ts';
import { componentName, findComponent } from './components.ts';
import { FlowSpecError } from './errors.ts';
import { encodeFlowSpec } from './nlri.ts';
import { findImpossible } from './unmeant-rules.ts';
import { fitOperators } from './split.ts';
import { type Action, ComponentType, type FlowSpec } from './types.ts';

/** Platforms by their name in the configuration. */
export const DIALECTS = ['juniper', 'cisco-xr', 'arista', 'nokia', 'huawei', 'generic'] as const;

export type Dialect = (typeof DIALECTS)[number];

/** One row of the table. */
export interface DialectTraits {
  /** The highest component type; all types up to it can be matched. */
  readonly lastComponent: 12 | 13;
  /**
   * The most operators that a component may have. FRR 8.4 resets the session beyond 5; Junos ignored a rule of 15
   * (exabgp#1348).
   */
  readonly maxOperators: number;
  /** A rule may combine `port` with `src-port` or `dst-port`. */
  readonly portBesideOthers: boolean;
  /** Only `fragment is-fragment` can be matched. */
  readonly isFragmentOnly: boolean;
  /** Rates above 0 are applied, not only accepted. */
  readonly police: boolean;
  readonly packetRate: boolean;
  readonly marking: boolean;
  readonly sample: boolean;
  readonly terminal: boolean;
  readonly redirectVrf: boolean;
  /** Redirect to VRF by an IPv6 address specific route target. */
  readonly redirectVrfIpv6: boolean;
  /** Encoding of a redirect to IP, by family of the address; undefined if it is not supported. */
  readonly redirectIp: { readonly 4?: 'ietf' | 'draft-00'; readonly 6?: 'ietf' | 'draft-00' };
  /** A redirect to IP works in the rules of a VPN too. */
  readonly redirectIpInVpn: boolean;
  readonly copy: boolean;
}

const STANDARD: DialectTraits = {
  lastComponent: 13,
  maxOperators: 5,
  portBesideOthers: true,
  isFragmentOnly: false,
  police: true,
  packetRate: false,
  marking: true,
  sample: true,
  terminal: true,
  redirectVrf: true,
  redirectVrfIpv6: true,
  redirectIp: { 4: 'ietf', 6: 'ietf' },
  redirectIpInVpn: true,
  copy: true,
};

/** The traits of each platform. */
export const DIALECT_TRAITS: Readonly<Record<Dialect, DialectTraits>> = {
  generic: STANDARD,
  juniper: {
    ...STANDARD,
    lastComponent: 12,
    portBesideOthers: false,
    redirectVrfIpv6: false,
    redirectIp: { 4: 'ietf' },
    copy: false,
  },
  'cisco-xr': {
    ...STANDARD,
    lastComponent: 12,
    isFragmentOnly: true,
    sample: false,
    terminal: false,
    redirectVrfIpv6: false,
    redirectIp: { 4: 'draft-00', 6: 'draft-00' },
    redirectIpInVpn: false,
    copy: false,
  },
  arista: {
    ...STANDARD,
    lastComponent: 12,
    police: false,
    marking: false,
    sample: false,
    terminal: false,
    redirectVrfIpv6: false,
    redirectIp: {},
    copy: false,
  },
  nokia: {
    ...STANDARD,
    lastComponent: 12,
    marking: false,
    sample: false,
    terminal: false,
    redirectVrfIpv6: false,
    copy: false,
  },
  huawei: {
    ...STANDARD,
    lastComponent: 12,
    portBesideOthers: false,
    terminal: false,
    redirectVrfIpv6: false,
    redirectIp: { 4: 'ietf' },
    copy: false,
  },
};

/** One rule to be encoded and sent. */
export interface DialectRule {
  readonly spec: FlowSpec;
  readonly actions: readonly Action[];
}

/** Allowed changes to make a rule fit a platform. */
export interface RenderOptions {
  /** A rule with a rate may be split: each part gets an equal share of the rate, in whole bytes a second. */
  readonly shareRate?: boolean;
}

/**
 * Renders a rule for a platform: the rules to send, or the reason why it cannot enforce the rule. The result matches exactly what the rule matches, encodes without error, and has no
 * `!=` and no id in its rates. If a component has more operators than the platform takes, it is written shorter where
 * possible, otherwise split over several rules. A rule with a rate is split only with `shareRate`, because each part
 * would let the whole rate pass.
 */
export function renderForDialect(
  dialect: Dialect,
  spec: FlowSpec,
  actions: readonly Action[],
  options: RenderOptions = {},
): Result<readonly DialectRule[]> {
  const traits = DIALECT_TRAITS[dialect];
  const why =
    unencodable(spec, actions) ??
    findImpossible(spec) ??
    unmatchable(traits, spec) ??
    undoable(traits, spec, actions);
  if (why !== undefined) return failed(`${dialect}: ${why}`);
  const said = actions.map((action) => phrase(traits, action));
  const fitted = fitOperators(spec, traits.maxOperators);
  if (!fitted.ok) return failed(`${dialect}: ${fitted.error}`);
  const parts = fitted.value.length;
  if (parts > 1) {
    const mayShare = (action: Action): boolean =>
      options.shareRate === true && action.type === 'traffic-rate';
    const inseparable = actions.find((action) => !isSeparable(action) && !mayShare(action));
    if (inseparable !== undefined) {
      const reason = `more than ${traits.maxOperators} operators in a component, and a rule with ${inseparable.type} cannot be split`;
      return failed(`${dialect}: ${reason}`);
    }
    const shares = said.map((action) => shareOf(action, parts));
    if (shares.includes(undefined)) {
      return failed(`${dialect}: the rate divided among ${parts} rules is below 1 byte a second each`);
    }
    const shared = shares.filter((action) => action !== undefined);
    return ok(fitted.value.map((part) => ({ spec: part, actions: shared })));
  }
  return ok(fitted.value.map((part) => ({ spec: part, actions: said })));
}

/**
 * Returns the action for each of several parts of one rule. A rate is divided and rounded down to whole bytes;
 * undefined if less than one byte remains.
 */
function shareOf(action: Action, parts: number): Action | undefined {
  if (action.type !== 'traffic-rate' || action.bitsPerSecond === 0) return action;
  const bytes = Math.floor(action.bitsPerSecond / 8 / parts);
  return bytes < 1 ? undefined : { ...action, bitsPerSecond: bytes * 8 };
}

function unencodable(spec: FlowSpec, actions: readonly Action[]): string | undefined {
  try {
    encodeFlowSpec(spec);
    encodeActions(actions);
    return undefined;
  } catch (error) {
    if (error instanceof FlowSpecError) return error.message;
    throw error;
  }
}

function unmatchable(traits: DialectTraits, spec: FlowSpec): string | undefined {
  for (const component of spec.components) {
    if (component.type > traits.lastComponent) return `${componentName(component.type)} cannot be matched`;
    if ('offset' in component && component.offset > 0) {
      // Two of three implementations encode or decode other bits than RFC 8956 §3.1, and then match other addresses.
      return `${componentName(component.type)}: routers disagree on prefixes with an offset`;
    }
  }
  if (!traits.portBesideOthers && findComponent(spec, 4) !== undefined) {
    const other = findComponent(spec, 5) ?? findComponent(spec, 6);
    if (other !== undefined) return `port and ${componentName(other.type)} cannot be combined in one rule`;
  }
  const fragment = findComponent(spec, ComponentType.Fragment);
  if (traits.isFragmentOnly && fragment !== undefined) {
    const [op] = fragment.ops;
    if (fragment.ops.length !== 1 || op?.value !== 0x02 || op.not) {
      return 'the only fragment match supported is is-fragment';
    }
  }
  return undefined;
}

function undoable(traits: DialectTraits, spec: FlowSpec, actions: readonly Action[]): string | undefined {
  for (const action of actions) {
    const why = undoableAction(traits, spec, action);
    if (why !== undefined) return why;
  }
  return undefined;
}

function undoableAction(traits: DialectTraits, spec: FlowSpec, action: Action): string | undefined {
  switch (action.type) {
    case 'traffic-rate':
      if (action.bitsPerSecond === 0) return undefined;
      if (!traits.police) return 'rate-limit is accepted but not applied on some models';
      // Routers count whole bytes: a lower rate would act as a discard.
      return action.bitsPerSecond < 8
        ? `a rate of ${action.bitsPerSecond} bits a second is below 1 byte a second`
        : undefined;
    case 'traffic-rate-packets':
      return traits.packetRate ? undefined : 'a rate in packets a second (0x800c) is not supported';
    case 'traffic-action':
      if (action.sample && !traits.sample) return 'sample is not supported';
      return action.terminal && !traits.terminal ? 'terminal is not supported' : undefined;
    case 'marking':
      return traits.marking ? undefined : 'mark is not supported';
    case 'redirect-vrf':
      return traits.redirectVrf ? undefined : 'redirect vrf is not supported';
    case 'redirect-vrf-ipv6':
      return traits.redirectVrfIpv6 ? undefined : 'redirect vrf by an IPv6 address is not supported';
    case 'redirect-ip':
      return undoableRedirect(traits, spec, action.address, action.copy);
    case 'unknown':
      return 'prefixd does not know this action and cannot tell whether the platform applies it';
  }
}

function undoableRedirect(
  traits: DialectTraits,
  spec: FlowSpec,
  address: Uint8Array | undefined,
  copy: boolean,
): string | undefined {
  const family = address?.length === 16 ? 6 : 4;
  if (family !== (spec.afi === 1 ? 4 : 6)) return 'redirect ip: the address has another family than the rule';
  if (traits.redirectIp[family] === undefined)
    return `redirect ip to an IPv${family} address is not supported`;
  if (spec.safi === 134 && !traits.redirectIpInVpn) return 'redirect ip is supported in the default VRF only';
  return copy && !traits.copy ? 'redirect ip: copy is not supported' : undefined;
}

/** Converts an action to the form that the platform expects. The id in a rate is informational and sent as 0. */
function phrase(traits: DialectTraits, action: Action): Action {
  switch (action.type) {
    case 'traffic-rate':
    case 'traffic-rate-packets':
      return action.asn === 0 ? action : { ...action, asn: 0 };
    case 'redirect-ip': {
      const form = traits.redirectIp[action.address?.length === 16 ? 6 : 4] ?? action.form;
      return form === action.form ? action : { ...action, form };
    }
    default:
      return action;
  }
}

/** True if several rules with the action have the same effect together as one rule: no shared counter is involved. */
function isSeparable(action: Action): boolean {
  switch (action.type) {
    case 'traffic-rate':
      return action.bitsPerSecond === 0;
    case 'traffic-rate-packets':
      return action.packetsPerSecond === 0;
    case 'traffic-action':
      // With terminal, the other parts evaluate a packet too, and each part that matches would sample or copy it.
      return !action.terminal;
    case 'marking':
    case 'redirect-vrf':
    case 'redirect-vrf-ipv6':
    case 'redirect-ip':
      return true;
    case 'unknown':
      return false;
  }
}
