/** Builds the webhooks of `detectors.webhooks` with their secrets. */
import type { Webhook, WebhookAuth } from '../http/dependencies.ts';
import type { Settings } from './schema/prefixd-schema.ts';
import type { WebhookEntry } from './schema/webhook-schema.ts';
import { type Secrets, secretAt } from './secrets.ts';
import { mappingOf } from './validate/webhook-checks.ts';

export function buildWebhooks(settings: Settings, secrets: Secrets): ReadonlyMap<string, Webhook> {
  const entries = Object.entries<WebhookEntry>(settings.detectors.webhooks);
  return new Map(
    entries.map(([name, entry]) => [
      name,
      { name, auth: buildAuth(name, entry, secrets), mapping: mappingOf(entry) },
    ]),
  );
}

function buildAuth(name: string, { auth }: WebhookEntry, secrets: Secrets): WebhookAuth {
  const { hmac, basic, bearer } = auth;
  const at = ['detectors', 'webhooks', name, 'auth'];
  if (hmac !== undefined) {
    const { header, algorithm, prefix } = hmac;
    const secret = secretAt(secrets, [...at, 'hmac', 'secret_env']);
    return { kind: 'hmac', header: header.toLowerCase(), algorithm, prefix, secret };
  }
  if (basic === undefined) return { kind: 'bearer', token: bearer?.token };
  return { kind: 'basic', user: basic.user, password: secretAt(secrets, [...at, 'basic', 'password_env']) };
}
