/**
 * Locks a folder for one process. The lock is a folder `lock` with exactly one file, whose name is the whole state:
 * `free`, or the owner as process id, start time of that process, and boot id of the machine:
 *
 *     lock/owned-by-4711-start-89230-boot-0c3a2c71
 *
 * Every change of state renames that file. A rename fails if its source is gone, so only one of several processes that
 * saw the same state changes it, and the others read the state again. No second process can take the lock between "the
 * owner is dead" and "it is mine", and a process that is killed at any point leaves a valid state. No manual cleanup is
 * ever needed.
 *
 * Owners are looked up in /proc, which shows neither other machines nor processes in other containers; without /proc
 * the process id alone decides. Therefore the kernel's lock (kernel-lock.ts), which works between containers, is taken
 * first. This lock names the owner, and excludes a daemon that cannot take the kernel's lock.
 */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, storeError } from '../files.ts';
import { type TakeKernelLock, takeKernelLock } from './kernel-lock.ts';
import { StoreError } from '../store.ts';

/** Distinguishes a process from earlier and later ones with the same id. */
export interface ProcessTable {
  readonly pid: number;
  /** Changes with every boot of the machine; `[a-z0-9]+`. */
  readonly boot: string;
  /** Returns a process's start time in an unspecified unit, `[0-9]+`; undefined if there is no such process. */
  startOf(pid: number): Promise<string | undefined>;
}

/** A lock that is held until it is released. */
export interface Lock {
  /** Warnings for the operator about limits of the lock. */
  readonly warnings: readonly string[];
  release(): Promise<void>;
}

/** The means of locking. Default: this machine's processes and kernel. */
export interface LockMeans {
  readonly processes?: ProcessTable | undefined;
  readonly takeKernelLock?: TakeKernelLock | undefined;
}

const LOCK = 'lock';
const FREE = 'free';
const OWNED = /^owned-by-(\d+)-start-(\d+)-boot-([a-z0-9]+)$/;
/** A listing during a rename may show no file or two; a later one shows one. */
const ATTEMPTS = 100;

/** Returns this machine's processes. */
export async function thisMachine(): Promise<ProcessTable> {
  let boot = 'unknown';
  try {
    boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).replace(/[^a-z0-9]/g, '');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  return { pid: process.pid, boot, startOf: boot === 'unknown' ? startBySignal : startByProc };
}

/** Reads field 22 of /proc/PID/stat (proc(5)): clock ticks after boot. A zombie counts as dead. */
async function startByProc(pid: number): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
  // The name in parentheses may itself contain spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

function startBySignal(pid: number): Promise<string | undefined> {
  try {
    process.kill(pid, 0);
    return Promise.resolve('0');
  } catch (error) {
    return Promise.resolve(errorCode(error) === 'EPERM' ? '0' : undefined);
  }
}

/** Locks a folder, which must exist. Rejects with a StoreError that names the process that holds the lock. */
export async function acquireLock(folder: string, means: LockMeans = {}): Promise<Lock> {
  try {
    const kernel = await (means.takeKernelLock ?? takeKernelLock)(folder);
    if (kernel.kind === 'held') {
      throw new StoreError(
        `${folder} is in use by ${kernel.holder}; stop it first, or give each daemon its own folder`,
      );
    }
    const warnings = kernel.warning === undefined ? [] : [kernel.warning];
    const releaseKernel = kernel.kind === 'acquired' ? () => kernel.release() : () => Promise.resolve();
    try {
      const releaseFolder = await takeFolder(folder, means.processes);
      // Release the kernel's lock last, so that it is never free while the folder's state still names this process.
      return { warnings, release: () => releaseFolder().finally(releaseKernel) };
    } catch (error) {
      await releaseKernel();
      throw error;
    }
  } catch (error) {
    throw storeError('lock', folder, error);
  }
}

/** Makes this process the owner in the folder's state; resolves to a function that releases it. */
async function takeFolder(folder: string, table: ProcessTable | undefined): Promise<() => Promise<void>> {
  const processes = table ?? (await thisMachine());
  const lock = join(folder, LOCK);
  const start = await processes.startOf(processes.pid);
  if (start === undefined)
    throw new Error(`process ${processes.pid} cannot find itself in the process table`);
  const mine = `owned-by-${processes.pid}-start-${start}-boot-${processes.boot}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = await readState(folder, lock);
    if (state === undefined) continue;
    const owner = await livingOwner(state, processes);
    if (owner !== undefined) {
      const self = owner === processes.pid ? ' (this process)' : '';
      throw new StoreError(
        `${folder} is in use by process ${owner}${self}; stop it first, or give each daemon its own folder`,
      );
    }
    if (await change(lock, state, mine)) return () => release(folder, lock, mine);
  }
  throw new StoreError(`${lock} must contain exactly one file; check its content`);
}

/** Reads the state; undefined if it must be read again. */
async function readState(folder: string, lock: string): Promise<string | undefined> {
  try {
    const names = await readdir(lock);
    if (names.length > 0) return names.length === 1 ? names[0] : undefined;
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  await create(folder, lock);
  return undefined;
}

/**
 * Creates the lock under another name and renames it. A folder cannot replace one that is not empty, so one process
 * wins.
 */
async function create(folder: string, lock: string): Promise<void> {
  const made = await mkdtemp(join(folder, `${LOCK}-`));
  try {
    await writeFile(join(made, FREE), '', { mode: 0o600 });
    await rename(made, lock);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    const code = errorCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
  }
}

async function livingOwner(state: string, processes: ProcessTable): Promise<number | undefined> {
  if (state === FREE) return undefined;
  const [, pid, start, boot] = OWNED.exec(state) ?? [];
  if (pid === undefined)
    throw new StoreError(`${state} is not a valid name of a lock file; check the content of the lock folder`);
  if (boot !== processes.boot) return undefined;
  return (await processes.startOf(Number(pid))) === start ? Number(pid) : undefined;
}

async function change(lock: string, from: string, to: string): Promise<boolean> {
  try {
    await rename(join(lock, from), join(lock, to));
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

async function release(folder: string, lock: string, mine: string): Promise<void> {
  try {
    if (await change(lock, mine, FREE)) return;
  } catch (error) {
    throw storeError('unlock', folder, error);
  }
  throw new StoreError(`${lock} was removed or changed while this process owned ${folder}`);
}
