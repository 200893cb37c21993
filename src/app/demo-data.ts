/** Where the demo keeps its journal: in a temporary folder that goes with it, or in a folder of the user's. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Actor } from '../core/types.ts';
import { errorText } from '../net/text.ts';
import type { Daemon } from './daemon.ts';
import { StartError } from './process.ts';

/** A file that tells a folder of the demo from one of a daemon in service. */
const MARK = 'made-by-prefixd-demo';

const DEMO: Actor = { kind: 'operator', name: 'demo' };

export interface DemoData {
  /** Absolute. */
  readonly folder: string;
  /** An earlier demo may have left something in it. */
  readonly used: boolean;
  /** Removes the folder if it is a temporary one. */
  remove(): void;
}

/**
 * Opens the folder, or makes a temporary one, which is removed at the latest when the process exits. StartError for a folder
 * with anybody else's data: the demo ends what an earlier demo has left behind.
 */
export async function openDemoData(said: string | undefined): Promise<DemoData> {
  if (said === undefined) {
    const folder = await mkdtemp(join(tmpdir(), 'prefixd-demo-'));
    const clear = (): void => rmSync(folder, { recursive: true, force: true });
    process.once('exit', clear);
    return {
      folder,
      used: false,
      remove: () => {
        process.off('exit', clear);
        clear();
      },
    };
  }
  const folder = resolve(said);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new StartError(`${folder} cannot be made: ${errorText(error)}`);
  });
  const names = await readdir(folder);
  const used = names.includes(MARK);
  if (!used && names.length > 0) {
    throw new StartError(`${folder} holds files that are not the demo's: name a new or an empty folder`);
  }
  if (!used) await writeFile(join(folder, MARK), '');
  return { folder, used, remove: () => undefined };
}

/**
 * Ends what an earlier demo left: its mitigations, a pause, entries of the safelist, disabled neighbors. So the story is the
 * same each time.
 */
export async function endLeftovers({ engine, announcer }: Daemon): Promise<void> {
  const by = { actor: DEMO, reason: 'a new run of the demo' };
  const { paused, disabledPeers, safelist } = engine.state;
  if (paused !== null) await engine.submit({ type: 'resume', ...by });
  for (const prefix of [...safelist.keys()]) {
    await engine.submit({ type: 'safelist-remove', prefix, actor: DEMO });
  }
  for (const peer of [...disabledPeers.keys()]) {
    await engine.submit({ type: 'peer-enable', peer, ...by });
    announcer.setEnabled(peer, true);
  }
  await engine.submit({ type: 'withdraw-all', ...by });
}
