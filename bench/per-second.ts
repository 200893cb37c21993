/** Rates of work that is done in this very thread. */
import { threadCpuNs } from './children.ts';

/** Long enough that the kernel's ticks, in which it counts processor time, do not matter. */
const ROUND_NS = 60e6;

/** Things a second of processor time, for each round after two that warm up. */
export function perSecond(rounds: number, things: number, work: () => void): readonly number[] {
  work();
  work();
  return Array.from({ length: rounds }, () => {
    const from = threadCpuNs();
    let taken = 0;
    let times = 0;
    for (; taken < ROUND_NS; taken = threadCpuNs() - from) {
      work();
      times++;
    }
    return (times * things * 1e9) / taken;
  });
}
