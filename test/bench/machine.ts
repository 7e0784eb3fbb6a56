import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** What the figures of a run depend on, besides the code. */
export interface Machine {
  readonly system: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Before the run: above 0.5 or so, other work takes its share and the ratios with it. */
  readonly loadAverage1m: number;
  readonly node: string;
}

/** Describes this machine as it is now. */
export function describeMachine(): Machine {
  const [loadAverage1m = 0] = loadavg();
  return {
    system: `${type()} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    loadAverage1m,
    node: process.versions.node,
  };
}
