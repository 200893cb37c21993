/** Looks up components by number and by the name that operators read and write. */
import { makePrefix, type Prefix } from '../../net/prefix.ts';
import {
  type BitmaskComponent,
  type Component,
  ComponentType,
  type FlowSpec,
  type NumericComponent,
  type PrefixComponent,
} from './types.ts';

/** Keywords of the operator notation, by component type (see docs/notation.md). */
export const COMPONENT_KEYWORDS = {
  dst: ComponentType.DestinationPrefix,
  src: ComponentType.SourcePrefix,
  proto: ComponentType.IpProtocol,
  port: ComponentType.Port,
  'dst-port': ComponentType.DestinationPort,
  'src-port': ComponentType.SourcePort,
  'icmp-type': ComponentType.IcmpType,
  'icmp-code': ComponentType.IcmpCode,
  'tcp-flags': ComponentType.TcpFlags,
  length: ComponentType.PacketLength,
  dscp: ComponentType.Dscp,
  fragment: ComponentType.Fragment,
  'flow-label': ComponentType.FlowLabel,
} as const;

const NAMES: readonly string[] = ['', ...Object.keys(COMPONENT_KEYWORDS)];

/** Returns the keyword of a component type, or `type N` if it has none. */
export function componentName(type: number): string {
  return NAMES[type] || `type ${type}`;
}

/** Returns the component of a type, or undefined if the rule has none. */
export function findComponent(spec: FlowSpec, type: PrefixComponent['type']): PrefixComponent | undefined;
export function findComponent(spec: FlowSpec, type: NumericComponent['type']): NumericComponent | undefined;
export function findComponent(spec: FlowSpec, type: BitmaskComponent['type']): BitmaskComponent | undefined;
export function findComponent(spec: FlowSpec, type: Component['type']): Component | undefined {
  return spec.components.find((component) => component.type === type);
}

/**
 * Makes a prefix component of the bits from `offset` to the prefix length. The bits before the offset are not in the
 * rule and not sent (RFC 8956 §3.1); they are cleared, so that each rule has one form.
 */
export function prefixComponent(
  type: PrefixComponent['type'],
  prefix: Prefix,
  offset: number,
): PrefixComponent {
  if (offset === 0) return { type, prefix, offset };
  const address = prefix.address.slice();
  const whole = offset >>> 3;
  address.fill(0, 0, whole);
  if (whole < address.length) address[whole] = (address[whole] as number) & (0xff >>> (offset & 7));
  return { type, prefix: makePrefix(address, prefix.length), offset };
}
