/** Replaces another system's customers in a configuration, in slices of the event loop. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { inventorySteps } from '../core/policy/inventory.ts';
import { overlaySteps } from '../core/policy/inventory-overlay.ts';
import type { CopyHead } from '../inventory/copy-file.ts';
import type { InventoryContent } from '../inventory/inventory-content.ts';
import { knownPrefix, unmapped } from '../net/prefix.ts';
import { failed, ok, type Result } from '../net/result.ts';
import { runInSlices, type Slices } from '../net/steps.ts';
import type { LoadedConfig } from './types.ts';

/** Builds look-up structures in slices of 2 ms: collecting garbage adds up to 10 ms. */
export const BUILD_SLICES: Slices = {
  milliseconds: 2,
  stopwatch: () => performance.now(),
  pause: () => nextTurn(),
};

/** Returns the configuration with these customers and this safelist of the system, or why they do not fit. */
export async function withSystem(
  config: LoadedConfig,
  content: InventoryContent,
  head: CopyHead,
): Promise<Result<LoadedConfig>> {
  const { written, safelist } = config.inventorySources;
  const { customers } = await runInSlices(overlaySteps(written, content), BUILD_SLICES);
  const data = { customers: [...written.customers, ...customers] };
  const { inventory, problems } = await runInSlices(inventorySteps(data), BUILD_SLICES);
  const error = problems.find(({ severity }) => severity === 'error');
  if (error !== undefined) return failed(error.message);
  return ok({
    ...config,
    policy: {
      ...config.policy,
      inventory,
      safelist: [...safelist, ...content.safelist.map((text) => unmapped(knownPrefix(text)))],
    },
    shown: { ...config.shown, inventory: { ...data } },
    inventorySources: { ...config.inventorySources, copy: head, copyProblem: undefined },
  });
}
