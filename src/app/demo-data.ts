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

// The attacks that the demo replays, as a detector would report them: one of each outcome worth seeing.

export interface DemoAttack {
  /** What happens, for the reader of the terminal. */
  readonly story: string;
  readonly event: Readonly<Record<string, unknown>>;
}

export const DEMO_ATTACKS: readonly DemoAttack[] = [
  {
    story: 'UDP flood against a DNS server, whose port 53 the inventory allows',
    event: {
      source: 'demo',
      victim_ip: '203.0.113.10',
      vector: 'udp_flood',
      bps: 4_720_000_000,
      pps: 1_180_400,
      confidence: 0.9,
    },
  },
  {
    story: 'NTP amplification',
    event: {
      source: 'demo',
      victim_ip: '203.0.113.77',
      vector: 'ntp_amplification',
      bps: 9_100_000_000,
      confidence: 0.95,
    },
  },
  {
    story: 'SYN flood against an IPv6 web server',
    event: {
      source: 'demo',
      victim_ip: '2001:db8:acd::20',
      vector: 'syn_flood',
      pps: 2_400_000,
      confidence: 0.8,
    },
  },
  {
    story: 'UDP flood against an address outside the inventory',
    event: {
      source: 'demo',
      victim_ip: '192.0.2.99',
      vector: 'udp_flood',
      bps: 1_000_000_000,
      confidence: 0.9,
    },
  },
];
