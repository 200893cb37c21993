/** Checks the HTTP requests of scrubbers. Never shows a URL, a header's value or a body, which may contain secrets. */
import { isPrivateHost } from '../../alert/post.ts';
import {
  fillTemplate,
  isPlaceholder,
  originPart,
  PLACEHOLDERS,
  placeholdersIn,
  type PlaceholderValues,
} from '../../cloud/request-template.ts';
import { likely } from '../../net/nearest.ts';
import type { Findings, Path } from '../config-problem.ts';
import { isLoopback } from '../schema/fields.ts';
import type { Settings } from '../schema/prefixd-schema.ts';

type RequestsEntry = NonNullable<Settings['scrubbers'][number]['requests']>;
type RequestEntry = RequestsEntry['start'];

/** Headers that the connection needs for itself. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Headers that are for secrets. */
const SECRET = new Set(['authorization', 'cookie', 'proxy-authorization', 'x-api-key', 'x-auth-token']);

/** Checks `scrubbers[].requests`. */
export function requestChecks({ scrubbers }: Pick<Settings, 'scrubbers'>, found: Findings): void {
  for (const [i, { requests }] of scrubbers.entries()) {
    if (requests === undefined) continue;
    const at: Path = ['scrubbers', i, 'requests'];
    authChecks(requests, [...at, 'auth'], found);
    for (const key of ['start', 'stop'] as const) {
      urlChecks(requests[key], requests.allow_http, [...at, key, 'url'], found);
      headerChecks(requests[key], requests.auth?.header, [...at, key, 'headers'], found);
      const names = [...placeholdersIn(requests[key].url), ...bodyChecks(requests[key], [...at, key], found)];
      if (names.length > 0) continue;
      const why = `the ${key} does not say what it is about: neither its URL nor its body has a placeholder`;
      found.warning([...at, key], why, 'write {prefix}, for example');
    }
  }
}

function authChecks({ auth }: RequestsEntry, at: Path, found: Findings): void {
  if (auth === undefined) return;
  const { bearer_env: bearer, header, value_env: value } = auth;
  if ((header === undefined) !== (value === undefined)) {
    const [there, missing] = header === undefined ? ['value_env', 'header'] : ['header', 'value_env'];
    found.problem([...at, there], `${there} has no effect without ${missing}`, `add ${missing}`);
  }
  if (bearer === undefined && header === undefined && value === undefined) {
    found.problem(at, 'auth names no secret', 'write bearer_env, or header and value_env');
  }
  if (header === undefined) return;
  if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(header) || FRAMING.has(header.toLowerCase())) {
    found.problem([...at, 'header'], `"${header}" cannot carry a secret`, 'write the name of another header');
  } else if (bearer !== undefined && header.toLowerCase() === 'authorization') {
    found.problem([...at, 'header'], 'bearer_env already sets Authorization', 'remove one of the two');
  }
}

/** Values with which a template is tried. */
const SAMPLE: PlaceholderValues = {
  victim_ip: '203.0.113.10',
  prefix: '203.0.113.10/32',
  customer_id: 'customer',
  mitigation_id: '00000000-0000-4000-8000-000000000001',
  scrubber: 'scrubber',
  pop: 'pop',
  vector: 'udp_flood',
};

function urlChecks({ url: template }: RequestEntry, allowHttp: boolean, at: Path, found: Findings): void {
  const names = placeholdersIn(template);
  for (const name of names) placeholderCheck(name, at, found);
  if (placeholdersIn(originPart(template)).length > 0) {
    found.problem(at, 'a placeholder names the server', 'use placeholders only after the host');
    return;
  }
  if (names.some((name) => !isPlaceholder(name))) return;
  const { protocol, hostname, username, password } = new URL(template);
  if (username !== '' || password !== '') {
    found.problem(at, 'the URL contains a user name or a password', 'remove it, and use auth');
  }
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (protocol === 'http:' && !isLoopback(host) && !isOwnName(host)) {
    const why = `requests to ${hostname} are sent unencrypted`;
    if (allowHttp) found.warning(at, why, 'use https://');
    else found.problem(at, why, 'use https://; allow_http controls unencrypted requests');
  }
  const request = { method: 'POST', url: template, headers: {}, accepted: [] } as const;
  if (template.includes('\\') || !fillTemplate(request, SAMPLE).ok) {
    found.problem(
      at,
      'the path has a segment "." or "..", or a backslash',
      'write the whole path without them',
    );
  }
}

/** True for `localhost` and names below it, which are this machine (RFC 6761 §6.3). */
function isOwnName(host: string): boolean {
  return /(?:^|\.)localhost\.?$/.test(host) && isPrivateHost(host);
}

function headerChecks(
  { headers }: RequestEntry,
  authHeader: string | undefined,
  at: Path,
  found: Findings,
): void {
  const seen = new Set<string>();
  for (const [written, value] of Object.entries(headers)) {
    const name = written.toLowerCase();
    const place = [...at, written];
    if (seen.has(name)) found.problem(place, `the header ${written} is written twice`, 'remove one of them');
    seen.add(name);
    if (FRAMING.has(name)) {
      found.problem(place, `the header ${written} is set by the connection`, 'remove it');
    } else if (name === authHeader?.toLowerCase()) {
      found.problem(place, `auth already sets the header ${written}`, 'remove it here');
    } else if (SECRET.has(name)) {
      const fix = 'remove it, and name an environment variable in auth';
      found.problem(place, `the header ${written} carries a secret, which must not be in the file`, fix);
    }
    if (placeholdersIn(value).length > 0) {
      found.problem(place, 'placeholders are not filled in headers', 'use them in url or body');
    }
  }
}

/** Checks a body, and returns its placeholders. */
function bodyChecks({ body }: RequestEntry, at: Path, found: Findings): readonly string[] {
  const names: string[] = [];
  const visit = (value: unknown, path: Path): void => {
    if (typeof value === 'string') {
      for (const name of placeholdersIn(value)) {
        names.push(name);
        placeholderCheck(name, path, found);
      }
    } else if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) visit(item, [...path, i]);
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, inner] of Object.entries(value)) {
        if (placeholdersIn(key).length > 0) {
          found.problem([...path, key], 'placeholders are not filled in keys', 'use them in values');
        }
        visit(inner, [...path, key]);
      }
    }
  };
  if (body !== undefined) visit(body, [...at, 'body']);
  return names;
}

function placeholderCheck(name: string, at: Path, found: Findings): void {
  if (isPlaceholder(name)) return;
  const guess = likely(name, PLACEHOLDERS);
  const known = PLACEHOLDERS.map((one) => `{${one}}`).join(', ');
  const fix = guess === undefined ? `write one of ${known}` : `did you mean {${guess}}?`;
  found.problem(at, `unknown placeholder {${name}}`, fix);
}
