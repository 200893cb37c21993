/** Defines the section `bgp` of prefixd.yaml: the speaker and its neighbors. */
import { RULE_KINDS } from '../../core/action.ts';
import { z } from 'zod';
import { DIALECTS } from '../../bgp/flowspec/dialect.ts';
import type { FamilyName } from '../../bgp/wire/iana.ts';
import { FAMILIES } from '../../bgp/wire/iana.ts';
import { flag, integer, oneOf } from '../../core/policy/value-kinds.ts';
import {
  address,
  asn,
  bgpListen,
  community,
  environment,
  holdTime,
  ipv4Identifier,
  name,
  neighborAddress,
} from './fields.ts';

const familyNames = Object.keys(FAMILIES) as [FamilyName, ...FamilyName[]];

const gracefulRestart = z.strictObject({
  restart_time_seconds: integer(0, 4095, 'seconds')
    .default(120)
    .describe('Time for which the neighbor may keep the rules while this daemon is down (RFC 4724 §3).'),
  long_lived_stale_seconds: integer(0, 16777215, 'seconds')
    .default(0)
    .describe('Further time for which it may keep them as stale (RFC 9494); 0 disables this.'),
});

const neighbor = z.strictObject({
  name: name.describe('Name in the API, logs and metrics; unique.'),
  address: neighborAddress.describe(
    "The neighbor's address: IPv4, IPv6 (link-local with a zone, `fe80::1%eth0`), or `unix:/path/to.sock`.",
  ),
  port: integer(1, 65535).default(179).describe('TCP port to connect to.'),
  local_address: address.optional().describe('Local address of the session, whichever side connects.'),
  peer_asn: asn.describe("The neighbor's AS number; equal to `local_asn` for iBGP."),
  passive: flag.default(false).describe('Never connect; wait for the neighbor to connect to `bgp.listen`.'),
  enabled: flag.default(true).describe('If false, the neighbor is administratively down.'),
  md5_password_env: environment
    .optional()
    .describe('Environment variable that contains the TCP MD5 key (RFC 2385), 1 to 80 bytes.'),
  ttl_security_hops: integer(1, 254)
    .optional()
    .describe('GTSM (RFC 5082): the largest distance of the neighbor in hops; 1 is directly connected.'),
  hold_time_seconds: holdTime
    .default(90)
    .describe(
      'Hold time to offer; the lower value of both sides applies. With 0 neither side notices that the other has failed.',
    ),
  families: z
    .array(oneOf(familyNames))
    .min(1)
    .default(['ipv4-flowspec', 'ipv6-flowspec'])
    .describe('Address families to offer, besides those that `announce` needs.'),
  graceful_restart: gracefulRestart
    .optional()
    .describe('Lets the neighbor keep the rules while this daemon restarts. Disabled by default.'),
  dialect: oneOf(DIALECTS)
    .default('generic')
    .describe('Router platform: selects supported matches and action encodings.'),
  max_rules: integer(1, 1_000_000)
    .default(1000)
    .describe('Most FlowSpec rules to announce to it. If exceeded, stricter and then older rules are kept.'),
  announce: z
    .array(oneOf(RULE_KINDS))
    .min(1)
    .default(['flowspec'])
    .describe(
      'What the neighbor is given: FlowSpec rules, and the unicast routes of `action: divert` and `action: blackhole`. Unicast families are offered for the IP versions that `families` names; without `flowspec`, no FlowSpec family is.',
    ),
  max_unicast: integer(0, 100_000)
    .default(50)
    .describe('Most unicast routes to announce to it. If exceeded, stricter and then older ones are kept.'),
  communities: z
    .array(community)
    .default([])
    .describe('Standard and large communities to attach to every rule for this neighbor.'),
});

/** The section `bgp`. */
export const bgp = z.strictObject({
  mode: oneOf(['native', 'mock'])
    .default('native')
    .describe('`native` speaks BGP; `mock` keeps the rules in memory, to try a policy without a router.'),
  local_asn: asn.describe("This daemon's AS number."),
  router_id: ipv4Identifier.describe("This daemon's BGP identifier; unique among its neighbors."),
  listen: bgpListen
    .optional()
    .describe('Address and port on which passive sessions are accepted. Default: none.'),
  neighbors: z.array(neighbor).default([]).describe('The routers.'),
});
