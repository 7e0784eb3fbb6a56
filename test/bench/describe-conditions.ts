import type { Conditions } from './results-file.ts';

/** How a run was made, a sentence a line. */
export function describeConditions(conditions: Conditions): readonly string[] {
  const { startedAt, rounds, seconds, tools, etcdVersion, machine } = conditions;
  const { system, cpu, cpus, memoryBytes, loadAverage1m, node } = machine;
  return [
    `median (least–greatest) of ${rounds} rounds of ${seconds} s; load drivers: ${['own', ...tools].join(', ')}`,
    `etcd ${etcdVersion} without fsync, Node.js ${node}, 10,000 keys, 256-byte values`,
    `${cpus} cores (${cpu}) shared by all, ${Math.round(memoryBytes / 2 ** 30)} GiB, ${system}; load average before the run: ${loadAverage1m.toFixed(1)}`,
    `${startedAt.toISOString().slice(0, 10)}`,
  ];
}
