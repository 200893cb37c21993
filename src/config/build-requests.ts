/** Converts the requests of scrubbers, with their secrets. */
import type { RequestSettings, RequestTemplate, TemplateJson } from '../cloud/request-template.ts';
import { dotted, type Path } from './config-problem.ts';
import type { Settings } from './schema/prefixd-schema.ts';
import type { Secrets } from './secrets.ts';

type RequestsSection = NonNullable<Settings['scrubbers'][number]['requests']>;

/** Returns the requests by scrubber. Throws RangeError if a secret was not read. */
export function buildRequests(
  { scrubbers }: Pick<Settings, 'scrubbers'>,
  secrets: Secrets,
): ReadonlyMap<string, RequestSettings> {
  return new Map(
    scrubbers.flatMap(({ name, requests }, i) =>
      requests === undefined
        ? []
        : [[name, buildOne(requests, ['scrubbers', i, 'requests', 'auth'], secrets)]],
    ),
  );
}

function buildOne(entry: RequestsSection, at: Path, secrets: Secrets): RequestSettings {
  const secretOf = (key: string): string => {
    const secret = secrets.get(dotted([...at, key]));
    if (secret === undefined) throw new RangeError(`the secret for ${dotted([...at, key])} was not read`);
    return secret;
  };
  const { bearer_env: bearer, header, value_env: value } = entry.auth ?? {};
  const known = [
    ...(bearer === undefined
      ? []
      : [{ name: 'authorization', prefix: 'Bearer ', secret: secretOf('bearer_env') }]),
    ...(header === undefined || value === undefined
      ? []
      : [{ name: header.toLowerCase(), prefix: '', secret: secretOf('value_env') }]),
  ];
  const auth = Object.fromEntries(known.map(({ name, prefix, secret }) => [name, `${prefix}${secret}`]));
  return {
    timeoutMs: entry.timeout_seconds * 1000,
    stopDelayMs: entry.stop_delay_seconds * 1000,
    start: buildTemplate(entry.start, auth),
    stop: buildTemplate(entry.stop, auth),
    secrets: known.map(({ secret }) => secret),
  };
}

function buildTemplate(
  { method, url, headers, body, accept_status: accepted }: RequestsSection['start'],
  auth: Readonly<Record<string, string>>,
): RequestTemplate {
  const own = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const type = body === undefined ? {} : { 'content-type': 'application/json' };
  return {
    method,
    url,
    headers: { ...type, ...Object.fromEntries(own), ...auth },
    // The YAML parser makes nothing else.
    ...(body === undefined ? {} : { body: body as TemplateJson }),
    accepted,
  };
}
