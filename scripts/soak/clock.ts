/** A world in which time passes faster, so that hold times, restart times and TTLs of many seconds pass in one. */
import type { TimerHost } from '../../src/control/types.ts';
import { netTransport } from '../../src/bgp/speaker/tcp/net-transport.ts';
import { type Runtime, systemRuntime } from '../../src/bgp/speaker/runtime.ts';

/** The seconds of the simulated world in one real second: a hold time of 45 s takes 3 s. */
export const SPEED = 15;

const began = Date.now() - performance.now() * SPEED;

/** Milliseconds since the epoch, in the world. */
export const worldNow = (): number => Math.round(began + performance.now() * SPEED);

const after = (milliseconds: number, callback: () => void): (() => void) => {
  const timer = setTimeout(callback, milliseconds / SPEED);
  return () => clearTimeout(timer);
};

/** For the speaker and the routers: real connections, the world's time. */
export const worldRuntime: Runtime = { ...systemRuntime(netTransport), now: worldNow, after };

/** For the reconciler. */
export const worldTimers: TimerHost = { after, yield: () => new Promise((resolve) => setImmediate(resolve)) };
