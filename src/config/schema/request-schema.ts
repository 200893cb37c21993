/** Defines the section `requests` of a scrubber: the HTTP requests that start and stop its protection. */
import { z } from 'zod';
import { HTTP_METHODS } from '../../alert/post.ts';
import { PLACEHOLDERS } from '../../cloud/request-template.ts';
import { flag, integer, oneOf, text, words } from '../../core/policy/value-kinds.ts';
import { environment, webUrl } from './fields.ts';

const headerName = text('the name of an HTTP header', (value) =>
  /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(value),
);

const headerValue = text(
  'printable ASCII characters, without spaces at the ends',
  (value) => /^[\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?$/.test(value),
  true,
);

const json = z
  .unknown()
  .refine((value) => value !== undefined && value !== null)
  .meta({ expects: 'a section, a list or a text, which is sent as JSON' });

const names = PLACEHOLDERS.map((name) => `\`{${name}}\``).join(', ');

function request(method: (typeof HTTP_METHODS)[number], accepted: readonly number[]) {
  return z.strictObject({
    method: oneOf(HTTP_METHODS).default(method).describe('HTTP method.'),
    url: webUrl.describe(
      `URL. Placeholders after the host are filled with the mitigation's values, percent-encoded: ${names}.`,
    ),
    headers: z
      .record(headerName, headerValue)
      .default({})
      .describe(
        'Further headers, without secrets. `Content-Type` is `application/json` unless it is set here.',
      ),
    body: json
      .optional()
      .describe('Body, sent as JSON; placeholders in its texts are filled. Default: no body.'),
    accept_status: z
      .array(integer(400, 599))
      .default([...accepted])
      .describe('Status codes that mean success, besides 200 to 299.'),
  });
}

const auth = z.strictObject({
  bearer_env: environment
    .optional()
    .describe('Environment variable that contains a token, sent as `Authorization: Bearer`.'),
  header: words.optional().describe('Header that carries the secret of `value_env`, such as `X-Api-Key`.'),
  value_env: environment.optional().describe('Environment variable that contains the value of `header`.'),
});

/** The section `scrubbers[].requests`. */
export const requests = z.strictObject({
  timeout_seconds: integer(1, 60, 'seconds').default(10).describe('Time limit of one attempt.'),
  stop_delay_seconds: integer(0, 86_400, 'seconds')
    .default(30)
    .describe(
      "How long protection continues after the prefix's last mitigation, so that the routers have withdrawn its route before; a new mitigation in that time keeps it.",
    ),
  allow_http: flag
    .default(false)
    .describe('Allows `http://` to other machines, which shows the secret to everyone on the way.'),
  auth: auth.optional().describe('The secret of both requests. Default: none.'),
  start: request('POST', []).describe(
    'Starts protection of a prefix. It may be repeated, so the scrubber must accept it again (or answer a code of `accept_status`).',
  ),
  stop: request('DELETE', [404, 410]).describe('Stops protection of the prefix. It may be repeated, too.'),
});
