/** Reads the recipes that the package ships in `adapters/`: webhooks for known systems, to copy into prefixd.yaml. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { PACKAGE } from './default.ts';
import { LIMITS } from './file-limits.ts';
import { readRegularFile } from './regular-file.ts';
import { type WebhookEntry, webhooks } from './schema/webhook-schema.ts';
import { parseYaml } from './yaml/yaml.ts';

/** One webhook of a recipe. */
export interface Recipe {
  readonly name: string;
  /** Absolute path. */
  readonly file: string;
  readonly entry: WebhookEntry;
}

const recipeSchema = z.looseObject({ detectors: z.looseObject({ webhooks }) });

/** Reads all recipes, by name. Throws if a file is damaged: they are part of the package. */
export async function readRecipes(folder = join(PACKAGE, 'adapters')): Promise<readonly Recipe[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.yaml')).sort();
  const recipes = await Promise.all(
    files.map(async (name) => {
      const file = join(folder, name);
      const octets = await readRegularFile(file, LIMITS.settingsBytes);
      const { value, problems } = parseYaml(file, new TextDecoder().decode(octets));
      const [problem] = problems;
      if (problem !== undefined) throw new Error(`${file}: ${problem.message}`);
      const { detectors } = recipeSchema.parse(value);
      return Object.entries(detectors.webhooks).map(([webhook, entry]) => ({ name: webhook, file, entry }));
    }),
  );
  return recipes.flat();
}
