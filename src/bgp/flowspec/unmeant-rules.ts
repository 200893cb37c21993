/**
 * Finds rules that are well formed but cannot be intended: they match no packet, or name values that no packet can
 * have. Such rules have taken routers down (2013-03-03, packet length 99971-99985).
 */
import { componentName, findComponent } from './components.ts';
import { alternatives, fieldMaximum, type Interval, intervalsOf, matchedIntervals } from './intervals.ts';
import {
  type BitmaskComponent,
  type BitmaskOp,
  ComponentType,
  type FlowSpec,
  type NumericComponent,
} from './types.ts';

/** Limits beyond those of the packet format. */
export interface SanityLimits {
  /** Longest packet on any link here, in bytes; default 65535. */
  readonly maxPacketLength?: number;
}

const TCP = 6;
const UDP = 17;

/** Returns why a rule can match no packet or names an impossible value; undefined if nothing is found. */
export function findImpossible(spec: FlowSpec, limits: SanityLimits = {}): string | undefined {
  for (const component of spec.components) {
    const why = impossibleComponent(component, limits);
    if (why !== undefined) return why;
  }
  return impossibleCombination(spec);
}

function impossibleComponent(
  component: FlowSpec['components'][number],
  limits: SanityLimits,
): string | undefined {
  switch (component.type) {
    case 1:
    case 2:
      return undefined;
    case 9:
    case 12:
      return impossibleBits(component);
    default:
      return impossibleNumbers(component, limits);
  }
}

function impossibleNumbers(component: NumericComponent, limits: SanityLimits): string | undefined {
  const name = componentName(component.type);
  const isLength = component.type === ComponentType.PacketLength;
  const most = (isLength ? limits.maxPacketLength : undefined) ?? fieldMaximum(component.type);
  for (const op of component.ops) {
    if (op.value > most) return `${name}: ${op.value} is above ${most}, the maximum of any packet`;
  }
  for (const group of alternatives(component.ops)) {
    if (intervalsOf(group, most).length === 0) return `${name}: an alternative cannot match any packet`;
  }
  return undefined;
}

/** Tries every alternative on all values of the field that differ in a bit of its masks. */
function impossibleBits(component: BitmaskComponent): string | undefined {
  const name = componentName(component.type);
  // The upper four bits of the two octets are the data offset, read as 0 (RFC 8955 §4.2.2.9).
  const field = component.type === ComponentType.TcpFlags ? 0x0fff : 0x0f;
  for (const group of alternatives(component.ops)) {
    let used = 0;
    for (const op of group) used |= op.value;
    if (!canMatch(group, used & field)) return `${name}: an alternative cannot match any packet`;
  }
  return undefined;
}

function canMatch(group: readonly BitmaskOp[], bits: number): boolean {
  // Visits all subsets of `bits`, from the full set to the empty one.
  for (let data = bits; ; data = (data - 1) & bits) {
    if (group.every((op) => holds(op, data))) return true;
    if (data === 0) return false;
  }
}

function holds(op: BitmaskOp, data: number): boolean {
  const hit = op.match ? (data & op.value) === op.value : (data & op.value) !== 0;
  return hit !== op.not;
}

/** Checks components that only some protocols have (RFC 8955 §4.2.2.4 to §4.2.2.9) against the rule's protocol. */
function impossibleCombination(spec: FlowSpec): string | undefined {
  const protocol = findComponent(spec, 3);
  let possible: readonly number[] | undefined;
  for (const component of spec.components) {
    const needed = protocolsWith(component.type, spec.afi);
    if (needed === undefined) continue;
    const name = componentName(component.type);
    if (protocol !== undefined) {
      const allowed = matchedIntervals(protocol);
      if (!needed.some((number) => contains(allowed, number))) {
        return `${name} cannot match any packet: the rule's proto has no ${name}`;
      }
    }
    possible = possible === undefined ? needed : possible.filter((number) => needed.includes(number));
    if (possible.length === 0)
      return `${name} cannot match any packet together with the components before it`;
  }
  return undefined;
}

function protocolsWith(type: number, afi: 1 | 2): readonly number[] | undefined {
  switch (type) {
    case ComponentType.Port:
    case ComponentType.DestinationPort:
    case ComponentType.SourcePort:
      return [TCP, UDP];
    case ComponentType.TcpFlags:
      return [TCP];
    case ComponentType.IcmpType:
    case ComponentType.IcmpCode:
      return [afi === 1 ? 1 : 58];
    default:
      return undefined;
  }
}

function contains(intervals: readonly Interval[], value: number): boolean {
  return intervals.some(([from, to]) => from <= value && value <= to);
}
