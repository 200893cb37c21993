/** Reads a configuration folder. */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { errorText } from '../net/text.ts';
import { assemble, type Sources } from './assemble.ts';
import { certificateProblems } from './validate/exposure-checks.ts';
import { exposureWarnings } from './validate/exposure-checks.ts';
import { LIMITS, sizeWords } from './file-limits.ts';
import { type CopyFound, readCopy } from '../inventory/copy-file.ts';
import { realFiles } from '../store/files.ts';
import { DEFAULT_STORAGE } from './schema/storage-schema.ts';
import { readRegularFile, UnreadableFile } from './regular-file.ts';
import type { Environment } from './secrets.ts';
import { socketWarnings } from './validate/socket-checks.ts';
import type { ConfigProblem, ConfigResult } from './types.ts';
import { USERS_BYTES, usersFileOf } from './users-file.ts';
import type { YamlSource } from './yaml/yaml.ts';
import { parseYaml, unreadable } from './yaml/yaml.ts';

/**
 * Loads `prefixd.yaml`, `inventory.yaml`, `playbooks.yaml` and `playbooks/*.yaml` (sorted by name) from `directory`.
 * Takes secrets from `environment` and certificates from their files. If `environment` is null, secrets stay empty and
 * certificates are not read: such a result can be shown but not run. Never rejects: a file that cannot be read is a
 * problem, and the other files are still checked. Runs in the calling thread, which a large or hostile file can block
 * for long; a daemon uses `loadConfigApart`. Calls `onFile` before each file is read. Another system's customers come from
 * the copy of its last answer in `copyFolder`, by default the storage folder; the system itself is never asked.
 */
export async function loadConfig(
  directory: string,
  environment: Environment | null,
  onFile: (file: string) => void = () => undefined,
  copyFolder?: string,
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
  const system = await readSystem(settings, directory, copyFolder);
  const hasPlaybooks = playbooks.length > 0 || problems.length > 0;

  if (settings === null && inventory === null && !hasPlaybooks) {
    return { ok: false, problems: [noSettings(directory)], warnings: [] };
  }
  const users = settings === null ? null : await readUsers(settings, directory, problems);
  const missing = missingFiles({ settings, inventory, playbooks }, directory);
  if (settings === null) problems.push(noSettings(directory));
  // An unreadable playbooks folder is already reported.
  if (!hasPlaybooks) problems.push(...missing.playbooks);
  const sources = [settings, inventory, ...playbooks, users].filter((source) => source !== null);
  const result = assemble(
    {
      settings: settings ?? unreadable(settingsFile, []),
      inventory,
      playbooks,
      users,
      ...(system === undefined ? {} : { system }),
      folder: resolve(directory),
      directory: resolve(directory),
      files: sources.map(({ file }) => resolve(file)),
    },
    environment,
  );
  problems.push(...missing.inventory);
  // A configuration that is only shown needs no files of this machine.
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

/** Reads the users file; null if the settings name none. A missing one is added to `problems`. */
async function readUsers(
  settings: YamlSource,
  directory: string,
  problems: ConfigProblem[],
): Promise<YamlSource | null> {
  const file = usersFileOf(settings, resolve(directory));
  if (file === undefined) return null;
  const users = await read(file, USERS_BYTES);
  if (users === null) problems.push(wholeFile(file, 'file not found', 'create it, or remove users_file'));
  return users;
}

/** Reads the copy of another system's answer; undefined if the settings name no such system. */
async function readSystem(
  settings: YamlSource | null,
  directory: string,
  copyFolder: string | undefined,
): Promise<CopyFound | undefined> {
  const value = settings?.readable === true ? settings.value : undefined;
  if (entry(value, 'inventory') === undefined) return undefined;
  const storage = entry(entry(value, 'storage'), 'path') ?? DEFAULT_STORAGE;
  const folder = copyFolder ?? (typeof storage === 'string' ? resolve(directory, storage) : undefined);
  return folder === undefined ? { copy: undefined } : readCopy(realFiles, folder);
}

function noSettings(directory: string): ConfigProblem {
  const fix = 'name the folder that contains it with --config DIR';
  return wholeFile(join(directory, 'prefixd.yaml'), 'file not found', fix);
}

/**
 * Returns problems for required files that are missing from `directory`. The inventory is required unless the settings
 * turn `guardrails.require_inventory` off, name another system, or cannot be read: without it, every event would be
 * refused.
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
    settings?.readable === true &&
    entry(settings.value, 'inventory') === undefined &&
    entry(entry(settings.value, 'guardrails'), 'require_inventory') !== false;
  const missing = (name: string, fix: string): readonly ConfigProblem[] => [
    wholeFile(join(directory, name), 'file not found', fix),
  ];
  return {
    inventory:
      inventory === null && needsInventory
        ? missing(
            'inventory.yaml',
            'create it with your customers and their prefixes (guardrails.require_inventory is true)',
          )
        : [],
    playbooks:
      playbooks.length === 0
        ? missing(
            'playbooks.yaml',
            'create it, or a folder playbooks with .yaml files; the package contains a set to start from',
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
 * Reads `playbooks.yaml`, then `playbooks/*.yaml` sorted by name. An unreadable folder is added to `problems`; an
 * unreadable file carries its own problem.
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
      const message = `${yaml.length} files, more than the limit of ${LIMITS.playbookFiles}`;
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
    const message = `the playbook files are larger than ${sizeWords(LIMITS.allPlaybooksBytes)} in total`;
    problems.push(wholeFile(folder, message, 'remove unused playbooks'));
    break;
  }
  return sources;
}

/** Reads one file; null if it does not exist. An unreadable file carries its own problem. */
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
          : wholeFile(file, why(error), 'make the file readable for this user');
    return unreadable(file, [problem]);
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function why(error: unknown): string {
  return `cannot be read: ${errorText(error)}`;
}
