/**
 * Engine, reconciler and speaker as the daemon composes them, without HTTP and with the journal in memory, in a process
 * of its own: what deciding and announcing cost apart from the disk.
 */
import { randomUUID } from 'node:crypto';
import { realTimers } from '../../src/app/clock.ts';
import { loadConfig } from '../../src/config/load.ts';
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import type { Detection } from '../../src/core/types.ts';
import { MemoryStore } from '../../src/store/memory.ts';
import { threadCpuNs } from '../children.ts';
import { RULE_PORT, victimOf } from '../rules.ts';

/** Options of the process. */
export interface CoreOptions {
  /** Folder of the configuration; its neighbors are dialled. */
  readonly folder: string;
}

export type CoreRequest =
  /** Makes victims `from` .. `from + count - 1` have a mitigation each. */
  | { readonly type: 'load'; readonly from: number; readonly count: number }
  /** Reports victims one at a time, each new, and takes each back: what stands stays as it was. */
  | { readonly type: 'events'; readonly from: number; readonly count: number }
  /** One reconciliation of everything, with nothing to change. */
  | { readonly type: 'full' }
  | { readonly type: 'cpu' };

export type CoreReport =
  | { readonly type: 'started' }
  | { readonly type: 'loaded' }
  /** µs from submit to answer of each event, and of its kick alone. */
  | { readonly type: 'measured'; readonly eventUs: readonly number[]; readonly kickUs: readonly number[] }
  | { readonly type: 'reconciled'; readonly ms: number }
  /** Processor time of this thread so far. */
  | { readonly type: 'cpu-time'; readonly ms: number };

/** Commands that wait in the engine's queue at once while loading. */
const AT_ONCE = 500;

const options: CoreOptions = JSON.parse(process.argv[2] ?? '{}');

function tell(report: CoreReport): void {
  process.send?.(report);
}

const result = await loadConfig(options.folder, {});
if (!result.ok) throw new Error(JSON.stringify(result.problems));
const { policy, bgp } = result.config;
const { engine } = await openEngine({
  store: new MemoryStore(),
  policy,
  clock: Date.now,
  newId: randomUUID,
  snapshotEvery: 0,
});
const speaker = new Speaker(bgp.speaker);
let kickFrom = 0;
let kickUs: number[] = [];
// Followers are called in the order in which they came: one just before the reconciler's, one just behind it.
engine.followFirst(() => {
  kickFrom = performance.now();
});
const reconciler = new Reconciler({
  engine,
  announcer: speaker,
  neighbors: bgp.control,
  clock: Date.now,
  timers: realTimers,
  intervalMs: 3_600_000,
  log: () => undefined,
});
await reconciler.start();
engine.followFirst(() => {
  kickUs.push((performance.now() - kickFrom) * 1000);
});

function report(n: number, action: Detection['action'] = 'ban'): Promise<unknown> {
  const detection: Detection = {
    externalId: null,
    source: 'bench',
    action,
    victim: victimOf(n),
    vector: 'udp_flood',
    protocol: 17,
    bps: 4_200_000_000,
    pps: 900_000,
    confidence: 0.9,
    ports: [RULE_PORT],
    at: null,
    details: {},
  };
  return engine.submit({ type: 'event', detection, actor: { kind: 'detector', name: 'bench' } });
}

async function serve(request: CoreRequest): Promise<void> {
  switch (request.type) {
    case 'load':
      for (let at = 0; at < request.count; at += AT_ONCE) {
        const count = Math.min(AT_ONCE, request.count - at);
        await Promise.all(Array.from({ length: count }, (_, i) => report(request.from + at + i)));
      }
      tell({ type: 'loaded' });
      break;
    case 'events': {
      const eventUs: number[] = [];
      const kicks: number[] = [];
      for (let n = request.from; n < request.from + request.count; n++) {
        kickUs = [];
        const from = performance.now();
        await report(n);
        eventUs.push((performance.now() - from) * 1000);
        kicks.push(...kickUs.slice(0, 1));
        await report(n, 'unban');
        // The rule and its withdrawal are written in turns of their own.
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      tell({ type: 'measured', eventUs, kickUs: kicks });
      break;
    }
    case 'full':
      await reconciler.full();
      tell({ type: 'reconciled', ms: reconciler.stats.lastRunMs });
      break;
    case 'cpu':
      tell({ type: 'cpu-time', ms: threadCpuNs() / 1e6 });
      break;
  }
}

process.on('message', (request: CoreRequest) => void serve(request));
process.on('disconnect', () => process.exit(0));
await speaker.start();
tell({ type: 'started' });
