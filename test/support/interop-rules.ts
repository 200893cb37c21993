/** The rules that the interop suite announces. */
import type { FlowSpecFamily } from './interop-rig.ts';
import {
  between,
  type ComponentJson,
  compare,
  eq,
  type NumericOpJson,
  type NumericType,
} from './rule-json.ts';

const numeric = (type: NumericType, ...ops: readonly NumericOpJson[]): ComponentJson => ({
  type,
  ops,
});

function victim(family: FlowSpecFamily, n: number): ComponentJson {
  const prefix =
    family === 'ipv4-flowspec'
      ? `198.18.${n >>> 8}.${n & 0xff}/32`
      : `2001:db8:18::${n === 0 ? '' : n.toString(16)}/128`;
  return { type: 1, prefix };
}

/** Destination, UDP and port: prefixd's most frequent rule. */
export const components = (family: FlowSpecFamily, n: number, port = 53): readonly ComponentJson[] => [
  victim(family, n),
  numeric(3, eq(17)),
  numeric(5, eq(port)),
];

/** All components that prefixd's rules can have, within FRR's limits (no `!=`, at most 5 operators in a component). */
export const everything = (family: FlowSpecFamily): readonly ComponentJson[] => [
  victim(family, 99),
  { type: 2, prefix: family === 'ipv4-flowspec' ? '198.51.100.0/24' : '2001:db8:51::/48' },
  numeric(3, eq(6)),
  numeric(5, eq(80), ...between(1024, 2048), compare('>', 50000)),
  numeric(6, eq(123)),
  numeric(7, eq(8)),
  numeric(8, eq(0)),
  { type: 9, ops: [{ and: false, not: false, match: true, value: 2 }] },
  numeric(10, ...between(100, 1500)),
  numeric(11, eq(46)),
  { type: 12, ops: [{ and: false, not: false, match: false, value: 2 }] },
  ...(family === 'ipv6-flowspec' ? [numeric(13, eq(0xabcde))] : []),
];
