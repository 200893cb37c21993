/** Defines the sections `scrubbers` and `blackhole` of prefixd.yaml: where traffic can be sent. */
import { z } from 'zod';
import { DEFAULT_RETURN, MAX_UNICAST_TTL_SECONDS, NO_TARGETS } from '../../core/policy/scrubbers.ts';
import { address, decimal, flag, integer, routeTarget, words } from '../../core/policy/value-kinds.ts';
import { community, name, webUrl } from './fields.ts';
import { requests } from './request-schema.ts';

const { nextHopV4, nextHopV6 } = NO_TARGETS.blackhole.target;

const seconds = integer(0, MAX_UNICAST_TTL_SECONDS, 'seconds');

const returning = z.strictObject({
  min_seconds: seconds
    .default(DEFAULT_RETURN.minSeconds)
    .describe(
      "How long traffic stays away at least: a detector's silence proves nothing, since it does not see it.",
    ),
  quiet_seconds: seconds
    .default(DEFAULT_RETURN.quietSeconds)
    .describe('How long nothing must be reported after that, unless the scrubber reports clean traffic.'),
  backoff: decimal(1, 10)
    .default(DEFAULT_RETURN.backoff)
    .describe('Factor on `min_seconds` if the attack comes back within an hour of the return.'),
  max_seconds: seconds
    .default(DEFAULT_RETURN.maxSeconds)
    .describe('Limit of `min_seconds` after that factor.'),
});

/** Keys of every kind of unicast route. */
const unicastKeys = {
  communities: z
    .array(community)
    .default([])
    .describe('Standard and large communities to attach, besides those that the kind requires.'),
  export: flag
    .default(false)
    .describe('If true, the route carries no NO_EXPORT, so that a neighbor may announce it to others.'),
  max_ttl_seconds: integer(1, MAX_UNICAST_TTL_SECONDS, 'seconds')
    .default(MAX_UNICAST_TTL_SECONDS)
    .describe('Longest TTL, in place of `timers.max_ttl_seconds`.'),
  return: returning.prefault({}).describe('When the traffic returns to its usual way.'),
};

const divert = z.strictObject({
  next_hop_v4: address
    .optional()
    .describe('Next hop of the routes for IPv4 victims. Default: none are diverted.'),
  next_hop_v6: address
    .optional()
    .describe('Next hop of the routes for IPv6 victims. Default: none are diverted.'),
  prefix_length_v4: integer(8, 32).default(32).describe('Length of the IPv4 prefix that is diverted.'),
  prefix_length_v6: integer(16, 128).default(128).describe('Length of the IPv6 prefix that is diverted.'),
  ...unicastKeys,
});

const redirect = z.strictObject({
  ipv4: address.optional().describe('Address to which rules for IPv4 victims redirect.'),
  ipv6: address.optional().describe('Address to which rules for IPv6 victims redirect.'),
  vrf: routeTarget
    .optional()
    .describe('Route target of a VRF, for routers that cannot redirect to an address.'),
});

const probe = z.strictObject({
  url: webUrl.describe('URL of a GET request, which a healthy scrubber answers with a status of 200 to 299.'),
  interval_seconds: integer(1, 3600, 'seconds').default(10).describe('Time between two requests.'),
  timeout_seconds: integer(1, 60, 'seconds').default(3).describe('Longest wait for an answer.'),
  failures: integer(1, 100)
    .default(3)
    .describe('Failures in a row after which the scrubber is unhealthy and its mitigations leave it.'),
  successes: integer(1, 100)
    .default(2)
    .describe('Answers in a row after which the scrubber is healthy again.'),
});

const scrubber = z.strictObject({
  name: name.describe('Name in playbooks, the API, logs and metrics; unique.'),
  redirect: redirect.prefault({}).describe('Targets of FlowSpec rules with `action: redirect`.'),
  divert: divert.optional().describe('Routes with `action: divert`. Default: nothing can be diverted to it.'),
  max_diverted: integer(0, 100_000).default(10).describe('Mitigations that divert to it at one time.'),
  probe: probe.optional().describe('Health probe. Default: the scrubber counts as healthy.'),
  requests: requests
    .optional()
    .describe(
      'HTTP requests that start and stop protection of a prefix at a cloud scrubber. Default: it needs none.',
    ),
});

/** The section `scrubbers`. */
export const scrubbers = z.array(scrubber);

/** The section `blackhole`. */
export const blackhole = z.strictObject({
  allowed: flag
    .default(false)
    .describe(
      'Allows `action: blackhole`: a host route with the BLACKHOLE community (RFC 7999), which drops all traffic of the victim.',
    ),
  next_hop_v4: address.default(nextHopV4 ?? '').describe('Next hop of the routes for IPv4 victims.'),
  next_hop_v6: address.default(nextHopV6 ?? '').describe('Next hop of the routes for IPv6 victims.'),
  customers: z
    .array(words)
    .default([])
    .describe('`customer_id` of those that may be blackholed. Default: all.'),
  ...unicastKeys,
  return: returning
    .extend({
      probe_seconds: integer(0, 3600, 'seconds')
        .default(0)
        .describe(
          'How long a blackhole is lifted before it ends, to see whether the attack goes on; if it does, it is announced again. Default: it ends at once.',
        ),
    })
    .prefault({})
    .describe('When the traffic returns to its usual way.'),
});
