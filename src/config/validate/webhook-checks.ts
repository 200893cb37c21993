/** Checks `detectors.webhooks`: authentication, and every path, pattern and value of the mappings. */
import type { AdapterSettings } from '../../intake/webhook/adapter-settings.ts';
import { compileAdapter } from '../../intake/webhook/compile-adapter.ts';
import type { Findings, Path } from '../config-problem.ts';
import type { DeepPartial } from '../parse-partial.ts';
import type { Settings } from '../schema/prefixd-schema.ts';
import type { WebhookEntry } from '../schema/webhook-schema.ts';

/** Checks webhooks that have passed the schema. */
export function webhookChecks(settings: DeepPartial<Settings>, found: Findings): void {
  for (const [name, entry] of Object.entries(settings.detectors?.webhooks ?? {})) {
    if (entry?.auth === undefined || entry.each === undefined) continue;
    const at: Path = ['detectors', 'webhooks', name];
    authChecks(entry.auth, settings, [...at, 'auth'], found);
    for (const { path, message, fix } of compileAdapter(name, mappingOf(entry as WebhookEntry)).problems) {
      found.problem([...at, ...path], message, fix);
    }
  }
}

/** Returns the mapping of a webhook without its authentication. */
export function mappingOf({ auth: _, ...mapping }: WebhookEntry): AdapterSettings {
  return mapping;
}

/** Lists the sources whose events webhooks make, as far as they are constants. */
export function webhookSources(
  webhooks: DeepPartial<Settings['detectors']['webhooks']> | undefined,
): readonly string[] {
  return Object.entries(webhooks ?? {}).flatMap(([name, entry]) => {
    const source = entry?.source ?? name;
    return typeof source === 'string' && !source.startsWith('$') ? [source] : [];
  });
}

/** Lists the sources whose webhooks report the end of an attack, so that they hold a mitigation until then. */
export function endingSources(webhooks: Settings['detectors']['webhooks']): ReadonlySet<string> {
  return new Set(
    Object.entries<WebhookEntry>(webhooks).flatMap(([name, entry]) => {
      const { adapter } = compileAdapter(name, mappingOf(entry));
      return adapter?.reportsEnd === true ? webhookSources({ [name]: entry }) : [];
    }),
  );
}

function authChecks(
  auth: DeepPartial<WebhookEntry['auth']>,
  { http }: DeepPartial<Settings>,
  at: Path,
  found: Findings,
): void {
  const methods = (['hmac', 'bearer', 'basic'] as const).filter((method) => auth[method] !== undefined);
  if (methods.length !== 1) {
    const message = methods.length === 0 ? 'no method is set' : `${methods.join(' and ')} are set`;
    found.problem(at, message, 'write exactly one of hmac, bearer and basic');
  }
  if (auth.hmac?.algorithm === 'sha1') {
    found.warning([...at, 'hmac', 'algorithm'], 'sha1 is outdated', 'use sha256 if the sender offers it');
  }
  const token = auth.bearer?.token;
  if (token === undefined) return;
  if (http?.auth?.mode !== 'bearer') {
    found.problem(
      [...at, 'bearer', 'token'],
      `tokens have no effect with http.auth.mode ${http?.auth?.mode ?? 'none'}`,
      'set mode: bearer, or omit token',
    );
    return;
  }
  const known = (http.auth.tokens ?? []).find((one) => one?.name === token);
  if (known === undefined) {
    found.problem(
      [...at, 'bearer', 'token'],
      `http.auth.tokens has no "${token}"`,
      'add it there with role: detector',
    );
  } else if (known.role === 'viewer') {
    found.problem(
      [...at, 'bearer', 'token'],
      `the token "${token}" has the role viewer, which may not report`,
      'use one with role: detector',
    );
  }
}
