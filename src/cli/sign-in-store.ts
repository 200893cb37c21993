/**
 * Keeps the sign-ins of `prefixd login`, one for each daemon, in a file that only its owner can read. Without a home folder
 * there is none.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorText } from '../net/text.ts';
import { record, text } from './answer.ts';
import { CliError, Exit, type Io } from './command-context.ts';

/** A sign-in at one daemon. */
export interface SavedSignIn {
  readonly token: string;
  readonly name: string;
  /** When it ends at the latest, RFC 3339. */
  readonly endsAt: string;
}

/** Permissions of the owner's group and of others. */
const NOT_OWNER = 0o077;

/** Returns the path of the file; undefined if neither $XDG_STATE_HOME nor $HOME is set. */
export function signInFile({ env }: Pick<Io, 'env'>): string | undefined {
  const folder = env.XDG_STATE_HOME || (env.HOME ? join(env.HOME, '.local', 'state') : undefined);
  return folder === undefined ? undefined : join(folder, 'prefixd', 'sign-ins.json');
}

/** Returns the sign-in at the daemon with this base URL; undefined if there is none. CliError 5 for a file that others can read. */
export async function savedSignIn(io: Pick<Io, 'env'>, base: string): Promise<SavedSignIn | undefined> {
  const path = signInFile(io);
  return path === undefined ? undefined : (await readAll(path)).get(base);
}

/** Saves a sign-in; undefined removes it. Returns the path. CliError 1 if it cannot be saved. */
export async function saveSignIn(
  io: Pick<Io, 'env'>,
  base: string,
  signIn: SavedSignIn | undefined,
): Promise<string> {
  const path = signInFile(io);
  if (path === undefined) {
    throw new CliError(Exit.Other, 'the sign-in cannot be saved: neither $XDG_STATE_HOME nor $HOME is set');
  }
  const all = new Map(await readAll(path));
  if (signIn === undefined) all.delete(base);
  else all.set(base, signIn);
  try {
    await write(path, all);
  } catch (error) {
    throw new CliError(Exit.Other, `cannot write ${path}: ${errorText(error)}`);
  }
  return path;
}

async function readAll(path: string): Promise<ReadonlyMap<string, SavedSignIn>> {
  let content: string;
  try {
    const { mode } = await stat(path);
    if ((mode & NOT_OWNER) !== 0) {
      const advice = `chmod 600 it, or remove it and sign in again`;
      throw new CliError(Exit.InvalidInput, `others can read ${path}, which has your sign-in: ${advice}`);
    }
    content = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof CliError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Map();
    throw new CliError(Exit.Other, `cannot read ${path}: ${errorText(error)}`);
  }
  return parse(content);
}

/** Reads the file's content. One that is damaged has no sign-ins: the next `prefixd login` writes it anew. */
function parse(content: string): ReadonlyMap<string, SavedSignIn> {
  let data: unknown;
  try {
    data = JSON.parse(content);
  } catch {
    return new Map();
  }
  return new Map(
    Object.entries(record(record(data).sign_ins)).flatMap(([base, value]) => {
      const { token, name, ends_at: endsAt } = record(value);
      if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) return [];
      return [[base, { token, name: text(name), endsAt: text(endsAt) }]];
    }),
  );
}

/** Replaces the file at once, so that it is never half written, and never readable by others. */
async function write(path: string, all: ReadonlyMap<string, SavedSignIn>): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries = [...all].map(([base, { token, name, endsAt }]) => [base, { token, name, ends_at: endsAt }]);
  const content = `${JSON.stringify({ v: 1, sign_ins: Object.fromEntries(entries) }, null, 2)}\n`;
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
