/** Who may sign in, and what they may do then. */
import type { Role } from '../access/role.ts';
import type { CallerScope } from '../access/caller-scope.ts';

/** What a person may do. */
export interface Grant {
  readonly role: Role;
  /** Absent: not limited. */
  readonly scope?: CallerScope;
}

/** A person in the users file. */
export interface LocalUser extends Grant {
  readonly name: string;
  /** As `prefixd users hash` prints it. */
  readonly passwordHash: string;
}

/** What people get in whose claim the provider lists this value. */
export interface ClaimGrant extends Grant {
  readonly value: string;
}

/** An OpenID Connect provider. */
export interface OidcSettings {
  /** As in the provider's own metadata. */
  readonly issuer: string;
  readonly clientId: string;
  /** Absent: a public client, which PKCE alone protects. */
  readonly clientSecret?: string;
  readonly scopes: readonly string[];
  /** The claim with the values that `grants` names; dots lead into objects. */
  readonly roleClaim: string;
  /** The claim with the name that people read. */
  readonly nameClaim: string;
  /** The first one whose value the claim has decides. */
  readonly grants: readonly ClaimGrant[];
  /** Path of a PEM file with the CA of the provider's certificate; absent: the usual ones. */
  readonly caPath?: string;
}

export interface SignInSettings {
  /** The origin under which browsers reach the API, without a slash at the end; absent: no provider is configured. */
  readonly publicUrl?: string;
  readonly users: readonly LocalUser[];
  readonly oidc?: OidcSettings;
  /** A session ends when it was not used for so long. */
  readonly idleSeconds: number;
  /** A session ends at this age. */
  readonly absoluteSeconds: number;
}

/** The issuer of people in the users file. */
export const LOCAL_ISSUER = 'local';

/** A person whose identity was proven. */
export type Identity =
  | { readonly kind: 'local'; readonly name: string }
  | {
      readonly kind: 'oidc';
      readonly issuer: string;
      readonly clientId: string;
      readonly subject: string;
      readonly name: string;
      /** The values of the role claim. */
      readonly values: readonly string[];
    };

/** The name that the audit log knows a person by: unique, and never given to another. */
export interface Subject {
  readonly issuer: string;
  readonly subject: string;
}

export function subjectOf(identity: Identity): Subject {
  return identity.kind === 'local'
    ? { issuer: LOCAL_ISSUER, subject: identity.name }
    : { issuer: identity.issuer, subject: identity.subject };
}

/** A grant, and a text that changes whenever sessions with it must end: with the role, the scope, the password or the grants. */
export interface CurrentGrant extends Grant {
  readonly seal: string;
}

/** Returns what a person may do by these settings; undefined: may not sign in. */
export function grantFor(settings: SignInSettings, identity: Identity): CurrentGrant | undefined {
  if (identity.kind === 'local') {
    const user = settings.users.find(({ name }) => name === identity.name);
    return user === undefined ? undefined : sealed(user, user.passwordHash);
  }
  const { oidc } = settings;
  if (oidc?.issuer !== identity.issuer || oidc.clientId !== identity.clientId) return undefined;
  // An identity has only the values that had a grant when it was proven: any change of the list may decide otherwise now.
  const grant = oidc.grants.find(({ value }) => identity.values.includes(value));
  return grant === undefined ? undefined : sealed(grant, JSON.stringify([oidc.roleClaim, oidc.grants]));
}

function sealed({ role, scope }: Grant, proof: string): CurrentGrant {
  const { customers, pops, actions } = scope ?? {};
  const seal = JSON.stringify([role, customers ?? null, pops ?? null, actions ?? null, proof]);
  return { role, ...(scope === undefined ? {} : { scope }), seal };
}
