/** Reads secrets from the environment. The files name variables only, and the values are never shown. */
import { isPrivateHost } from '../alert/post.ts';
import { countWords } from '../net/text.ts';
import type { DeepPartial } from './parse-partial.ts';
import { dotted, type Findings, type Path, type ConfigReport } from './config-problem.ts';
import { isWebUrl } from './schema/fields.ts';
import { DEFAULT_TOKEN_ENV, type Settings } from './schema/prefixd-schema.ts';

/** Variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Secrets by the dotted path of the key that names the variable. */
export type Secrets = ReadonlyMap<string, string>;

/** A secret that the configuration refers to. */
interface Wanted {
  readonly path: Path;
  readonly variable: string;
  /** Says what is wrong with the value without showing it; undefined if it is valid. */
  readonly flaw: (value: string) => string | undefined;
}

/** Shorter tokens can be guessed even through a rate limit (characters). */
const SHORT_TOKEN = 12;

/** Path of the admin token in `Secrets`. */
export const ADMIN_TOKEN_PATH = 'http.auth.bearer_token_env';

/**
 * Reads every secret that the settings name, and reports missing and invalid ones. If `environment` is null, all are
 * empty and unchecked, so that a configuration can be shown on a machine without its secrets.
 */
export function readSecrets(
  settings: DeepPartial<Settings>,
  environment: Environment | null,
  { problem: report, warning }: Findings,
): Secrets {
  const secrets = new Map<string, string>();
  if (environment === null) {
    for (const { path } of wantedSecrets(settings)) secrets.set(dotted(path), '');
    return secrets;
  }
  for (const { path, variable, flaw } of wantedSecrets(settings)) {
    const value = environment[variable];
    if (value === undefined || value === '') {
      const state = value === undefined ? 'is not set' : 'is empty';
      report(
        path,
        `the environment variable ${variable} ${state}`,
        'set it in the environment of the daemon',
      );
      continue;
    }
    const wrong = flaw(value);
    if (wrong !== undefined) {
      report(
        path,
        `the value of the environment variable ${variable} ${wrong}`,
        'correct it in the environment of the daemon',
      );
      continue;
    }
    if (flaw === tokenFlaw && value.length < SHORT_TOKEN) {
      const length = countWords(value.length, 'character');
      const message = `the token in ${variable} has only ${length} and can be guessed`;
      warning(path, message, `use a random one, for example from \`openssl rand -hex 32\``);
    }
    secrets.set(dotted(path), value);
  }
  reportSameTokens(settings, secrets, report);
  return secrets;
}

function* wantedSecrets(settings: DeepPartial<Settings>): Iterable<Wanted> {
  const auth = settings.http?.auth;
  if (auth?.mode === 'bearer') {
    const path = ['http', 'auth', 'bearer_token_env'];
    const tokens = auth.tokens ?? [];
    const variable = auth.bearer_token_env ?? (tokens.length === 0 ? DEFAULT_TOKEN_ENV : undefined);
    if (variable !== undefined) yield { path, variable, flaw: tokenFlaw };
    for (const [i, token] of tokens.entries()) {
      if (token?.token_env === undefined) continue;
      yield { path: ['http', 'auth', 'tokens', i, 'token_env'], variable: token.token_env, flaw: tokenFlaw };
    }
  }
  for (const [i, neighbor] of (settings.bgp?.neighbors ?? []).entries()) {
    const variable = neighbor?.md5_password_env;
    if (variable === undefined) continue;
    yield { path: ['bgp', 'neighbors', i, 'md5_password_env'], variable, flaw: md5Flaw };
  }
  for (const [i, scrubber] of (settings.scrubbers ?? []).entries()) {
    for (const key of ['bearer_env', 'value_env'] as const) {
      const variable = scrubber?.requests?.auth?.[key];
      if (variable === undefined) continue;
      yield { path: ['scrubbers', i, 'requests', 'auth', key], variable, flaw: headerValueFlaw };
    }
  }
  for (const key of ['token_env', 'webhook_secret_env'] as const) {
    const variable = settings.inventory?.[key];
    if (variable === undefined) continue;
    yield { path: ['inventory', key], variable, flaw: headerValueFlaw };
  }
  for (const [i, destination] of (settings.alerting?.destinations ?? []).entries()) {
    for (const key of ['webhook_url_env', 'routing_key_env', 'url_env', 'secret_env'] as const) {
      const variable = (destination as Readonly<Record<string, string | undefined>> | undefined)?.[key];
      if (variable === undefined) continue;
      const allowed = settings.alerting?.allow_private_addresses ?? false;
      const flaw = key.endsWith('url_env') ? urlFlaw(allowed) : headerFlaw;
      yield { path: ['alerting', 'destinations', i, key], variable, flaw };
    }
  }
}

