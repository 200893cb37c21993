/** Defines `http.auth` of prefixd.yaml, and the users file: who may call the API, and what each may do. */
import { z } from 'zod';
import { ROLES } from '../../access/role.ts';
import { ACTION_TYPES } from '../../core/action.ts';
import { HOLD_MODES } from '../../core/types.ts';
import { flag, integer, oneOf, popNames, text, words } from '../../core/policy/value-kinds.ts';
import { isPasswordHash } from '../../people/passwords.ts';
import { environment, isWebUrl, name, path } from './fields.ts';

/** Default environment variable of the admin token. */
export const DEFAULT_TOKEN_ENV = 'PREFIXD_API_TOKEN';

const role = oneOf(ROLES);

/** People are no detectors. */
const personsRole = oneOf(['viewer', 'operator', 'admin']);

const customers = z
  .array(words)
  .min(1)
  .meta({ expects: 'a list of customers by `customer_id`, such as [acme]' })
  .describe(
    'Customers of the inventory: the caller sees and changes only what concerns them. Default: all, and what belongs to none.',
  );

const scope = z.strictObject({
  customers: customers.optional(),
  pops: popNames
    .optional()
    .describe(
      'POPs: the caller sees mitigations for their routers, and changes those for no others. Default: all.',
    ),
  actions: z
    .array(oneOf(ACTION_TYPES))
    .optional()
    .describe('Actions of the mitigations that the caller may begin and end; `[]`: none. Default: all.'),
});

const SCOPE = 'Limits beside the role. Default: none.';

const token = z.strictObject({
  name: name.describe("The caller's name in the audit log."),
  role: role.describe(
    '`detector`: send events and signals; `viewer`: read; `operator`: everything except reload; `admin`: everything.',
  ),
  token_env: environment.describe('Environment variable that contains the token.'),
  scope: scope.optional().describe(SCOPE),
  hold: oneOf(HOLD_MODES)
    .optional()
    .describe('How mitigations reported with this token are held; takes precedence over `detectors`.'),
});

const origin = text(
  'the origin of a URL, such as "https://prefixd.example.net", without a path',
  (value) => isWebUrl(value) && new URL(value).origin === value,
);

const issuer = text('the URL of an issuer, such as "https://login.example.net"', isWebUrl);

const claimGrant = z.strictObject({
  value: words.describe('A value of the claim `role_claim`, such as a group.'),
  role: personsRole.describe('The role of people who have it.'),
  scope: scope.optional().describe(SCOPE),
});

const oidc = z.strictObject({
  issuer: issuer.describe("The provider's issuer, exactly as in its metadata."),
  client_id: words.describe('The id under which prefixd is registered there.'),
  client_secret_env: environment
    .optional()
    .describe('Environment variable that contains the client secret. Default: none, for a public client.'),
  scopes: z
    .array(words)
    .default(['profile'])
    .describe(
      'Scopes to ask for, besides `openid`; the one that adds `role_claim`, if the provider has one.',
    ),
  role_claim: words
    .default('groups')
    .describe(
      'Claim with the values that `grants` names; a path with dots leads into objects: `realm_access.roles`.',
    ),
  name_claim: words.default('preferred_username').describe('Claim with the name that people read.'),
  grants: z
    .array(claimGrant)
    .min(1)
    .describe(
      'Roles by value of the claim; the first one that matches decides, and without one nobody gets in.',
    ),
  ca_path: path
    .optional()
    .describe("PEM file with the CA that signed the provider's certificate. Default: the usual ones."),
});

const DAY = 86_400;

const signIn = z.strictObject({
  public_url: origin
    .optional()
    .describe(
      'Origin under which browsers reach this API. Required for `oidc`, and behind a TLS proxy. Register `<public_url>/v1/sign-in/oidc/callback` at the provider.',
    ),
  users_file: path
    .optional()
    .describe('File with people and the hashes of their passwords, for sites without a provider.'),
  oidc: oidc.optional().describe('An OpenID Connect provider.'),
  idle_seconds: integer(60, DAY, 'seconds')
    .default(3_600)
    .describe('A sign-in ends when it was not used for so long. A page that nobody touches does not use it.'),
  absolute_seconds: integer(60, 30 * DAY, 'seconds')
    .default(43_200)
    .describe('A sign-in ends after this time in any case.'),
});

/** The section `http.auth`. */
export const auth = z.strictObject({
  mode: oneOf(['none', 'bearer', 'mtls'])
    .default('none')
    .describe('Method of authentication for machines. `mtls` needs `http.tls` with `ca_path`.'),
  bearer_token_env: environment
    .optional()
    .describe(
      `Environment variable that contains an admin's token. Default with mode bearer and no \`tokens\`: ${DEFAULT_TOKEN_ENV}.`,
    ),
  tokens: z.array(token).default([]).describe('More tokens, each with a name and a role.'),
  roles: z
    .record(words, role)
    .optional()
    .describe(
      'mTLS: role by CN of the client certificate. If set, a CN that is not listed is refused. Default: every client is admin.',
    ),
  scopes: z
    .record(words, scope)
    .optional()
    .describe('mTLS: limits by CN of the client certificate; keys as in `tokens[].scope`. Default: none.'),
  sign_in: signIn
    .optional()
    .describe(
      'Sign-in of people, besides the mode: in the dashboard, and with `prefixd login`. Default: off.',
    ),
  allow_insecure: flag
    .default(false)
    .describe(
      'Allows mode none on an address that is not loopback. Anyone who reaches that address can drop traffic.',
    ),
});

const user = z.strictObject({
  name: text('a name of 1 to 64 letters, digits, ".", "_", "@" or "-"', (value) =>
    /^[\w.@-]{1,64}$/.test(value),
  ).describe('Name to sign in with; also the name in the audit log.'),
  role: personsRole.describe('`viewer`: read; `operator`: everything except reload; `admin`: everything.'),
  password: text(
    'a hash that `prefixd users hash` has printed, never the password itself',
    isPasswordHash,
    true,
  ).describe('Hash of the password, as `prefixd users hash` prints it.'),
  scope: scope.optional().describe(SCOPE),
});

/** The content of the users file. */
export const usersSchema = z.strictObject({
  users: z.array(user).max(10_000).describe('People who may sign in with a password.'),
});

export type UsersData = z.output<typeof usersSchema>;

/** The section `http.auth`, with defaults filled in. */
export type AuthData = z.output<typeof auth>;

/** The limits of a caller in the files. */
export type CallerScopeData = z.output<typeof scope>;
