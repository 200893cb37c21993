/** Maps tenants, or their groups, to customers with unique ids and profiles. Pure. */
import { PROFILE_NAMES, type ProfileName } from '../core/policy/profile.ts';
import type { NoteBook } from './inventory-content.ts';
import type { RawObject } from './list-reader.ts';
import type { TenantGroupObject, TenantObject } from './netbox-objects.ts';
import type { MappingSettings } from './source-settings.ts';

/** A customer without its addresses. */
export interface NamedCustomer {
  readonly id: string;
  readonly name: string;
  readonly profile: ProfileName | undefined;
}

/**
 * Returns the customer of each tenant, by the tenant's id. With `tenant_group`, tenants of one group are one customer,
 * and a tenant without a group is a customer by itself.
 */
export function customersByTenant(
  tenants: readonly TenantObject[],
  groups: readonly TenantGroupObject[],
  settings: MappingSettings,
  notes: NoteBook,
): ReadonlyMap<number, NamedCustomer> {
  const groupById = new Map(groups.map((group) => [group.id, group]));
  const subjectOf = (tenant: TenantObject): TenantObject | TenantGroupObject =>
    settings.customer === 'tenant' || tenant.groupId === undefined
      ? tenant
      : (groupById.get(tenant.groupId) ?? tenant);
  const subjects = new Set(tenants.map(subjectOf));
  const bySlug = new Map<string, number>();
  for (const { slug } of subjects) bySlug.set(slug, (bySlug.get(slug) ?? 0) + 1);
  const named = new Map<TenantObject | TenantGroupObject, NamedCustomer>();
  for (const subject of subjects) {
    const { name, slug, fields } = subject;
    // Slugs of tenants are unique only within their group (since 3.5).
    const isUnique = bySlug.get(slug) === 1;
    const id = isUnique ? slug : `${qualifierOf(subject)}.${slug}`;
    if (!isUnique) notes.add('a slug is not unique; the customer has the name of its group before it', id);
    named.set(subject, { id, name, profile: profileOf(fields, settings, slug, notes) });
  }
  return new Map(
    tenants.flatMap((tenant) => {
      const customer = named.get(subjectOf(tenant));
      return customer === undefined ? [] : [[tenant.id, customer] as const];
    }),
  );
}

function qualifierOf(subject: TenantObject | TenantGroupObject): string {
  if (!('groupSlug' in subject)) return 'group';
  return subject.groupSlug ?? 'tenant';
}

function profileOf(
  fields: RawObject,
  { profileField }: MappingSettings,
  slug: string,
  notes: NoteBook,
): ProfileName | undefined {
  if (profileField === undefined) return undefined;
  const value = fieldText(fields[profileField]);
  if (value === undefined) return undefined;
  const profile = PROFILE_NAMES.find((name) => name === value.toLowerCase());
  if (profile === undefined) {
    notes.add(`the custom field ${profileField} is no profile; the customer has the profile normal`, slug);
  }
  return profile;
}

/** Returns a custom field's text; a selection may be written as an object with its value. */
export function fieldText(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return value.trim() === '' ? undefined : value.trim();
  if (typeof value === 'object' && value !== null && 'value' in value) return fieldText(value.value);
  return undefined;
}
