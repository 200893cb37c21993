/** `npm run docs`: writes the pages that are made from the program itself. */
import { writeFile } from 'node:fs/promises';
import { configurationReference } from '../src/app/config/reference.ts';

await writeFile(new URL('../docs/configuration.md', import.meta.url), configurationReference());
