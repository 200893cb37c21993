/** Warns about socket options that neighbors need and this machine does not support. */
import { securedText } from '../../bgp/speaker/tcp/native.ts';
import { netTransport } from '../../bgp/speaker/tcp/net-transport.ts';
import { findingsIn } from '../assemble.ts';
import { validParts } from '../parse-partial.ts';
import { settingsSchema } from '../schema/prefixd-schema.ts';
import type { ConfigProblem } from '../types.ts';
import type { YamlSource } from '../yaml/yaml.ts';

/** Keys of a neighbor that need socket options for which Node has no API. */
const SECURED = ['md5_password_env', 'ttl_security_hops'] as const;

/** Resolves to the reason why sockets lack these options here, and the fix; undefined if they are supported. */
export type AskLacking = () => Promise<string | undefined>;

/** Returns the warnings. Checks the machine only if the daemon would speak BGP with a configured neighbor. */
export async function socketWarnings(
  settings: YamlSource,
  lacking: AskLacking = async () => netTransport.lacking?.(),
): Promise<readonly ConfigProblem[]> {
  const { bgp } = validParts(settingsSchema, settings) ?? {};
  const neighbors = bgp?.mode === 'mock' ? [] : (bgp?.neighbors ?? []);
  if (neighbors.length === 0) return [];
  const why = await lacking();
  if (why === undefined) return [];
  const warnings: ConfigProblem[] = [];
  const { warning } = findingsIn(settings, { problems: [], warnings });
  warning(
    ['bgp', 'neighbors'],
    `rules will count as sent before the routers have acknowledged them: ${why}`,
    'do so before the daemon starts',
  );
  for (const [i, neighbor] of neighbors.entries()) {
    for (const key of SECURED) {
      if (neighbor?.[key] === undefined) continue;
      const message = `the neighbor would stay down: ${securedText(why)}`;
      warning(['bgp', 'neighbors', i, key], message, `do so, or remove ${key} here and on the router`);
    }
  }
  return warnings;
}
