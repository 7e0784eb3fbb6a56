import { readFile } from 'node:fs/promises';
import { runCommand } from './run-command.ts';

/** A process as it can be recognised later: pids are used again, a pid with a start time is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: on Linux the boot and the ticks since it, elsewhere what `ps` says. */
  readonly startTime: string;
}

/** The identity of a live process; undefined when there is none, or only one that has ended and waits for its parent. */
export async function identifyProcess(
  pid: number,
  options: { signal: AbortSignal },
): Promise<ProcessIdentity | undefined> {
  const startTime = process.platform === 'linux' ? await readLinux(pid) : await readPs(pid, options);
  return startTime === undefined ? undefined : { pid, startTime };
}

/** Whether that very process still lives. */
export async function isAlive(identity: ProcessIdentity, options: { signal: AbortSignal }): Promise<boolean> {
  const found = await identifyProcess(identity.pid, options);
  return found?.startTime === identity.startTime;
}

/** A process's command line, its parts divided by NUL (Linux) or spaces; undefined when there is no such process. */
export async function readCommandLine(
  pid: number,
  options: { signal: AbortSignal },
): Promise<string | undefined> {
  return process.platform === 'linux' ? readProc(`/proc/${pid}/cmdline`) : askPs(pid, ['command'], options);
}

/** proc_pid_stat(5): the name in field 2 may hold spaces and brackets; after it come the state (3) … start time (22). */
async function readLinux(pid: number): Promise<string | undefined> {
  const stat = await readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const ticks = fields[19];
  if (state === 'Z' || state === 'X' || ticks === undefined) return undefined;
  const boot = (await readProc('/proc/sys/kernel/random/boot_id')) ?? '';
  return `${boot.trim()}/${ticks}`;
}

async function readPs(pid: number, options: { signal: AbortSignal }): Promise<string | undefined> {
  const line = await askPs(pid, ['stat', 'lstart'], options);
  const [, state, startTime] = /^(\S+)\s+(.+)$/.exec(line ?? '') ?? [];
  return state?.startsWith('Z') ? undefined : startTime;
}

/** Undefined for a process that is gone (ENOENT, or ESRCH when it goes while it is read). */
async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function askPs(
  pid: number,
  columns: readonly string[],
  options: { signal: AbortSignal },
): Promise<string | undefined> {
  try {
    const wanted = columns.flatMap((column) => ['-o', `${column}=`]);
    const output = await runCommand('env', ['LC_ALL=C', 'ps', ...wanted, '-p', `${pid}`], options);
    return output.trim() || undefined;
  } catch {
    options.signal.throwIfAborted();
    return undefined;
  }
}
