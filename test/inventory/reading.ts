/** Reads a fake NetBox in the test's own thread. */
import assert from 'node:assert/strict';
import type { Result } from '../../src/net/result.ts';
import { makeSourceClient, type SourceFailure } from '../../src/inventory/get-json.ts';
import { type InventoryContent, NoteBook, type SourceNote } from '../../src/inventory/inventory-content.ts';
import { ListReader } from '../../src/inventory/list-reader.ts';
import { apiRoot, readNetBox } from '../../src/inventory/netbox-reader.ts';
import { READ_LIMITS, type ReadLimits, type SourceSettings } from '../../src/inventory/source-settings.ts';
import type { FakeNetBox } from './fake-netbox.ts';

export const SETTINGS: SourceSettings = {
  source: 'netbox',
  url: 'https://netbox.example.net',
  token: undefined,
  caPath: undefined,
  refreshSeconds: 300,
  filter: { tenants: {}, prefixes: {}, ip_addresses: {}, ip_ranges: {}, services: {} },
  vrf: 'global',
  customer: 'tenant',
  profileField: 'prefixd_profile',
  portsField: 'prefixd_ports',
  safelistTag: 'never-mitigate',
  pops: 'none',
  shrinkGuard: 0.8,
  webhookSecret: undefined,
};

export interface Read {
  readonly result: Result<InventoryContent, SourceFailure>;
  readonly notes: readonly SourceNote[];
  readonly apiVersion: string | undefined;
  readonly waits: readonly number[];
}

export async function reading(
  netbox: Pick<FakeNetBox, 'url' | 'token'>,
  settings: Partial<SourceSettings> = {},
  limits: Partial<ReadLimits> = {},
): Promise<Read> {
  const all = { ...READ_LIMITS, ...limits };
  const signal = new AbortController().signal;
  const client = makeSourceClient({ token: netbox.token, ca: undefined, limits: all, signal }, true);
  const waits: number[] = [];
  const lists = new ListReader({
    client,
    root: apiRoot(netbox.url),
    limits: all,
    wait: async (milliseconds) => {
      waits.push(milliseconds);
    },
  });
  const notes = new NoteBook();
  const result = await readNetBox(lists, { ...SETTINGS, url: netbox.url, ...settings }, notes);
  await client.close();
  return { result, notes: notes.all, apiVersion: lists.apiVersion, waits };
}

export async function contentOf(
  netbox: Pick<FakeNetBox, 'url' | 'token'>,
  settings: Partial<SourceSettings> = {},
  limits: Partial<ReadLimits> = {},
): Promise<InventoryContent> {
  const { result } = await reading(netbox, settings, limits);
  assert.ok(result.ok, result.ok ? '' : result.error.text);
  return result.value;
}
