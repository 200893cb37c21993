/** The whole daemon as a user runs it: compiled, in a process of its own, with its journal on the disk. */
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Running, start } from '../../test/support/children.ts';
import type { ConfigFolder } from './config-folder.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const MAIN = join(ROOT, 'dist', 'cli', 'main.js');

/** Compiles the sources when they are newer than what was compiled. */
export async function build(): Promise<void> {
  const files = await readdir(join(ROOT, 'src'), { recursive: true });
  const newest = Math.max(...files.map((file) => modified(join(ROOT, 'src', file))));
  if (modified(MAIN) > newest) return;
  try {
    await promisify(execFile)('npm', ['run', 'build', '--silent'], { cwd: ROOT });
  } catch (error) {
    // The compiler writes what it can: sources that are being worked on can be measured.
    if (modified(MAIN) <= newest) throw error;
    process.stderr.write('the sources do not compile cleanly; measuring them all the same\n');
  }
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** Starts it and returns at once; `listening` tells when it takes calls. */
export function startPrefixd(folder: ConfigFolder, env: Readonly<Record<string, string>> = {}): Running {
  return start(process.execPath, [MAIN, 'run', '--config', folder.path], { env });
}

/** The time at which the API accepts connections (ns of the monotonic clock). */
export async function listening(running: Running, { http }: ConfigFolder): Promise<bigint> {
  for (let tries = 0; tries < 60_000; tries++) {
    if (running.ended) throw new Error(`prefixd ended: ${running.log()}`);
    if (await connects(http)) return process.hrtime.bigint();
    await sleep(2);
  }
  throw new Error('prefixd does not listen');
}

function connects(at: { readonly host: string; readonly port: number }): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(at, () => {
      socket.destroy();
      answer(true);
    });
    socket.on('error', () => answer(false));
  });
}
