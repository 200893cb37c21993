/** Renders a rule with a redirect, for tests of its octets. */
import type { Dialect } from '../../src/bgp/flowspec/dialect.ts';
import { render, type Rendering } from '../../src/control/render-rule.ts';
import type { RedirectTarget } from '../../src/core/action.ts';
import { NO_TARGETS } from '../../src/core/policy/scrubbers.ts';
import { neighborPolicy } from './support.ts';

/** Renders a redirect of all traffic to a host for a platform. `host`: another last octet or group, in decimal digits. */
export function redirected(
  dialect: Dialect,
  family: 4 | 6,
  target: RedirectTarget,
  copy?: true,
  host = 10,
): Rendering {
  const dstPrefix = family === 4 ? `203.0.113.${host}/32` : `2001:db8:acd::${host}/128`;
  return render(
    {
      match: { dstPrefix, protocol: null, dstPorts: [], srcPorts: [] },
      action: { type: 'redirect', rateBps: null, target, ...(copy === undefined ? {} : { copy }) },
      mitigationId: 'm',
    },
    neighborPolicy('edge1', { dialect }),
    NO_TARGETS,
  );
}
