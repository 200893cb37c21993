/**
 * What a source knows: customers, as in inventory.yaml, and prefixes that are never mitigated. In normal form, so that
 * equal content has one text and one digest, in whatever order the source has listed it.
 */
import { hash } from 'node:crypto';
import { z } from 'zod';
import { type CustomerData, type InventoryData, prefixOf } from '../core/policy/inventory-schema.ts';
import { inventorySchema } from '../core/policy/inventory-schema.ts';
import { prefix } from '../core/policy/value-kinds.ts';

export interface InventoryContent extends InventoryData {
  readonly safelist: readonly string[];
}

export const contentSchema = inventorySchema.extend({
  safelist: z.array(prefix).default([]).describe('Prefixes that are never mitigated.'),
});

/** Counts what a content has. */
export interface ContentSize {
  readonly customers: number;
  readonly prefixes: number;
  readonly assets: number;
  readonly safelist: number;
}

export function sizeOf({ customers, safelist }: InventoryContent): ContentSize {
  let [prefixes, assets] = [0, 0];
  for (const customer of customers) {
    prefixes += customer.prefixes?.length ?? 0;
    for (const service of customer.services ?? []) assets += service.assets?.length ?? 0;
  }
  return { customers: customers.length, prefixes, assets, safelist: safelist.length };
}

/** Orders by UTF-16 units: independent of any language. */
export function inTextOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Orders customers, prefixes, services, assets and the safelist. */
export function normalContent({ customers, safelist }: InventoryContent): InventoryContent {
  return {
    customers: [...customers]
      .sort((a, b) => inTextOrder(a.customer_id, b.customer_id))
      .map((customer) => ({
        ...customer,
        ...(customer.prefixes === undefined ? {} : { prefixes: orderedPrefixes(customer.prefixes) }),
        ...(customer.services === undefined ? {} : { services: orderedServices(customer.services) }),
      })),
    safelist: [...new Set(safelist)].sort(inTextOrder),
  };
}

function orderedPrefixes(prefixes: NonNullable<CustomerData['prefixes']>): CustomerData['prefixes'] {
  return [...prefixes].sort((a, b) => inTextOrder(prefixOf(a), prefixOf(b)));
}

function orderedServices(services: NonNullable<CustomerData['services']>): CustomerData['services'] {
  return [...services]
    .sort((a, b) => inTextOrder(a.service_id, b.service_id))
    .map((service) => ({
      ...service,
      ...(service.assets === undefined
        ? {}
        : {
            assets: [...service.assets].sort(
              (a, b) => inTextOrder(a.ip, b.ip) || inTextOrder(a.range_end ?? '', b.range_end ?? ''),
            ),
          }),
    }));
}

/** Returns the digest of a content's text. */
export function digestOf(text: string): string {
  return `sha256:${hash('sha256', text, 'hex')}`;
}

/** What a read has left out or decided by itself, by kind, with one example. */
export interface SourceNote {
  readonly text: string;
  readonly count: number;
  readonly example: string;
}

/** Collects notes of a few kinds, however many objects they are about. */
export class NoteBook {
  readonly #notes = new Map<string, { count: number; readonly example: string }>();

  add(text: string, example: string): void {
    const known = this.#notes.get(text);
    if (known === undefined) this.#notes.set(text, { count: 1, example: example.slice(0, 200) });
    else known.count++;
  }

  get all(): readonly SourceNote[] {
    return [...this.#notes].map(([text, note]) => ({ text, ...note }));
  }
}
