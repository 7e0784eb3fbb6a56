import { readFile } from 'node:fs/promises';

/** The memory of a process, in MiB. */
export interface ProcessMemory {
  readonly residentMiB: number;
  /** The most it has been since the process began. */
  readonly peakMiB: number;
}

/** Asks Linux. */
export async function readProcessMemory(pid: number): Promise<ProcessMemory> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const read = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024);
  return { residentMiB: read('VmRSS'), peakMiB: read('VmHWM') };
}
