/** Describes the machine of a measurement, without its name. */
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGb: number;
  readonly node: string;
  readonly kernel: string;
  /** One minute's load when the run began: what else was going on. */
  readonly load: number;
}

export function describeMachine(): Machine {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    kernel: release().split('-')[0] ?? '',
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

export function machineText(machine: Machine): string {
  const { cores, processor, memoryGb, node, kernel, load } = machine;
  return `${cores} cores (${processor}), ${memoryGb} GB, Linux ${kernel}, Node ${node}, load ${load} at the start`;
}
