/** What may stand in prefixd.yaml about the speaker and its neighbors. */
import { z } from 'zod';
import { DIALECTS } from '../../bgp/flowspec/dialect.ts';
import type { FamilyName } from '../../bgp/wire/iana.ts';
import { FAMILIES } from '../../bgp/wire/iana.ts';
import {
  address,
  asn,
  bgpListen,
  community,
  environment,
  flag,
  holdTime,
  integer,
  ipv4Identifier,
  name,
  neighborAddress,
  oneOf,
} from './fields.ts';

const familyNames = Object.keys(FAMILIES) as [FamilyName, ...FamilyName[]];

const gracefulRestart = z.strictObject({
  restart_time_seconds: integer(0, 4095, 'seconds')
    .default(120)
    .describe('How long the neighbor may keep the rules while this daemon is away (RFC 4724 §3).'),
  long_lived_stale_seconds: integer(0, 16777215, 'seconds')
    .default(0)
    .describe('How much longer it may keep them as stale (RFC 9494); 0 turns that off.'),
});

const neighbor = z.strictObject({
  name: name.describe('Name in the API, logs and metrics; unique.'),
  address: neighborAddress.describe(
    'Where the neighbor is: IPv4, IPv6 (link-local with a zone, `fe80::1%eth0`), or `unix:/path/to.sock`.',
  ),
  port: integer(1, 65535).default(179).describe('TCP port to dial.'),
  local_address: address
    .optional()
    .describe('Address to dial from, and at which the neighbor must arrive when it dials.'),
  peer_asn: asn.describe('AS number of the neighbor; equal to `local_asn` for iBGP.'),
  passive: flag.default(false).describe('Never dial, wait for the neighbor on `bgp.listen`.'),
  enabled: flag.default(true).describe('False keeps the neighbor administratively down.'),
  md5_password_env: environment
    .optional()
    .describe('Environment variable that holds the key of TCP MD5 signatures (RFC 2385), 1 to 80 octets.'),
  ttl_security_hops: integer(1, 254)
    .optional()
    .describe('GTSM (RFC 5082): how many hops away the neighbor may be; 1 is directly connected.'),
  hold_time_seconds: holdTime
    .default(90)
    .describe(
      'Hold time to offer; the lower of both sides applies. With 0 no side notices that the other has failed.',
    ),
  families: z
    .array(oneOf(familyNames))
    .min(1)
    .default(['ipv4-flowspec', 'ipv6-flowspec'])
    .describe('Exactly these address families are offered.'),
  graceful_restart: gracefulRestart
    .optional()
    .describe('Lets the neighbor keep the rules while this daemon restarts. Absent: not offered.'),
  dialect: oneOf(DIALECTS)
    .default('generic')
    .describe('What the router is, and so what it can match and how it wants actions said.'),
  max_rules: integer(1, 1_000_000)
    .default(1000)
    .describe('Rules it may be given. Of more, the stricter and the older ones stay.'),
  communities: z
    .array(community)
    .default([])
    .describe('Communities attached to every rule for this neighbor, standard and large.'),
});

/** The section `bgp`. */
export const bgp = z.strictObject({
  mode: oneOf(['native', 'mock'])
    .default('native')
    .describe('`native` talks BGP; `mock` holds the rules in memory, to try a policy without a router.'),
  local_asn: asn.describe('AS number of this daemon.'),
  router_id: ipv4Identifier.describe('BGP identifier of this daemon; unique among its neighbors.'),
  listen: bgpListen.optional().describe('Where passive sessions are accepted. Absent: nowhere.'),
  neighbors: z.array(neighbor).default([]).describe('The routers.'),
});