/** A header's value without control characters (RFC 9110 §5.5). */
function headerValueFlaw(value: string): string | undefined {
  return /^[\x20-\x7e]+$/.test(value) ? headerFlaw(value) : 'contains control or non-ASCII characters';
}

/** Allows printable ASCII only, so that clients can send the token in a header (RFC 6750 §2.1). */
function tokenFlaw(value: string): string | undefined {
  return /^[\x21-\x7e]+$/.test(value)
    ? undefined
    : 'is not a valid token: it contains spaces or non-ASCII characters';
}

/** RFC 2385 leaves the length to the implementation; Linux accepts up to 80 bytes (TCP_MD5SIG_MAXKEYLEN). */
function md5Flaw(value: string): string | undefined {
  const octets = new TextEncoder().encode(value).length;
  return octets <= 80 ? undefined : `has ${octets} bytes; a TCP MD5 key has at most 80`;
}

/** Refuses the private addresses that delivery would refuse (src/alert/post.ts). */
function urlFlaw(allowsPrivate: boolean): Wanted['flaw'] {
  return (value) => {
    if (!isWebUrl(value)) return 'is not a URL';
    if (allowsPrivate || !isPrivateHost(new URL(value).hostname)) return undefined;
    return 'is a private address, to which alerts are sent only with alerting.allow_private_addresses: true';
  };
}

function headerFlaw(value: string): string | undefined {
  return value.trim() === value ? undefined : 'begins or ends with whitespace';
}

/** Refuses two tokens with one value, because the caller's role would be ambiguous. */
function reportSameTokens(settings: DeepPartial<Settings>, secrets: Secrets, report: ConfigReport): void {
  const seen = new Map<string, string>();
  const admin = secrets.get(ADMIN_TOKEN_PATH);
  if (admin !== undefined) seen.set(admin, 'bearer_token_env');
  for (const [i, token] of (settings.http?.auth?.tokens ?? []).entries()) {
    const path = ['http', 'auth', 'tokens', i, 'token_env'];
    const value = secrets.get(dotted(path));
    if (value === undefined) continue;
    const other = seen.get(value);
    const owner = `"${token?.name ?? i}"`;
    if (other === undefined) seen.set(value, owner);
    else report(path, `${owner} and ${other} have the same token`, 'give each caller its own token');
  }
}

// Redaction. Secrets are not in the files, except that the path of a URL may be one, or a header or a body of a request.

/** Replaces a secret. */
export const REDACTED = '***';

/** Returns settings with the keys of the file, safe to print: variable names stay, URLs keep their origin only. */
export function showSettings(settings: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, show(key, value)]),
  );
}

function show(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => show(key, item));
  if (typeof value === 'object' && value !== null) {
    const shown = showSettings(Object.fromEntries(Object.entries(value)));
    return key === 'requests' ? withoutContents(shown) : shown;
  }
  if (key === 'url' && typeof value === 'string') return showUrl(value);
  return value;
}

/** Replaces the headers' values and the bodies of a scrubber's requests. */
function withoutContents(requests: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(requests).map(([key, request]) => {
      if ((key !== 'start' && key !== 'stop') || typeof request !== 'object' || request === null) {
        return [key, request];
      }
      const { headers, body }: { headers?: unknown; body?: unknown } = request;
      const names = typeof headers === 'object' && headers !== null ? Object.keys(headers) : [];
      const hidden = Object.fromEntries(names.map((name) => [name, REDACTED]));
      return [key, { ...request, headers: hidden, ...(body === undefined ? {} : { body: REDACTED }) }];
    }),
  );
}

/** Returns `https://host/***`, because user, path and query may contain a token. */
function showUrl(text: string): string {
  if (!URL.canParse(text)) return REDACTED;
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}/${REDACTED}`;
}

/**
 * Replaces every secret in the text. Secrets shorter than 4 characters stay, because they also occur in ordinary words.
 */
export function redactText(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, REDACTED);
  }
  return clean;
}
