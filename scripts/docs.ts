/** `npm run docs`: writes the pages, and parts of pages, that are made from the program itself. */
import { readFile, writeFile } from 'node:fs/promises';
import { configurationReference } from '../src/config/reference.ts';
import { withTables } from './doc-tables.ts';

await writeFile(new URL('../docs/configuration.md', import.meta.url), configurationReference());
const detectors = new URL('../docs/detectors.md', import.meta.url);
await writeFile(detectors, await withTables(await readFile(detectors, 'utf8')));
