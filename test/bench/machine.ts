import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';

/** What the figures of a run depend on, besides the code. */
export function describeMachine(): Readonly<Record<string, unknown>> {
  return {
    system: `${type()} ${release()}`,
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
    memoryBytes: totalmem(),
    loadAverage1m: loadavg()[0],
    node: process.versions.node,
  };
}
