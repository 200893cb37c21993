/** Reads a folder of configuration. */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorText } from '../net/text.ts';
import { assemble, type Sources } from './assemble.ts';
import { certificateProblems } from './validate/exposure-checks.ts';
import { exposureWarnings } from './validate/exposure-checks.ts';
import { LIMITS, sizeWords } from './limits.ts';
import { readRegularFile, UnreadableFile } from './regular-file.ts';
import type { Environment } from './secrets.ts';
import { socketWarnings } from './validate/socket-checks.ts';
import type { ConfigProblem, ConfigResult } from './types.ts';
import type { YamlSource } from './yaml/yaml.ts';
import { parseYaml, unreadable } from './yaml/yaml.ts';

/**
 * Loads `prefixd.yaml`, `inventory.yaml`, and `playbooks.yaml` or `playbooks/*.yaml` (both, where both are there; those of
 * the folder by name) from `directory`. Secrets are taken from `environment` and certificates from their files; with null
 * they are left empty and not asked for, so that the result may be looked at, not run. Never rejects: what cannot be read
 * is a problem, and keeps nothing back that is wrong with the other files. Works in this thread, which a large or hostile file
 * occupies for long: a daemon uses `loadConfigApart`. `onFile` is told what is read next.
 */
export async function loadConfig(
  directory: string,
  environment: Environment | null,
  onFile: (file: string) => void = () => undefined,
): Promise<ConfigResult> {
  const problems: ConfigProblem[] = [];
  const settingsFile = join(directory, 'prefixd.yaml');
  const inventoryFile = join(directory, 'inventory.yaml');
  onFile(settingsFile);
  const settings = await read(settingsFile, LIMITS.settingsBytes);
  onFile(inventoryFile);
  const inventory = await read(inventoryFile, LIMITS.inventoryBytes);
  onFile(join(directory, 'playbooks'));
  const playbooks = await readPlaybooks(directory, problems);
  onFile(directory);
  const hasPlaybooks = playbooks.length > 0 || problems.length > 0;

  if (settings === null && inventory === null && !hasPlaybooks) {
    return { ok: false, problems: [noSettings(directory)], warnings: [] };
  }
  const missing = missingFiles({ settings, inventory, playbooks }, directory);
  if (settings === null) problems.push(noSettings(directory));
  // A folder of playbooks that cannot be read has been reported.
  if (!hasPlaybooks) problems.push(...missing.playbooks);
  const sources = [settings, inventory, ...playbooks].filter((source) => source !== null);
  const result = assemble(
    {
      settings: settings ?? unreadable(settingsFile, []),
      inventory,
      playbooks,
      folder: resolve(directory),
      directory: resolve(directory),
      files: sources.map(({ file }) => resolve(file)),
    },
    environment,
  );
  problems.push(...missing.inventory);
  // To be looked at, not run: nothing on this machine is asked for.
  const isLooked = environment === null || settings === null;
  const certificates = isLooked ? [] : await certificateProblems(settings, resolve(directory));
  const ofMachine = isLooked
    ? []
    : [...(await exposureWarnings(settings, resolve(directory))), ...(await socketWarnings(settings))];
  if (problems.length === 0 && certificates.length === 0) {
    return { ...result, warnings: [...result.warnings, ...ofMachine] };
  }
  return {
    ok: false,
    problems: [...problems, ...(result.ok ? [] : result.problems), ...certificates],
    warnings: [...result.warnings, ...ofMachine],
  };
}

function noSettings(directory: string): ConfigProblem {
  const fix = 'name the folder that holds it with --config DIR';
  return wholeFile(join(directory, 'prefixd.yaml'), 'there is no such file', fix);
}

/**
 * Problems for the files of `directory` that have to be there and are not. Without an inventory nobody owns anything, so that
 * every event would be refused unless that is allowed. Settings that cannot be read may allow it.
 */
export function missingFiles(
  {
    settings,
    inventory,
    playbooks,
  }: { readonly settings: YamlSource | null } & Pick<Sources, 'inventory' | 'playbooks'>,
  directory: string,
): Readonly<Record<'inventory' | 'playbooks', readonly ConfigProblem[]>> {
  const needsInventory =
    settings?.readable === true && entry(entry(settings.value, 'guardrails'), 'require_inventory') !== false;
  const missing = (name: string, fix: string): readonly ConfigProblem[] => [
    wholeFile(join(directory, name), 'there is no such file', fix),
  ];
  return {
    inventory:
      inventory === null && needsInventory
        ? missing(
            'inventory.yaml',
            'add it, with your customers and their prefixes (guardrails.require_inventory asks for it)',
          )
        : [],
    playbooks:
      playbooks.length === 0
        ? missing(
            'playbooks.yaml',
            'add it, or a folder playbooks with .yaml files; the shipped ones are in the package',
          )
        : [],
  };
}

function entry(data: unknown, key: string): unknown {
  return typeof data === 'object' && data !== null ? Reflect.get(data, key) : undefined;
}

function wholeFile(file: string, message: string, fix: string): ConfigProblem {
  return { file, line: null, column: null, path: '', message, fix };
}

/**
 * The playbooks of a folder: `playbooks.yaml`, then `playbooks/*.yaml` by name. A folder that cannot be read is added to
 * `problems`; a file that cannot be read carries its problem.
 */
export async function readPlaybooks(
  directory: string,
  problems: ConfigProblem[],
): Promise<readonly YamlSource[]> {
  const files = [join(directory, 'playbooks.yaml')];
  const folder = join(directory, 'playbooks');
  try {
    const names = await readdir(folder);
    const yaml = names.filter((name) => /\.ya?ml$/.test(name) && !name.startsWith('.')).sort();
    if (yaml.length > LIMITS.playbookFiles) {
      const message = `there are ${yaml.length} files, more than ${LIMITS.playbookFiles}`;
      problems.push(wholeFile(folder, message, 'put several playbooks into one file'));
      return [];
    }
    files.push(...yaml.map((name) => join(folder, name)));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') problems.push(wholeFile(folder, why(error), 'make it a readable folder'));
  }
  const sources: YamlSource[] = [];
  let left: number = LIMITS.allPlaybooksBytes;
  for (const file of files) {
    const source = await read(file, LIMITS.playbooksBytes, (bytes) => {
      left -= bytes;
    });
    if (source !== null) sources.push(source);
    if (left >= 0) continue;
    const message = `the files of playbooks have more than ${sizeWords(LIMITS.allPlaybooksBytes)} together`;
    problems.push(wholeFile(folder, message, 'remove playbooks that are not used'));
    break;
  }
  return sources;
}

/** Null when there is no such file. One that cannot be read carries that as its problem. */
async function read(
  file: string,
  maxBytes: number,
  onRead: (bytes: number) => void = () => undefined,
): Promise<YamlSource | null> {
  try {
    const octets = await readRegularFile(file, maxBytes);
    onRead(octets.length);
    return parseYaml(file, new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    const problem =
      error instanceof UnreadableFile
        ? wholeFile(file, error.message, error.fix)
        : codeOf(error) === 'ERR_ENCODING_INVALID_ENCODED_DATA'
          ? wholeFile(file, 'this is not UTF-8 text', 'save it as UTF-8')
          : wholeFile(file, why(error), 'make it a file that this user may read');
    return unreadable(file, [problem]);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function why(error: unknown): string {
  return `it cannot be read: ${errorText(error)}`;
}
