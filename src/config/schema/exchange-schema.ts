/** Defines the section `exchange` of prefixd.yaml: what this POP shares with others. */
import { z } from 'zod';
import { environment, name, quota } from './fields.ts';

/** Default of `exchange.max_imported_per_pop`. */
const DEFAULT_MAX_IMPORTED = 100;

export const exchange = z.strictObject({
  url_env: environment.describe(
    "Environment variable that contains the database's URL: `postgresql://USER:PASSWORD@HOST/DATABASE`.",
  ),
  accept: z
    .array(name)
    .default([])
    .describe('POPs whose mitigations and requests count here. Default: none; this POP only publishes.'),
  max_imported_per_pop: quota
    .default(DEFAULT_MAX_IMPORTED)
    .describe('Active mitigations of each of these POPs here.'),
});
