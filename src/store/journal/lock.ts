/**
 * One process owns a folder. The lock is a folder `lock` that holds exactly one file, and the file's name is the whole
 * state: `free`, or who owns it, as process id, start of that process, and boot of the machine:
 *
 *     lock/owned-by-4711-start-89230-boot-0c3a2c71
 *
 * Every change of state renames that file. A rename fails when its source is gone, so of several processes that saw
 * the same state, one changes it and the others look again: there is no moment between "the owner is dead" and "it is
 * mine" in which a second one can slip in, and a process killed anywhere in here leaves a state that the next one
 * understands. Nothing has to be cleaned up by hand.
 *
 * Owners are looked up in /proc, which shows neither other machines nor the processes of other containers; where there
 * is no /proc, the process id alone decides. Therefore the kernel's lock (kernel-lock.ts) is taken first: it holds between
 * containers, and what follows here names the owner and keeps out a daemon that cannot take the kernel's lock.
 */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, storeError } from '../files.ts';
import { type TakeKernelLock, takeKernelLock } from './kernel-lock.ts';
import { StoreError } from '../store.ts';

/** How a process is told apart from an earlier or later one with the same id. */
export interface ProcessTable {
  readonly pid: number;
  /** Changes with every boot of the machine; `[a-z0-9]+`. */
  readonly boot: string;
  /** When a process started, in a unit of its own, `[0-9]+`; undefined when there is no such process. */
  startOf(pid: number): Promise<string | undefined>;
}

/** Held until released. */
export interface Lock {
  /** What an operator should know about how far the lock reaches. */
  readonly warnings: readonly string[];
  release(): Promise<void>;
}

/** What a lock is made of; by default this machine's processes and kernel. */
export interface LockMeans {
  readonly processes?: ProcessTable | undefined;
  readonly takeKernelLock?: TakeKernelLock | undefined;
}

const LOCK = 'lock';
const FREE = 'free';
const OWNED = /^owned-by-(\d+)-start-(\d+)-boot-([a-z0-9]+)$/;
/** The listing may fall into the middle of a rename and show none or two; the next one shows one. */
const ATTEMPTS = 100;

/** The processes of this machine. */
export async function thisMachine(): Promise<ProcessTable> {
  let boot = 'unknown';
  try {
    boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).replace(/[^a-z0-9]/g, '');
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  return { pid: process.pid, boot, startOf: boot === 'unknown' ? startBySignal : startByProc };
}

/** Field 22 of /proc/PID/stat (proc(5)): clock ticks after boot. A zombie is dead already. */
async function startByProc(pid: number): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ESRCH') return undefined;
    throw error;
  }
  // The name in parentheses may hold blanks and parentheses itself.
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

/** Takes the lock of a folder, which must exist. Rejects with StoreError naming the process that holds it. */
export async function acquireLock(folder: string, means: LockMeans = {}): Promise<Lock> {
  try {
    const kernel = await (means.takeKernelLock ?? takeKernelLock)(folder);
    if (kernel.kind === 'held') {
      throw new StoreError(
        `${folder} is in use by ${kernel.holder}; stop it first, or give each daemon a folder of its own`,
      );
    }
    const warnings = kernel.warning === undefined ? [] : [kernel.warning];
    const releaseKernel = kernel.kind === 'acquired' ? () => kernel.release() : () => Promise.resolve();
    try {
      const releaseFolder = await takeFolder(folder, means.processes);
      // The kernel's lock goes last, so that nobody sees it free while the folder's state still names this process.
      return { warnings, release: () => releaseFolder().finally(releaseKernel) };
    } catch (error) {
      await releaseKernel();
      throw error;
    }
  } catch (error) {
    throw storeError('lock', folder, error);
  }
}

/** Makes this process the owner in the folder's own state; resolves to what gives it back. */
async function takeFolder(folder: string, table: ProcessTable | undefined): Promise<() => Promise<void>> {
  const processes = table ?? (await thisMachine());
  const lock = join(folder, LOCK);
  const start = await processes.startOf(processes.pid);
  if (start === undefined) throw new Error(`the process ${processes.pid} does not find itself`);
  const mine = `owned-by-${processes.pid}-start-${start}-boot-${processes.boot}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = await readState(folder, lock);
    if (state === undefined) continue;
    const owner = await livingOwner(state, processes);
    if (owner !== undefined) {
      const self = owner === processes.pid ? ', this very process' : '';
      throw new StoreError(
        `${folder} is in use by the process ${owner}${self}; stop it first, or give each daemon a folder of its own`,
      );
    }
    if (await change(lock, state, mine)) return () => release(folder, lock, mine);
  }
  throw new StoreError(`${lock} should hold one file and does not; look what is in there`);
}

/** Undefined when it has to be looked at again. */
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

/** Made under another name and renamed: a folder is never renamed over one that holds something, so one maker wins. */
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
  if (pid === undefined) throw new StoreError(`${state} is not the name of a lock; look what is in there`);
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
  throw new StoreError(`${lock} was taken away while this process owned ${folder}`);
}
