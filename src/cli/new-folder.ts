/** Writes new files to a folder: all of them, or none. */
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { errorText } from '../net/text.ts';
import { CliError, Exit } from './command-context.ts';

/** Describes a file to write; `name` is relative to the folder and may include one subfolder. */
export interface NewFile {
  readonly name: string;
  readonly text: string;
  /** Permissions before the user's umask. */
  readonly mode: number;
}

/** Returns the names that exist in the folder. */
export async function existingNames(dir: string, names: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of names) if (await exists(join(dir, name))) found.push(name);
  return found;
}

/**
 * Throws CliError 5 if the folder already contains one of the names, because nothing is ever overwritten, or if it is not a
 * folder.
 */
export async function refuseExisting(dir: string, names: readonly string[]): Promise<void> {
  const kind = await stat(dir).catch(() => undefined);
  if (kind !== undefined && !kind.isDirectory()) {
    throw new CliError(Exit.InvalidInput, `${dir} is not a folder; choose a new one`);
  }
  const present = await existingNames(dir, names);
  if (present.length === 0) return;
  throw new CliError(Exit.InvalidInput, `${dir} already contains ${present.join(', ')}; choose a new folder`);
}

/**
 * Writes the files to a temporary folder, then moves them into place in order. On a failure removes them all and throws
 * CliError 1.
 */
export async function writeNewFolder(dir: string, files: readonly NewFile[]): Promise<void> {
  const target = resolve(dir);
  await refuseExisting(dir, topNames(files));
  try {
    if (await exists(target)) await fill(target, files);
    else await make(target, files);
  } catch (error) {
    throw new CliError(Exit.Other, `nothing was written to ${dir}: ${errorText(error)}`);
  }
}

/** Creates a new folder, complete from the moment it exists. */
async function make(target: string, files: readonly NewFile[]): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const draft = await mkdtemp(join(dirname(target), `.${basename(target)}-`));
  try {
    await writeAll(join(draft, 'new'), files);
    await rename(join(draft, 'new'), target);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Adds files to an existing folder, which keeps its owner and permissions. */
async function fill(target: string, files: readonly NewFile[]): Promise<void> {
  const draft = await mkdtemp(join(target, '.new-'));
  const moved: string[] = [];
  try {
    await writeAll(join(draft, 'new'), files);
    for (const name of topNames(files)) {
      await rename(join(draft, 'new', name), join(target, name));
      moved.push(name);
    }
  } catch (error) {
    for (const name of moved) await rm(join(target, name), { recursive: true, force: true });
    throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function writeAll(folder: string, files: readonly NewFile[]): Promise<void> {
  await mkdir(folder);
  for (const { name, text, mode } of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text, { flag: 'wx', mode });
  }
}

function topNames(files: readonly NewFile[]): readonly string[] {
  return [...new Set(files.map(({ name }) => name.split('/')[0] ?? name))];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
