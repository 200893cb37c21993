/**
 * Every action that a rule can carry, its octets as the standards write them, and what each daemon shows when it is not
 * just that.
 */
import type { Action } from '../../src/bgp/flowspec/types.ts';
import { fromHex } from '../../src/net/bytes.ts';
import type { DaemonKind } from './daemons/daemon.ts';
import type { FlowSpecFamily } from './interop-rig.ts';

/** A daemon's handling of an action, if it does not simply show the octets that were sent. */
export type Otherwise =
  /** It understands the action, and shows it as text (frr) instead of octets. */
  | { readonly does: 'says'; readonly shows: string; readonly nextHop?: string }
  /** It shows something else, or less, than was sent; the rule itself is kept. */
  | { readonly does: 'deviates'; readonly shows: string; readonly nextHop?: string; readonly note: string }
  /** It closes the session. */
  | { readonly does: 'resets'; readonly note: string };

export interface ActionCase {
  /** Description for the docs page. */
  readonly name: string;
  /** In rules of one family only: a redirect goes to an address of the rule's own family. */
  readonly only?: FlowSpecFamily;
  readonly actions: readonly Action[];
  /** Extended communities in hex, written by hand from the standard named beside them. */
  readonly octets: string;
  /** Next hop in MP_REACH_NLRI, as text. */
  readonly nextHop?: string;
  readonly otherwise?: Readonly<Partial<Record<DaemonKind, Otherwise>>>;
}

const address4 = Uint8Array.of(192, 0, 2, 77);
const address6 = fromHex('20010db8000000000000000000000077') ?? new Uint8Array(0);
const says = (shows: string, nextHop?: string): Otherwise => ({
  does: 'says',
  shows,
  ...(nextHop === undefined ? {} : { nextHop }),
});
const deviates = (shows: string, note: string): Otherwise => ({ does: 'deviates', shows, note });

const FRR_TRAFFIC_ACTION = deviates(
  'FS:action eval stops',
  'shows every traffic-action as `eval stops`, whichever bits are set',
);
const FRR_SHORT_TARGET = 'shows the first digit only of the number in the route target';
const FRR_KEEPS = 'keeps the community and does not know it';
const withoutNextHop = (kind: DaemonKind): string =>
  `keeps the community; ${kind} shows no next hop of a FlowSpec rule, which is where the address is`;
const draft00 = (copy: boolean, octets: string, nextHop: string): NonNullable<ActionCase['otherwise']> => ({
  gobgp: deviates(octets, withoutNextHop('gobgp')),
  bird: deviates(octets, withoutNextHop('bird')),
  frr: says(`FS:redirect IP 0x${copy ? 1 : 0}`, nextHop),
});

