/**
 * Templates of the HTTP requests that start and stop protection at a scrubber. A template has placeholders from a closed
 * list, and no code: a value can neither change the structure of a URL nor of a JSON body.
 */
import type { HttpRequest } from '../alert/post.ts';
import { failed, ok, type Result } from '../net/result.ts';

/** The placeholders, as they are written between braces. */
export const PLACEHOLDERS = [
  'victim_ip',
  'prefix',
  'customer_id',
  'mitigation_id',
  'scrubber',
  'pop',
  'vector',
] as const;

export type Placeholder = (typeof PLACEHOLDERS)[number];

/** A value for each placeholder; empty if the mitigation has none. */
export type PlaceholderValues = Readonly<Record<Placeholder, string>>;

/** JSON as the configuration has it. */
export type TemplateJson =
  | string
  | number
  | boolean
  | null
  | readonly TemplateJson[]
  | { readonly [key: string]: TemplateJson };

/** A request whose URL and body have placeholders. `headers` include the secret. */
export interface RequestTemplate {
  readonly method: NonNullable<HttpRequest['method']>;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: TemplateJson;
  /** Status codes that mean success, besides 2xx. */
  readonly accepted: readonly number[];
}

/** The requests of one scrubber. */
export interface RequestSettings {
  /** Time limit of one attempt (ms). */
  readonly timeoutMs: number;
  /** Time from the end of the last mitigation to the stop (ms). */
  readonly stopDelayMs: number;
  readonly start: RequestTemplate;
  readonly stop: RequestTemplate;
  /** Texts that must never be shown. */
  readonly secrets: readonly string[];
}

/** Any `{word}` is a placeholder; other braces are text. */
const HOLE = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Returns the names in a text that stand where a placeholder does, known or not. */
export function placeholdersIn(text: string): readonly string[] {
  return [...text.matchAll(HOLE)].map(([, name = '']) => name);
}

export function isPlaceholder(name: string): name is Placeholder {
  return PLACEHOLDERS.some((one) => one === name);
}

/** Returns the part of a URL that names the server: everything before its path. */
export function originPart(url: string): string {
  return /^[^/?#]*(?:\/\/[^/?#]*)?/.exec(url)?.[0] ?? '';
}

/**
 * Fills a template; fails if a value that the URL needs is missing or would change its path. The values in the URL are
 * percent-encoded (RFC 3986 §2.1).
 */
export function fillTemplate(
  { method, url, headers, body }: RequestTemplate,
  values: PlaceholderValues,
): Result<HttpRequest> {
  const missing = placeholdersIn(url).find((name) => isPlaceholder(name) && values[name] === '');
  if (missing !== undefined) return failed(`the mitigation has no ${missing}, which the URL needs`);
  const filled = fill(url, values, encodeText);
  if (!keepsItsPath(filled)) return failed('a value would change the path of the URL');
  if (body === undefined) return ok({ method, url: filled, headers });
  return ok({ method, url: filled, headers, body: JSON.stringify(fillJson(body, values)) });
}

function fill(text: string, values: PlaceholderValues, encode: (value: string) => string): string {
  return text.replaceAll(HOLE, (hole, name: string) => (isPlaceholder(name) ? encode(values[name]) : hole));
}

/** Percent-encodes a value; lone surrogates, which have no UTF-8 form, become U+FFFD. */
function encodeText(value: string): string {
  return encodeURIComponent(value.replaceAll(/\p{Surrogate}/gu, '\ufffd'));
}

/** Fills texts only: the keys, and so the structure, stay as they are written. */
function fillJson(json: TemplateJson, values: PlaceholderValues): TemplateJson {
  if (typeof json === 'string') return fill(json, values, (value) => value);
  if (typeof json !== 'object' || json === null) return json;
  if (isList(json)) return json.map((item) => fillJson(item, values));
  return Object.fromEntries(Object.entries(json).map(([key, inner]) => [key, fillJson(inner, values)]));
}

function isList(json: TemplateJson): json is readonly TemplateJson[] {
  return Array.isArray(json);
}

/**
 * Returns true if no segment of the path is `.` or `..`, encoded or not: URL parsers remove it together with the segment
 * before it (WHATWG URL, path state), and a request to stop one protection could become one to stop all.
 */
function keepsItsPath(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const path = url.slice(originPart(url).length).replace(/[?#].*$/s, '');
  return new URL(url).pathname.split('/').length === Math.max(2, path.split('/').length);
}
