/** Reads secrets from the environment. The files name variables only, and the values are never shown. */
import { isPrivateHost } from '../alert/post.ts';
import { countWords } from '../net/text.ts';
import type { DeepPartial } from './parse-partial.ts';
import { dotted, type Findings, type Path, type ConfigReport } from './config-problem.ts';
import { isWebUrl } from './schema/fields.ts';
import { DEFAULT_TOKEN_ENV } from './schema/auth-schema.ts';
import type { Settings } from './schema/prefixd-schema.ts';

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

/** Path of the OpenID Connect client's secret. */
export const CLIENT_SECRET_PATH: Path = ['http', 'auth', 'sign_in', 'oidc', 'client_secret_env'];

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
  const client = auth?.sign_in?.oidc?.client_secret_env;
  if (client !== undefined) yield { path: CLIENT_SECRET_PATH, variable: client, flaw: headerValueFlaw };
  if (settings.storage?.driver === 'postgres' && settings.storage.url_env !== undefined) {
    yield { path: ['storage', 'url_env'], variable: settings.storage.url_env, flaw: databaseFlaw };
  }
  for (const [i, neighbor] of (settings.bgp?.neighbors ?? []).entries()) {
    const variable = neighbor?.md5_password_env;
    if (variable === undefined) continue;
    yield { path: ['bgp', 'neighbors', i, 'md5_password_env'], variable, flaw: md5Flaw };
  }
  if (settings.exchange?.url_env !== undefined) {
    yield { path: ['exchange', 'url_env'], variable: settings.exchange.url_env, flaw: databaseFlaw };
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
  for (const [name, entry] of Object.entries(settings.detectors?.webhooks ?? {})) {
    const at = ['detectors', 'webhooks', name, 'auth'];
    const { hmac, basic } = entry?.auth ?? {};
    if (hmac?.secret_env !== undefined) {
      yield { path: [...at, 'hmac', 'secret_env'], variable: hmac.secret_env, flaw: headerFlaw };
    }
    if (basic?.password_env !== undefined) {
      yield { path: [...at, 'basic', 'password_env'], variable: basic.password_env, flaw: headerFlaw };
    }
  }
  for (const [i, destination] of (settings.alerting?.destinations ?? []).entries()) {
    if (destination === undefined) continue;
    const flaws = destinationFlaws(settings.alerting?.allow_private_addresses ?? false, destination.type);
    for (const [key, flaw] of Object.entries(flaws)) {
      const variable = (destination as Readonly<Record<string, string | undefined>>)[key];
      if (variable !== undefined) yield { path: ['alerting', 'destinations', i, key], variable, flaw };
    }
  }
}

/** Returns the keys of destinations that name a secret, each with its check. */
function destinationFlaws(
  allowsPrivate: boolean,
  type: string | undefined,
): Readonly<Record<string, Wanted['flaw']>> {
  const url = urlFlaw(allowsPrivate);
  return {
    webhook_url_env: type === 'teams' ? (value) => connectorFlaw(value) ?? url(value) : url,
    bot_token_env: botTokenFlaw,
    routing_key_env: headerFlaw,
    api_key_env: headerValueFlaw,
    url_env: url,
    secret_env: headerFlaw,
  };
}

function connectorFlaw(value: string): string | undefined {
  return isConnectorUrl(value)
    ? 'is the URL of a connector, which Microsoft has ended; create a workflow in Teams and use its URL'
    : undefined;
}

/** True for the URL of an Office 365 connector of Teams, which the app Workflows has replaced. */
export function isConnectorUrl(value: string): boolean {
  const host = URL.canParse(value) ? new URL(value).hostname : '';
  return /(?:^|\.)(?:webhook\.office\.com|outlook\.office(?:365)?\.com)$/.test(host);
}

/** The token is a part of the URL's path. */
function botTokenFlaw(value: string): string | undefined {
  return /^\d+:[\w-]+$/.test(value) ? undefined : 'is not the token of a bot, such as 123456:ABC-DEF';
}

/** A header's value without control characters (RFC 9110 §5.5). */
function headerValueFlaw(value: string): string | undefined {
  return /^[\x20-\x7e]+$/.test(value) ? headerFlaw(value) : 'contains control or non-ASCII characters';
}

/** Returns a secret that was read. Throws RangeError for any other path. */
export function secretAt(secrets: Secrets, path: Path): string {
  const secret = secrets.get(dotted(path));
  if (secret === undefined) throw new RangeError(`the secret for ${dotted(path)} was not read`);
  return secret;
}

/** Allows printable ASCII only, so that clients can send the token in a header (RFC 6750 §2.1). */
function tokenFlaw(value: string): string | undefined {
  return /^[\x21-\x7e]+$/.test(value)
    ? undefined
    : 'is not a valid token: it contains spaces or non-ASCII characters';
}

function databaseFlaw(value: string): string | undefined {
  return /^postgres(?:ql)?:\/\/\S+$/.test(value) ? undefined : 'is not a URL that begins with postgresql://';
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