export const ACTION_CASES: readonly ActionCase[] = [
  {
    name: 'discard',
    actions: [{ type: 'traffic-rate', bitsPerSecond: 0, asn: 0 }],
    octets: '8006000000000000', // RFC 8955 §7.1
    otherwise: { frr: says('FS:rate 0.000000') },
  },
  {
    name: 'rate-limit 9.6 Mbit/s',
    actions: [{ type: 'traffic-rate', bitsPerSecond: 9.6e6, asn: 0 }],
    octets: '8006000049927c00', // RFC 8955 §7.1: 1,200,000 bytes a second
    otherwise: { frr: says('FS:rate 1200000.000000') },
  },
  {
    name: 'rate-limit 1,000 packets/s',
    actions: [{ type: 'traffic-rate-packets', packetsPerSecond: 1000, asn: 0 }],
    octets: '800c0000447a0000', // RFC 8955 §7.2
    otherwise: { frr: deviates('UNK:128, 12', FRR_KEEPS) },
  },
  {
    name: 'sample',
    actions: [{ type: 'traffic-action', sample: true, terminal: false }],
    octets: '8007000000000002', // RFC 8955 §7.3
    otherwise: { frr: FRR_TRAFFIC_ACTION },
  },
  {
    name: 'terminal',
    actions: [{ type: 'traffic-action', sample: false, terminal: true }],
    octets: '8007000000000001', // RFC 8955 §7.3
    otherwise: { frr: FRR_TRAFFIC_ACTION },
  },
  {
    name: 'sample, terminal',
    actions: [{ type: 'traffic-action', sample: true, terminal: true }],
    octets: '8007000000000003', // RFC 8955 §7.3
    otherwise: { frr: FRR_TRAFFIC_ACTION },
  },
  {
    name: 'mark 46',
    actions: [{ type: 'marking', dscp: 46 }],
    octets: '800900000000002e', // RFC 8955 §7.5
    otherwise: { frr: says('FS:marking 46') },
  },
  {
    name: 'rate-limit and mark',
    actions: [
      { type: 'traffic-rate', bitsPerSecond: 9.6e6, asn: 0 },
      { type: 'marking', dscp: 46 },
    ],
    octets: '8006000049927c00 800900000000002e',
    otherwise: { frr: says('FS:rate 1200000.000000 FS:marking 46') },
  },
  {
    name: 'redirect to VRF 65010:66666',
    actions: [{ type: 'redirect-vrf', target: { form: 'as2', asn: 65010, value: 66666 } }],
    octets: '8008fdf20001046a', // RFC 8955 §7.4
    otherwise: { frr: says('FS:redirect VRF RT:65010:66666') },
  },
  {
    name: 'redirect to VRF 192.0.2.77:666',
    actions: [{ type: 'redirect-vrf', target: { form: 'ipv4', address: address4, value: 666 } }],
    octets: '8108c000024d029a', // RFC 8955 §7.4
    otherwise: { frr: deviates('FS:redirect VRF RT:192.0.2.77:6', FRR_SHORT_TARGET) },
  },
  {
    name: 'redirect to VRF 4200000001:666',
    actions: [{ type: 'redirect-vrf', target: { form: 'as4', asn: 4_200_000_001, value: 666 } }],
    octets: '8208fa56ea01029a', // RFC 8955 §7.4
    otherwise: {
      frr: deviates('FS:redirect VRF RT:4200000001:6', FRR_SHORT_TARGET),
      exabgp: { does: 'resets', note: 'closes the connection without a NOTIFICATION' },
    },
  },
  {
    name: 'redirect to VRF by IPv6 address, 2001:db8::77:666',
    actions: [{ type: 'redirect-vrf-ipv6', address: address6, value: 666 }],
    octets: '000d20010db8000000000000000000000077029a', // RFC 8956 §6.1
    otherwise: { frr: deviates('UNK:0, 13', FRR_KEEPS) },
  },
  {
    name: 'redirect to 192.0.2.77',
    only: 'ipv4-flowspec',
    actions: [{ type: 'redirect-ip', form: 'ietf', address: address4, copy: false }],
    octets: '010cc000024d0000', // draft-ietf-idr-flowspec-redirect-ip-02 §3
    otherwise: { frr: says('NH:192.0.2.77:0') },
  },
  {
    name: 'redirect a copy to 192.0.2.77',
    only: 'ipv4-flowspec',
    actions: [{ type: 'redirect-ip', form: 'ietf', address: address4, copy: true }],
    octets: '010cc000024d0001', // draft-ietf-idr-flowspec-redirect-ip-02 §3
    otherwise: { frr: says('NH:192.0.2.77:1') },
  },
  {
    name: 'redirect to 2001:db8::77',
    only: 'ipv6-flowspec',
    actions: [{ type: 'redirect-ip', form: 'ietf', address: address6, copy: false }],
    octets: '000c20010db80000000000000000000000770000', // draft-ietf-idr-flowspec-redirect-ip-02 §3
    otherwise: { frr: deviates('UNK:0, 12', FRR_KEEPS) },
  },
  {
    name: 'redirect a copy to 2001:db8::77',
    only: 'ipv6-flowspec',
    actions: [{ type: 'redirect-ip', form: 'ietf', address: address6, copy: true }],
    octets: '000c20010db80000000000000000000000770001', // draft-ietf-idr-flowspec-redirect-ip-02 §3
    otherwise: { frr: deviates('UNK:0, 12', FRR_KEEPS) },
  },
  ...(['ipv4-flowspec', 'ipv6-flowspec'] as const).flatMap((family) =>
    [false, true].map((copy): ActionCase => {
      const nextHop = family === 'ipv4-flowspec' ? '192.0.2.77' : '2001:db8::77';
      const octets = `080000000000000${copy ? 1 : 0}`; // draft-ietf-idr-flowspec-redirect-ip-00
      return {
        name: `redirect ${copy ? 'a copy ' : ''}to ${nextHop}, in the form of draft-00`,
        only: family,
        actions: [
          {
            type: 'redirect-ip',
            form: 'draft-00',
            address: family === 'ipv4-flowspec' ? address4 : address6,
            copy,
          },
        ],
        octets,
        nextHop,
        otherwise: draft00(copy, octets, nextHop),
      };
    }),
  ),
];

/** Returns the cases that a family's rules can carry. */
export const actionCases = (family: FlowSpecFamily): readonly ActionCase[] =>
  ACTION_CASES.filter((one) => one.only === undefined || one.only === family);

/** Returns what the daemon is expected to show for a rule with this action. */
export function expected(
  one: ActionCase,
  kind: DaemonKind,
): { readonly shows: string; readonly nextHop?: string } {
  const otherwise = one.otherwise?.[kind];
  const shown = otherwise === undefined || otherwise.does === 'resets' ? undefined : otherwise;
  const { nextHop } = shown ?? one;
  return { shows: shown?.shows ?? one.octets, ...(nextHop === undefined ? {} : { nextHop }) };
}
