/** Converts `http.auth` and the users file, with their secrets. */
import { resolve } from 'node:path';
import type { CallerScope } from '../access/caller-scope.ts';
import type { ApiToken, AuthSettings } from '../http/dependencies.ts';
import type { SignInSettings } from '../people/sign-in-settings.ts';
import type { AuthData, CallerScopeData, UsersData } from './schema/auth-schema.ts';
import { ADMIN_TOKEN_PATH, CLIENT_SECRET_PATH, secretAt, type Secrets } from './secrets.ts';

/** Returns the section with absolute paths. */
export function withAuthPaths(auth: AuthData, folder: string): AuthData {
  const { sign_in: signIn } = auth;
  const ca = signIn?.oidc?.ca_path;
  if (signIn?.oidc === undefined || ca === undefined) return auth;
  return { ...auth, sign_in: { ...signIn, oidc: { ...signIn.oidc, ca_path: resolve(folder, ca) } } };
}

/** Returns how callers are authenticated. Throws RangeError if a secret was not read. */
export function buildAuth(auth: AuthData, users: UsersData | undefined, secrets: Secrets): AuthSettings {
  const people = buildSignIn(auth, users, secrets);
  const signIn = people === undefined ? {} : { signIn: people };
  switch (auth.mode) {
    case 'none':
      return { mode: 'none' };
    case 'mtls':
      return {
        mode: 'mtls',
        roles: auth.roles === undefined ? undefined : new Map(Object.entries(auth.roles)),
        ...(auth.scopes === undefined ? {} : { scopes: scopesOf(auth.scopes) }),
        ...signIn,
      };
    case 'bearer': {
      const tokens = auth.tokens.map(
        (entry, i): ApiToken => ({
          name: entry.name,
          role: entry.role,
          token: secretAt(secrets, ['http', 'auth', 'tokens', i, 'token_env']),
          ...scopeOf(entry.scope),
          ...(entry.hold === undefined ? {} : { hold: entry.hold }),
        }),
      );
      const admin = secrets.get(ADMIN_TOKEN_PATH);
      if (admin !== undefined) tokens.unshift({ name: 'admin', role: 'admin', token: admin });
      return { mode: 'bearer', tokens, ...signIn };
    }
  }
}

function buildSignIn(
  { sign_in: section }: AuthData,
  users: UsersData | undefined,
  secrets: Secrets,
): SignInSettings | undefined {
  if (section === undefined) return undefined;
  const {
    public_url: publicUrl,
    oidc,
    idle_seconds: idleSeconds,
    absolute_seconds: absoluteSeconds,
  } = section;
  return {
    ...(publicUrl === undefined ? {} : { publicUrl }),
    users: (users?.users ?? []).map(({ name, role, password, scope }) => ({
      name,
      role,
      passwordHash: password,
      ...scopeOf(scope),
    })),
    ...(oidc === undefined
      ? {}
      : {
          oidc: {
            issuer: oidc.issuer,
            clientId: oidc.client_id,
            ...(oidc.client_secret_env === undefined
              ? {}
              : { clientSecret: secretAt(secrets, CLIENT_SECRET_PATH) }),
            scopes: oidc.scopes,
            roleClaim: oidc.role_claim,
            nameClaim: oidc.name_claim,
            grants: oidc.grants.map(({ value, role, scope }) => ({ value, role, ...scopeOf(scope) })),
            ...(oidc.ca_path === undefined ? {} : { caPath: oidc.ca_path }),
          },
        }),
    idleSeconds,
    absoluteSeconds,
  };
}

function scopesOf(scopes: Readonly<Record<string, CallerScopeData>>): ReadonlyMap<string, CallerScope> {
  return new Map(
    Object.entries(scopes).flatMap(([name, data]) => {
      const { scope } = scopeOf(data);
      return scope === undefined ? [] : [[name, scope]];
    }),
  );
}

/** A section without limits is none. */
function scopeOf(data: CallerScopeData | undefined): { readonly scope?: CallerScope } {
  const { customers, pops, actions } = data ?? {};
  const scope: CallerScope = {
    ...(customers === undefined ? {} : { customers }),
    ...(pops === undefined ? {} : { pops }),
    ...(actions === undefined ? {} : { actions }),
  };
  return Object.keys(scope).length === 0 ? {} : { scope };
}
