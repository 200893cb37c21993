/** Formats rules in operator notation (docs/notation.md). parse.ts reads the text back as the same rule. */
import { toHex } from '../../../net/bytes.ts';
import { formatAddress, formatPrefix } from '../../../net/prefix.ts';
import { formatRouteDistinguisher, formatRouteTarget } from '../action-communities.ts';
import { componentName } from '../components.ts';
import {
  bitNames,
  DSCP_NAMES,
  FRAGMENT_NAMES,
  type NameTable,
  PROTOCOL_NAMES,
  TCP_FLAG_NAMES,
} from './names.ts';
import {
  type Action,
  type BitmaskComponent,
  type BitmaskOp,
  type Component,
  ComponentType,
  type FlowSpec,
  type NumericComponent,
  type NumericOp,
} from '../types.ts';

/** Formats a rule and its actions in one line: `match dst 203.0.113.10/32 proto udp then discard`. */
export function formatRule(spec: FlowSpec, actions: readonly Action[]): string {
  return `${formatMatch(spec)} then ${formatActions(actions)}`;
}

/** Formats a rule's match in one line that begins with `match`. */
export function formatMatch(spec: FlowSpec): string {
  const words = ['match'];
  if (spec.afi === 2 && !spec.components.some(tellsIPv6)) words.push('ipv6');
  if (spec.rd !== undefined) words.push('rd', formatRouteDistinguisher(spec.rd));
  for (const component of spec.components) words.push(formatComponent(component));
  return words.join(' ');
}

/** True for a component that shows a reader that the rule is for IPv6. */
function tellsIPv6(component: Component): boolean {
  return component.type <= ComponentType.SourcePrefix || component.type === ComponentType.FlowLabel;
}

function formatComponent(component: Component): string {
  const keyword = componentName(component.type);
  switch (component.type) {
    case 1:
    case 2: {
      const prefix = formatPrefix(component.prefix);
      return component.offset === 0
        ? `${keyword} ${prefix}`
        : `${keyword} ${prefix} offset ${component.offset}`;
    }
    case 9:
      return `${keyword} ${formatBitmask(component, TCP_FLAG_NAMES)}`;
    case 12:
      return `${keyword} ${formatBitmask(component, FRAGMENT_NAMES)}`;
    default:
      return `${keyword} ${formatNumeric(component)}`;
  }
}

/** Separates alternatives by commas and joins the conditions of one alternative by `&`. */
function joinOps<Op extends { readonly and: boolean }>(
  ops: readonly Op[],
  format: (op: Op) => string,
): string {
  return ops.map((op, i) => (i === 0 ? '' : op.and ? '&' : ',') + format(op)).join('');
}

function formatNumeric(component: NumericComponent): string {
  const names = valueNames(component.type);
  return joinOps(component.ops, (op) => formatNumericOp(op, names));
}

function valueNames(type: number): NameTable | undefined {
  if (type === ComponentType.IpProtocol) return PROTOCOL_NAMES;
  return type === ComponentType.Dscp ? DSCP_NAMES : undefined;
}

/** Formats one numeric operator (RFC 8955 §4.2.1.1, table 1). */
function formatNumericOp(op: NumericOp, names: NameTable | undefined): string {
  const equal = names?.toName.get(Number(op.value)) ?? op.value;
  if (op.lt && op.gt) return op.eq ? `true:${op.value}` : `!=${equal}`;
  if (op.lt) return `${op.eq ? '<=' : '<'}${op.value}`;
  if (op.gt) return `${op.eq ? '>=' : '>'}${op.value}`;
  return op.eq ? `${equal}` : `false:${op.value}`;
}

function formatBitmask(component: BitmaskComponent, names: NameTable): string {
  return joinOps(component.ops, (op) => formatBitmaskOp(op, names));
}

/** Formats one bitmask operator: `=a+b` is all of them, `a|b` any of them, a leading `!` negates. */
function formatBitmaskOp(op: BitmaskOp, names: NameTable): string {
  const bits = bitNames(names, op.value)?.join(op.match ? '+' : '|') ?? `0x${op.value.toString(16)}`;
  return `${op.not ? '!' : ''}${op.match ? '=' : ''}${bits}`;
}

/** Formats a rule's actions, without `then`. Without any action packets pass: `accept`. */
export function formatActions(actions: readonly Action[]): string {
  return actions.length === 0 ? 'accept' : actions.map(formatAction).join(' ');
}

function formatAction(action: Action): string {
  switch (action.type) {
    case 'traffic-rate': {
      const what =
        action.bitsPerSecond === 0 ? 'discard' : `rate-limit ${formatBitRate(action.bitsPerSecond)}`;
      return what + formatAsn(action.asn);
    }
    case 'traffic-rate-packets': {
      const what =
        action.packetsPerSecond === 0 ? 'discard-packets' : `rate-limit ${action.packetsPerSecond}pps`;
      return what + formatAsn(action.asn);
    }
    case 'traffic-action':
      return formatTrafficAction(action.sample, action.terminal);
    case 'marking':
      return `mark ${DSCP_NAMES.toName.get(action.dscp) ?? action.dscp}`;
    case 'redirect-vrf':
      return `redirect vrf ${formatRouteTarget(action.target)}`;
    case 'redirect-vrf-ipv6':
      return `redirect vrf [${formatAddress(action.address)}]:${action.value}`;
    case 'redirect-ip': {
      const how = action.form === 'ietf' ? 'redirect ip' : 'redirect next-hop';
      const where = action.address === undefined ? '' : ` ${formatAddress(action.address)}`;
      return how + where + (action.copy ? ' copy' : '');
    }
    case 'unknown':
      return `community 0x${toHex(action.octets)}`;
  }
}

function formatTrafficAction(sample: boolean, terminal: boolean): string {
  if (!sample && !terminal) return 'traffic-action none';
  return [sample ? 'sample' : '', terminal ? 'terminal' : ''].filter((word) => word !== '').join(' ');
}

function formatAsn(asn: number): string {
  return asn === 0 ? '' : ` asn ${asn}`;
}

/** Formats a rate in the largest unit that gives a whole number: `10mbps`, `1500kbps`, `1500bps`. */
function formatBitRate(bitsPerSecond: number): string {
  for (const [unit, factor] of BIT_RATE_UNITS) {
    if (bitsPerSecond >= factor && bitsPerSecond % factor === 0 && bitsPerSecond < 1e15) {
      return `${bitsPerSecond / factor}${unit}`;
    }
  }
  return `${bitsPerSecond}bps`;
}

const BIT_RATE_UNITS: readonly (readonly [unit: string, factor: number])[] = [
  ['gbps', 1e9],
  ['mbps', 1e6],
  ['kbps', 1e3],
];
