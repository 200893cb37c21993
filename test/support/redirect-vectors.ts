/** The octets of a redirect for each platform and family, put together by hand from the standards. */
import type { Dialect } from '../../src/bgp/flowspec/dialect.ts';
import type { RedirectTarget } from '../../src/core/action.ts';

/** What a rule with a redirect carries, in hex. */
export interface RedirectOctets {
  readonly extendedCommunities?: string;
  readonly ipv6ExtendedCommunities?: string;
  readonly nextHop?: string;
}

export interface RedirectCase {
  readonly family: 4 | 6;
  readonly target: RedirectTarget;
  readonly copy?: true;
  /** By the platform; a platform that is absent cannot do it. */
  readonly octets: Readonly<Partial<Record<Dialect, RedirectOctets>>>;
}

// draft-ietf-idr-flowspec-redirect-ip-02 §3: 0x010c, address, flags; 0x000c for an IPv6 address. Their last bit says copy.
const IETF4: RedirectOctets = { extendedCommunities: '010cc00002500000' };
const IETF6: RedirectOctets = { ipv6ExtendedCommunities: '000c20010db80000000000000000000000800000' };
// draft-ietf-idr-flowspec-redirect-ip-00: 0x0800, and the address is the next hop.
const DRAFT4: RedirectOctets = { extendedCommunities: '0800000000000000', nextHop: 'c0000250' };
const DRAFT6: RedirectOctets = {
  extendedCommunities: '0800000000000000',
  nextHop: '20010db8000000000000000000000080',
};

const everywhere = (octets: RedirectOctets): RedirectCase['octets'] => ({
  ...{ generic: octets, juniper: octets, 'cisco-xr': octets, arista: octets, nokia: octets, huawei: octets },
});

/** RFC 8955 §7.4: 0x8008 with an AS number of 2 octets, 0x8108 with an IPv4 address, 0x8208 with an AS number of 4. */
const VRFS: readonly (readonly [vrf: string, octets: string])[] = [
  ['65010:66666', '8008fdf20001046a'],
  ['192.0.2.9:666', '8108c0000209029a'],
  ['4200000000:666', '8208fa56ea00029a'],
  ['2:65010:666', '82080000fdf2029a'],
];

export const REDIRECT_CASES: readonly RedirectCase[] = [
  {
    family: 4,
    target: { ip: '192.0.2.80' },
    octets: { generic: IETF4, juniper: IETF4, nokia: IETF4, huawei: IETF4, 'cisco-xr': DRAFT4 },
  },
  {
    family: 4,
    target: { ip: '192.0.2.80' },
    copy: true,
    octets: { generic: { extendedCommunities: '010cc00002500001' } },
  },
  {
    family: 6,
    target: { ip: '2001:db8::80' },
    octets: { generic: IETF6, nokia: IETF6, 'cisco-xr': DRAFT6 },
  },
  {
    family: 6,
    target: { ip: '2001:db8::80' },
    copy: true,
    octets: { generic: { ipv6ExtendedCommunities: '000c20010db80000000000000000000000800001' } },
  },
  ...([4, 6] as const).flatMap((family): readonly RedirectCase[] => [
    ...VRFS.map(([vrf, extendedCommunities]) => ({
      ...{ family, target: { vrf }, octets: everywhere({ extendedCommunities }) },
    })),
    // RFC 8956 §6.1: 0x000d, address, number.
    {
      family,
      target: { vrf: '[2001:db8::77]:666' },
      octets: { generic: { ipv6ExtendedCommunities: '000d20010db8000000000000000000000077029a' } },
    },
    { family, target: { vrf: '65010:66666' }, copy: true, octets: {} },
  ]),
];
