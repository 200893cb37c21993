/** Defines the section `storage` of prefixd.yaml. */
import { z } from 'zod';
import { oneOf } from '../../core/policy/value-kinds.ts';
import { environment, name, path } from './fields.ts';

/** Default of `storage.path`. */
export const DEFAULT_STORAGE = './data';

export const storage = z.strictObject({
  driver: oneOf(['jsonl', 'postgres'])
    .default('jsonl')
    .describe('The journal: JSON lines in a folder, or a PostgreSQL database ([details](postgresql.md)).'),
  path: path
    .default(DEFAULT_STORAGE)
    .describe("The journal's folder; one daemon owns it. Not used with `postgres`."),
  url_env: environment
    .optional()
    .describe(
      "With `postgres`: environment variable that contains the database's URL, such as `postgresql://user:password@host/database`. Required then.",
    ),
  journal: name
    .optional()
    .describe(
      "With `postgres`: the journal's name in the database, where several daemons may have theirs; one daemon owns it. Default: `pop`.",
    ),
});
