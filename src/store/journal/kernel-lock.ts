/**
 * Takes the kernel's lock on a folder: `flock` on its file `lock.holder`. The kernel releases it when the process ends
 * for any reason, and it works between processes that cannot see each other, such as two containers with one volume.
 * Node has no `flock`, so it is called through koffi; if that fails, the lock is unavailable and lock.ts works without
 * it.
 */
import { type FileHandle, open, readlink, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { errorText } from '../../net/text.ts';
import { errorCode } from '../files.ts';

/**
 * The locked file. It contains one line about its holder and is never removed, because a removed file locks nothing.
 */
const HOLDER = 'lock.holder';

/** Values of <sys/file.h>, the same on Linux, macOS and the BSDs. */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Bytes that are read of the holder's line; longer than any line of `describeSelf`. */
const HOLDER_OCTETS = 300;

/** File systems (statfs(2)) on which a server, or another program, implements locks. */
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

/** Result of an attempt. `held`: another process has the lock, described by `holder`. */
export type KernelLock =
  | { readonly kind: 'acquired'; readonly warning?: string; release(): Promise<void> }
  | { readonly kind: 'held'; readonly holder: string }
  | { readonly kind: 'unavailable'; readonly warning: string };

/** Tries the lock once. */
export type TakeKernelLock = (folder: string) => Promise<KernelLock>;

/** Calls `flock(2)` on an open file; throws the system's error. */
type Flock = (fd: number, operation: number) => void;

/**
 * Takes the kernel's lock on a folder without waiting. Rejects only if the file system does not allow writing there.
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
  // Not truncated on opening: until the lock is ours, the text belongs to its holder.
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
      : `${folder} is on ${remote}: its server may not enforce locks between two machines; use a local disk, or make sure that only one daemon uses this folder`;
  return {
    kind: 'acquired',
    ...(warning === undefined ? {} : { warning }),
    release: () => file.close(),
  };
}

function unavailable(folder: string, why: string): KernelLock {
  return {
    kind: 'unavailable',
    warning: `the kernel cannot lock ${folder}: ${why}; a second daemon in another container or on another machine would not be detected`,
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

/** Describes this process by id, host name and PID namespace. */
async function describeSelf(): Promise<string> {
  return `process ${process.pid} on ${hostname()}${await namespaceText()}`;
}

async function namespaceText(): Promise<string> {
  try {
    return ` (${await readlink('/proc/self/ns/pid')})`;
  } catch {
    // Not Linux, or no /proc.
    return '';
  }
}

async function holderOf(file: FileHandle): Promise<string> {
  const into = Buffer.alloc(HOLDER_OCTETS);
  const { bytesRead } = await file.read(into, 0, into.length, 0);
  const line = into.toString('utf8', 0, bytesRead).split('\n')[0] ?? '';
  if (line === '') return 'another process';
  if (line === (await describeSelf())) return `${line} (this process)`;
  return line.replace(/[^\x20-\x7e]/g, '?');
}

async function remoteFileSystem(folder: string): Promise<string | undefined> {
  return REMOTE_FILE_SYSTEMS.get((await statfs(folder)).type >>> 0);
}

/** Returns the first line of an error's message; module loaders append long search paths. */
function messageOf(error: unknown): string {
  return errorText(error).split('\n', 1)[0] ?? '';
}
