/** What of the configuration may be shown. Secrets are not in the files, save for URLs, whose path may be one. */

/** What stands in place of a secret. */
export const REDACTED = '***';

/** Settings in the words of the file as they may be printed: names of variables stay, URLs keep their origin only. */
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
    return showSettings(Object.fromEntries(Object.entries(value)));
  }
  if (key === 'url' && typeof value === 'string') return showUrl(value);
  return value;
}

/** `https://host/***`: user, path and query may hold a token. */
function showUrl(text: string): string {
  if (!URL.canParse(text)) return REDACTED;
  const { protocol, host } = new URL(text);
  return `${protocol}//${host}/${REDACTED}`;
}

/** The text with every occurrence of a secret replaced. Secrets shorter than 4 characters would tear ordinary words. */
export function redactText(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length >= 4) clean = clean.replaceAll(secret, REDACTED);
  }
  return clean;
}
