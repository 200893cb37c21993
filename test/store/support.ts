/** Provides facts, folders and failing disks for tests of the store. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { RecordedFact } from '../../src/core/facts.ts';
import { type Files, type OpenFile, type OpenMode, realFiles } from '../../src/store/files.ts';
import type { Recovery, Store } from '../../src/store/store.ts';

/** Returns a fact that contains its number; `text` sets its length. */
export function fact(seq: number, text = ''): RecordedFact {
  const actor = { kind: 'operator', name: 'ada' } as const;
  return {
    seq,
    at: 1_700_000_000_000 + seq,
    fact: { type: 'control.paused', actor, reason: `n${seq}${text}` },
  };
}

export function facts(from: number, to: number): RecordedFact[] {
  return Array.from({ length: to - from + 1 }, (_, i) => fact(from + i));
}

/** The complete result of a recovery. */
export async function allFacts(recovery: Pick<Recovery, 'facts'>): Promise<RecordedFact[]> {
  const all: RecordedFact[] = [];
  for await (const slice of recovery.facts) all.push(...slice);
  return all;
}

/** Opens a store and reads all its facts. */
export async function openAndRead(
  store: Store,
): Promise<{ readonly facts: RecordedFact[]; readonly recovery: Recovery }> {
  const recovery = await store.open();
  return { facts: await allFacts(recovery), recovery };
}

/** Creates a folder that is removed after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prefixd-store-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Returns the names in the folder, without the lock. */
export async function names(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => !name.startsWith('lock')).sort();
}

export async function linesOf(path: string): Promise<string[]> {
  return (await readFile(path, 'utf8')).split('\n').slice(0, -1);
}

/** Returns an operating system error. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the test wants it`), { code });
}

type FileStep = 'write' | 'overwrite' | 'datasync' | 'truncate';
type FolderStep = 'open' | 'create' | 'rename' | 'remove' | 'syncFolder';

/** The real file system, in which a test can make a step fail. */
export class FailingFiles implements Files {
  /** Called before each step; a thrown error makes the step fail. A number limits the bytes of a `write`. */
  fault: (step: FileStep | FolderStep, path: string) => number | undefined = () => undefined;
  readonly steps: string[] = [];

  #step(step: FileStep | FolderStep, path: string): number | undefined {
    this.steps.push(step);
    return this.fault(step, path);
  }

  makeFolder(path: string): Promise<void> {
    return realFiles.makeFolder(path);
  }
  list(folder: string): Promise<string[]> {
    return realFiles.list(folder);
  }
  status(path: string): ReturnType<Files['status']> {
    return realFiles.status(path);
  }
  async open(path: string, how: OpenMode): Promise<OpenFile> {
    if (how !== 'read') this.#step(how.startsWith('create') ? 'create' : 'open', path);
    const file = await realFiles.open(path, how);
    return {
      read: (into, position) => file.read(into, position),
      size: () => file.size(),
      close: () => file.close(),
      write: async (bytes) => {
        const count = this.#step('write', path);
        return file.write(count === undefined ? bytes : bytes.subarray(0, count));
      },
      datasync: async () => {
        this.#step('datasync', path);
        await file.datasync();
      },
      truncate: async (length) => {
        this.#step('truncate', path);
        await file.truncate(length);
      },
    };
  }
  async overwrite(path: string, position: number, bytes: Uint8Array): Promise<void> {
    this.#step('overwrite', path);
    await realFiles.overwrite(path, position, bytes);
  }
  async rename(from: string, to: string): Promise<void> {
    this.#step('rename', from);
    await realFiles.rename(from, to);
  }
  async remove(path: string): Promise<void> {
    this.#step('remove', path);
    await realFiles.remove(path);
  }
  async syncFolder(path: string): Promise<void> {
    this.#step('syncFolder', path);
    await realFiles.syncFolder(path);
  }
}
