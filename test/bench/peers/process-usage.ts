import { readFile } from 'node:fs/promises';

/** Linux counts the CPU time of a process in ticks of 1/100 s, whatever its own clock does (proc_pid_stat(5), `USER_HZ`). */
const TICK_MS = 10;

/** The CPU time that a process has used since its start, all threads together, in milliseconds. */
export async function cpuTimeMs(pid: number): Promise<number> {
  return readCpuTimeMs(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** The same, of what stands in `/proc/<pid>/stat`. */
export function readCpuTimeMs(stat: string): number {
  // The name of the program stands in brackets, and may hold any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [fields[11], fields[12]];
  if (user === undefined || system === undefined) throw new Error(`no CPU time in "${stat}"`);
  return (Number(user) + Number(system)) * TICK_MS;
}
