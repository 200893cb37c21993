/** Reads the users file that prefixd.yaml names. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Findings, Path } from './config-problem.ts';
import { LIMITS } from './file-limits.ts';
import { validParts } from './parse-partial.ts';
import type { AuthData, UsersData } from './schema/auth-schema.ts';
import { settingsSchema } from './schema/prefixd-schema.ts';
import type { YamlSource } from './yaml/yaml.ts';

export const USERS_FILE_PATH: Path = ['http', 'auth', 'sign_in', 'users_file'];

/** Returns the absolute path of the users file; undefined if the settings name none. */
export function usersFileOf(settings: YamlSource, folder: string): string | undefined {
  const name = validParts(settingsSchema, settings)?.http?.auth?.sign_in?.users_file;
  return name === undefined ? undefined : resolve(folder, name);
}

/** Limit of the file's size (bytes). */
export const USERS_BYTES = LIMITS.playbooksBytes;

/** Permission bits of other users. */
const OTHERS = 0o007;

/** Warns if others can read the hashes, and guess at leisure, or can change them. */
export async function usersFileExposure(
  settings: YamlSource,
  folder: string,
  { warning }: Findings,
): Promise<void> {
  const path = usersFileOf(settings, folder);
  if (path === undefined) return;
  const mode = await stat(path).then(
    (stats) => stats.mode,
    // Reading it reports a missing file.
    () => 0,
  );
  if ((mode & OTHERS) === 0) return;
  const message = `every user of this machine can read or change ${path}, which has password hashes`;
  warning(USERS_FILE_PATH, message, "chmod 600 the file, owned by the daemon's user");
}

/** Checks what the schema cannot: names that occur twice, and scopes of customers that do not exist. */
export function userChecks(
  data: UsersData,
  customerIds: readonly string[] | undefined,
  { problem, warning }: Findings,
): void {
  const seen = new Set<string>();
  for (const [i, { name, scope }] of data.users.entries()) {
    if (seen.has(name)) {
      problem(['users', i, 'name'], `name "${name}" is used twice`, 'give each entry its own name');
    }
    seen.add(name);
    unknownCustomers(scope?.customers, customerIds, ['users', i, 'scope', 'customers'], warning);
  }
}

/** Warns about the scopes of callers that name customers who do not exist. */
export function callerScopeChecks(
  auth: Pick<AuthData, 'tokens' | 'scopes' | 'sign_in'>,
  customerIds: readonly string[] | undefined,
  { warning }: Findings,
): void {
  const check = (scope: { readonly customers?: readonly string[] | undefined } | undefined, at: Path): void =>
    unknownCustomers(scope?.customers, customerIds, [...at, 'customers'], warning);
  for (const [i, { scope }] of auth.tokens.entries()) check(scope, ['http', 'auth', 'tokens', i, 'scope']);
  for (const [name, scope] of Object.entries(auth.scopes ?? {}))
    check(scope, ['http', 'auth', 'scopes', name]);
  for (const [i, { scope }] of (auth.sign_in?.oidc?.grants ?? []).entries()) {
    check(scope, ['http', 'auth', 'sign_in', 'oidc', 'grants', i, 'scope']);
  }
}

function unknownCustomers(
  customers: readonly string[] | undefined,
  known: readonly string[] | undefined,
  at: Path,
  warning: Findings['warning'],
): void {
  if (known === undefined) return;
  for (const [i, customer] of (customers ?? []).entries()) {
    if (known.includes(customer)) continue;
    warning(
      [...at, i],
      `the inventory has no customer "${customer}"`,
      'correct the customer_id, or remove it',
    );
  }
}
