/**
 * Lays inventory.yaml over the customers of another system: what is written wins. A written customer replaces the other
 * system's of the same id, and a written prefix or asset takes the same one away from the other system's customers.
 * Narrower and wider entries stay, because the longest match decides.
 */
import { formatPrefix, parsePrefix, unmapped } from '../../net/prefix.ts';
import {
  type AssetData,
  type CustomerData,
  type InventoryData,
  prefixOf,
  type ServiceData,
} from './inventory-schema.ts';
import { assetPrefixes } from './ownership.ts';

/** What is left of a system's customers. */
export interface Overlaid {
  readonly customers: readonly CustomerData[];
  /** Each one's index in the system's own list. */
  readonly places: readonly number[];
}

/** The entries that are written, in canonical form. */
interface WrittenEntries {
  readonly ids: ReadonlySet<string>;
  readonly prefixes: ReadonlySet<string>;
  readonly assets: ReadonlySet<string>;
}

/** Does it in steps of one entry, so that callers can let the event loop run between them. */
export function* overlaySteps(written: InventoryData, system: InventoryData): Generator<undefined, Overlaid> {
  if (written.customers.length === 0) {
    return { customers: system.customers, places: [...system.customers.keys()] };
  }
  const entries = yield* writtenEntries(written);
  const customers: CustomerData[] = [];
  const places: number[] = [];
  for (const [place, customer] of system.customers.entries()) {
    if (entries.ids.has(customer.customer_id)) continue;
    customers.push(yield* withoutWritten(customer, entries));
    places.push(place);
    yield;
  }
  return { customers, places };
}

function* writtenEntries({ customers }: InventoryData): Generator<undefined, WrittenEntries> {
  const ids = new Set<string>();
  const prefixes = new Set<string>();
  const assets = new Set<string>();
  for (const customer of customers) {
    ids.add(customer.customer_id);
    yield;
    for (const entry of customer.prefixes ?? []) {
      prefixes.add(prefixKey(prefixOf(entry)));
      yield;
    }
    for (const { ip, range_end: end } of (customer.services ?? []).flatMap((one) => one.assets ?? [])) {
      for (const key of assetKeys(ip, end)) assets.add(key);
      yield;
    }
  }
  return { ids, prefixes, assets };
}

function* withoutWritten(
  customer: CustomerData,
  written: WrittenEntries,
): Generator<undefined, CustomerData> {
  const { prefixes, services } = customer;
  const leftServices: ServiceData[] = [];
  for (const service of services ?? []) leftServices.push(yield* serviceWithout(service, written.assets));
  return {
    ...customer,
    ...(prefixes === undefined
      ? {}
      : { prefixes: yield* kept(prefixes, (entry) => !written.prefixes.has(prefixKey(prefixOf(entry)))) }),
    ...(services === undefined ? {} : { services: leftServices }),
  };
}

function* serviceWithout(
  service: ServiceData,
  written: ReadonlySet<string>,
): Generator<undefined, ServiceData> {
  if (service.assets === undefined || written.size === 0) return service;
  const isLeft = ({ ip, range_end: end }: AssetData): boolean =>
    !assetKeys(ip, end).some((key) => written.has(key));
  return { ...service, assets: yield* kept(service.assets, isLeft) };
}

function* kept<Item>(items: readonly Item[], test: (item: Item) => boolean): Generator<undefined, Item[]> {
  const left: Item[] = [];
  for (const item of items) {
    if (test(item)) left.push(item);
    yield;
  }
  return left;
}

function prefixKey(text: string): string {
  const prefix = parsePrefix(text);
  return prefix.ok ? formatPrefix(unmapped(prefix.value)) : text;
}

function assetKeys(ip: string, end: string | undefined): readonly string[] {
  const read = assetPrefixes(ip, end);
  return 'prefixes' in read ? read.prefixes.map(formatPrefix) : [];
}
