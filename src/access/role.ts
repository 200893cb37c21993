/** The roles of callers, and what each may do. */

/**
 * A caller's permissions. `detector`: events and signals; `viewer`: reads; `operator`: all but reload; `admin`: all.
 */
export const ROLES = ['detector', 'viewer', 'operator', 'admin'] as const;

export type Role = (typeof ROLES)[number];

/**
 * The permission that a route requires. `public`: none; `any`: valid credentials; `report`: send events and signals;
 * `read`; `operate`: change mitigations and sessions; `admin`: reload.
 */
export type Access = 'public' | 'any' | 'report' | 'read' | 'operate' | 'admin';

const GRANTS: Readonly<Record<Role, ReadonlySet<Access>>> = {
  detector: new Set<Access>(['public', 'any', 'report']),
  viewer: new Set<Access>(['public', 'any', 'read']),
  operator: new Set<Access>(['public', 'any', 'report', 'read', 'operate']),
  admin: new Set<Access>(['public', 'any', 'report', 'read', 'operate', 'admin']),
};

/** Returns true if a role may use a route. */
export function allows(role: Role, access: Access): boolean {
  return GRANTS[role].has(access);
}
