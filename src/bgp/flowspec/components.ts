/** Components by number and by the name that operators read and write. */
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

/** The keyword of a component type, or `type N` for one without. */
export function componentName(type: number): string {
  return NAMES[type] || `type ${type}`;
}

/** The component of a type, or undefined when the rule has none. */
export function findComponent(spec: FlowSpec, type: PrefixComponent['type']): PrefixComponent | undefined;
export function findComponent(spec: FlowSpec, type: NumericComponent['type']): NumericComponent | undefined;
export function findComponent(spec: FlowSpec, type: BitmaskComponent['type']): BitmaskComponent | undefined;
export function findComponent(spec: FlowSpec, type: Component['type']): Component | undefined {
  return spec.components.find((component) => component.type === type);
}
