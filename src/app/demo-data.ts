/** Provides the demo's journal folder, temporary or chosen by the user, and its sample attacks. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Actor } from '../core/types.ts';
import { errorText } from '../net/text.ts';
import type { Daemon } from './daemon.ts';
import { StartError } from './process.ts';

/** A file that distinguishes a demo's folder from a production daemon's. */
const MARK = 'made-by-prefixd-demo';

const DEMO: Actor = { kind: 'operator', name: 'demo' };

export interface DemoData {
  /** Absolute path. */
  readonly folder: string;
  /** An earlier demo may have left something in it. */
  readonly used: boolean;
  /** Removes the folder if it is a temporary one. */
  remove(): void;
}

/**
 * Opens the folder, or creates a temporary one, which is removed at the latest when the process exits. Rejects with a
 * StartError for a folder with other data, because the demo withdraws what it finds.
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
    throw new StartError(`cannot create ${folder}: ${errorText(error)}`);
  });
  const names = await readdir(folder);
  const used = names.includes(MARK);
  if (!used && names.length > 0) {
    throw new StartError(`${folder} contains files that are not the demo's: choose a new or empty folder`);
  }
  if (!used) await writeFile(join(folder, MARK), '');
  return { folder, used, remove: () => undefined };
}

/**
 * Removes what an earlier demo left: mitigations, a pause, safelist entries, disabled neighbors. The output is then the
 * same each time.
 */
export async function endLeftovers({ engine, announcer }: Daemon): Promise<void> {
  const by = { actor: DEMO, reason: 'a new run of the demo' };
  const { paused, disabledPeers, safelist } = engine.state;
  if (paused !== undefined) await engine.submit({ type: 'resume', ...by });
  for (const prefix of [...safelist.keys()]) {
    await engine.submit({ type: 'safelist-remove', prefix, actor: DEMO });
  }
  for (const peer of [...disabledPeers.keys()]) {
    await engine.submit({ type: 'peer-enable', peer, ...by });
    announcer.setEnabled(peer, true);
  }
  await engine.submit({ type: 'withdraw-all', ...by });
}

// The sample attacks, one for each outcome worth seeing.

export interface DemoAttack {
  /** Description to print. */
  readonly story: string;
  readonly event: Readonly<Record<string, unknown>>;
}

export const DEMO_ATTACKS: readonly DemoAttack[] = [
  {
    story: 'UDP flood against a DNS server, for which the inventory allows port 53',
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
