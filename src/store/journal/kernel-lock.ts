/**
 * The kernel's lock on a folder: `flock` on its file `lock.holder`. The kernel releases it when the process ends, however
 * it ends, and it holds between processes that cannot see each other, such as two containers with one volume. Node has no
 * `flock`, so it is called through koffi; where that is impossible the lock is unavailable, and the caller falls back to
 * what lock.ts does by itself.
 */
import { type FileHandle, open, readlink, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { errorText } from '../../net/text.ts';
import { errorCode } from '../files.ts';

/** The file that is locked. It holds who locked it, in one line, and is never removed: a lock on a removed file is none. */
const HOLDER = 'lock.holder';

/** <sys/file.h>, the same numbers on Linux, macOS and the BSDs. */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Longer than any line that `describeSelf` writes; a stranger's longer text is cut. */
const HOLDER_OCTETS = 300;

/** statfs(2): file systems on which a lock is up to a server, or to the program behind them. */
const REMOTE_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0x00c36400, 'Ceph'],
  [0x01021997, '9P'],
  [0x0bd00bd0, 'Lustre'],
  [0x5346414f, 'AFS'],
  [0x65735546, 'FUSE'],
]);

/** How an attempt ended. `held`: another process, described by `holder`, has it. */
export type KernelLock =
  | { readonly kind: 'acquired'; readonly warning?: string; release(): Promise<void> }
  | { readonly kind: 'held'; readonly holder: string }
  | { readonly kind: 'unavailable'; readonly warning: string };

/** Tries the lock once. */
export type TakeKernelLock = (folder: string) => Promise<KernelLock>;

/** `flock(2)` on an open file; throws the system's error. */
type Flock = (fd: number, operation: number) => void;

/**
 * Takes the kernel's lock on a folder, without waiting for it. Rejects only with errors of the file system that forbid
 * to write there at all.
 */
export async function takeKernelLock(
  folder: string,
  load: () => Promise<Flock> = loadFlock,
): Promise<KernelLock> {
  let flock: Flock;
  try {
    flock = await load();
  } catch (error) {
    return unavailable(folder, `flock cannot be called here: ${messageOf(error)}`);
  }
  // Not cut on opening: until the lock is ours, the file's text belongs to its holder.
  const file = await open(join(folder, HOLDER), 'a+', 0o600);
  try {
    flock(file.fd, LOCK_EX | LOCK_NB);
  } catch (error) {
    const holder = await holderOf(file);
    await file.close();
    const code = errorCode(error);
    if (code === 'EWOULDBLOCK' || code === 'EAGAIN') return { kind: 'held', holder };
    return unavailable(folder, `its file system refuses flock (${code ?? messageOf(error)})`);
  }
  await file.truncate(0);
  await file.write(`${await describeSelf()}\n`);
  const remote = await remoteFileSystem(folder);
  const warning =
    remote === undefined
      ? undefined
      : `${folder} is on ${remote}: whether two machines exclude each other there depends on its server; use a local disk, or make sure that only one daemon ever uses this folder`;
  return {
    kind: 'acquired',
    ...(warning === undefined ? {} : { warning }),
    release: () => file.close(),
  };
}

function unavailable(folder: string, why: string): KernelLock {
  return {
    kind: 'unavailable',
    warning: `the kernel does not lock ${folder}: ${why}; a second daemon in another container or on another machine would not be noticed`,
  };
}

async function loadFlock(): Promise<Flock> {
  const { default: koffi } = await import('koffi');
  const call = koffi.load(null).func('int flock(int, int)');
  return (fd, operation) => {
    if (call(fd, operation) === 0) return;
    const errno = koffi.errno();
    const code = getSystemErrorName(-errno);
    throw Object.assign(new Error(`flock: ${code}`), { code, errno });
  };
}

/** The process as its PID namespace and others know it. */
async function describeSelf(): Promise<string> {
  return `process ${process.pid} on ${hostname()}${await namespaceText()}`;
}

async function namespaceText(): Promise<string> {
  try {
    return ` (${await readlink('/proc/self/ns/pid')})`;
  } catch {
    // Not Linux, or no /proc: there is nothing to add.
    return '';
  }
}

async function holderOf(file: FileHandle): Promise<string> {
  const into = Buffer.alloc(HOLDER_OCTETS);
  const { bytesRead } = await file.read(into, 0, into.length, 0);
  const line = into.toString('utf8', 0, bytesRead).split('\n')[0] ?? '';
  if (line === '') return 'another process';
  if (line === (await describeSelf())) return `${line}, this very process`;
  return line.replace(/[^\x20-\x7e]/g, '?');
}

async function remoteFileSystem(folder: string): Promise<string | undefined> {
  return REMOTE_FILE_SYSTEMS.get((await statfs(folder)).type >>> 0);
}

/** What an error says in its first line; module loaders go on about their search. */
function messageOf(error: unknown): string {
  return errorText(error).split('\n', 1)[0] ?? '';
}
