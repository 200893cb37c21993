/** The parts of prefixd that decide, reconcile and speak, put together as the daemon does. */
import { Speaker } from '../../src/bgp/speaker/speaker.ts';
import type { Engine } from '../../src/control/engine.ts';
import { openEngine } from '../../src/control/open-engine.ts';
import { Reconciler } from '../../src/control/reconciler.ts';
import type { Store } from '../../src/store/store.ts';
import { worldNow, worldRuntime, worldTimers } from './clock.ts';
import { type Edge, LOCAL_ASN } from './edge.ts';
import { POLICY } from './setting.ts';

/** Between two full runs. So long that no quiet point owes anything to them: what a change leaves undone stays undone. */
const INTERVAL_MS = 24 * 3_600_000;
/** Often enough that a start reads a snapshot and what follows it. */
const SNAPSHOT_EVERY = 500;

export interface Daemon {
  readonly engine: Engine;
  readonly reconciler: Reconciler;
  readonly speaker: Speaker;
  /** Parts from the routers, and closes the store. */
  stop(preserve: boolean): Promise<void>;
}

/** Starts on what the store holds. `host` is the speaker's address. */
export async function startDaemon(
  store: Store,
  host: string,
  edges: readonly Edge[],
  newId: () => string,
  log: (line: string) => void,
  onFact: (type: string) => void,
): Promise<Daemon> {
  const { engine, warnings } = await openEngine({
    store,
    policy: POLICY,
    clock: worldNow,
    newId,
    snapshotEvery: SNAPSHOT_EVERY,
  });
  for (const warning of warnings) log(`store: ${warning}`);
  engine.follow((facts) => {
    for (const { fact } of facts) onFact(fact.type);
  });
  const speaker = new Speaker(
    {
      localAsn: LOCAL_ASN,
      routerId: '192.0.2.10',
      listen: { host, port: 0 },
      neighbors: edges.map((edge) => edge.neighbor(host)),
    },
    worldRuntime,
  );
  speaker.subscribe({
    onLog: (level, peer, text, fields) =>
      log(`${level} ${peer ?? ''}: ${text} ${fields === undefined ? '' : JSON.stringify(fields)}`),
  });
  const reconciler = new Reconciler({
    engine,
    announcer: speaker,
    neighbors: edges.map((edge) => edge.policy()),
    clock: worldNow,
    timers: worldTimers,
    intervalMs: INTERVAL_MS,
    log: (level, text) => log(`${level} reconciler: ${text}`),
  });
  await reconciler.start();
  await speaker.start();
  return {
    engine,
    reconciler,
    speaker,
    async stop(preserve) {
      await reconciler.stop();
      await speaker.stop({ preserve, communication: 'soak' });
      await engine.close();
    },
  };
}
