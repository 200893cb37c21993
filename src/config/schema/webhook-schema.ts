/** Defines `detectors.webhooks`: how other systems' JSON is authenticated and mapped to events. */
import { z } from 'zod';
import { flag, oneOf, words } from '../../core/policy/value-kinds.ts';
import { text } from '../../core/policy/value-kinds.ts';
import { genericEventSchema } from '../../intake/generic.ts';
import { MAPPED_FIELDS, type MappedField } from '../../intake/webhook/adapter-settings.ts';
import { environment, name } from './fields.ts';

const headerName = text('the name of an HTTP header', (value) =>
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(value),
);

const hmac = z.strictObject({
  header: headerName.describe('Header that contains the signature, in hexadecimal or base64.'),
  algorithm: oneOf(['sha256', 'sha1', 'sha512']).default('sha256').describe('Hash function.'),
  prefix: z.string().max(32).default('').describe('Text before the signature, such as `sha256=`.'),
  secret_env: environment.describe('Environment variable that contains the key. The raw body is signed.'),
});

const bearer = z.strictObject({
  token: name
    .optional()
    .describe(
      'Name of the only entry of `http.auth.tokens` that may call this webhook. Default: every caller that may report attacks.',
    ),
});

const basic = z.strictObject({
  user: text('a user name without a colon', (value) => /^[\x21-\x39\x3b-\x7e]{1,128}$/.test(value)).describe(
    'User name.',
  ),
  password_env: environment.describe('Environment variable that contains the password.'),
});

const auth = z.strictObject({
  hmac: hmac.optional().describe('A signature of the body (RFC 2104).'),
  bearer: bearer.optional().describe('A token of `http.auth`, or whatever else that accepts.'),
  basic: basic.optional().describe('User and password (RFC 7617).'),
});

/** A value that the mapping names. */
const plain = z.union([words, z.number(), flag]).meta({ expects: 'text, a number, or true or false' });

const path = words;

const mapping = z.strictObject({
  path: z
    .union([path, z.array(path).min(1)])
    .optional()
    .meta({ expects: 'a JSONPath, or a list of them' })
    .describe('JSONPath (RFC 9535) in the part; of several, the first that gives a value.'),
  constant: plain.optional().describe('The value itself.'),
  split: z.string().max(16).optional().describe('Text between the values of one text.'),
  map: z.record(z.string(), plain).optional().describe("Values by the sender's words; case does not matter."),
  match: z
    .array(z.tuple([words, plain]).meta({ expects: 'a list of two: a regular expression and a value' }))
    .min(1)
    .optional()
    .describe('Values by regular expressions, which may begin with `(?i)`; the first that matches is used.'),
  scale: z.number().optional().describe('Factor on a number.'),
  unit: words.optional().describe('Unit of a rate, such as `kbit/s`, `bytes/s` or `kpps`.'),
  format: words.optional().describe('Form of a time, such as `YYYY-MM-DD HH:mm:ss UTC`.'),
  otherwise: plain
    .optional()
    .describe('The value if there is none, or if neither `map` nor `match` knows it.'),
});

const FIELD = z.union([words, mapping]).meta({
  expects:
    'a JSONPath that begins with "$", a constant, or a section with path, constant, split, map, match, scale, unit, format, otherwise',
});

/** Meanings that differ from those in an event. */
const MEANINGS: Partial<Readonly<Record<MappedField, string>>> = {
  source: "The detector's name. Default: the webhook's name.",
  event_id: "The alarm's id: a repeated alarm keeps its mitigation, and the end of the alarm releases it.",
  timestamp: 'When the attack began, or ended.',
  action: '`ban`, `unban` or `ignore`. Default: `ban`.',
  victim_ip: 'Address or prefix under attack; several values are several events.',
};

function meaningOf(field: MappedField): string {
  return MEANINGS[field] ?? `${genericEventSchema.shape[field].description ?? field}.`;
}

function fieldsShape() {
  const entries = MAPPED_FIELDS.map((field) => [field, FIELD.optional().describe(meaningOf(field))] as const);
  return Object.fromEntries(entries) as Record<MappedField, z.ZodOptional<typeof FIELD>>;
}

const webhook = z
  .strictObject({
    auth: auth
      .default({ bearer: {} })
      .describe('Authentication of the sender: exactly one of `hmac`, `bearer` and `basic`.'),
    each: path
      .default('$')
      .describe('JSONPath of the parts of a document; each is an event. In the other keys, `$` is the part.'),
    ...fieldsShape(),
  })
  .describe('One webhook, at `POST /v1/signals/webhook/NAME`.');

export type WebhookEntry = z.output<typeof webhook>;

/** The webhooks by name. */
export const webhooks = z.record(name, webhook);
