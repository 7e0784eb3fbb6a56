import { readdir, readFile } from 'node:fs/promises';
import { runProgram } from './run-program.ts';

/** A process as the system lists it. */
export interface FoundProcess {
  readonly pid: number;
  /** Its program and its arguments; on Linux apart, elsewhere in one text. */
  readonly command: readonly string[];
}

/** Finds the etcd processes that run on a data directory, or below it. */
export async function findEtcdProcesses(dataDir: string): Promise<readonly FoundProcess[]> {
  const all = await findProcesses(dataDir);
  // What watches over an etcd is a shell with the same arguments.
  return all.filter(({ command }) => !/^(\/bin\/)?sh\b/.test(command[0] ?? ''));
}

/** Finds the processes that name a text in their command lines. */
export async function findProcesses(text: string): Promise<readonly FoundProcess[]> {
  const all = process.platform === 'linux' ? await readProc() : await readPs();
  return all.filter(({ command }) => command.some((part) => part.includes(text)));
}

async function readProc(): Promise<readonly FoundProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
        return [{ pid: Number(pid), command }];
      } catch {
        // It has ended since the folder was read.
        return [];
      }
    }),
  );
  return found.flat();
}

async function readPs(): Promise<readonly FoundProcess[]> {
  const { stdout } = await runProgram('ps', ['-axwwo', 'pid=,command=']);
  return stdout.split('\n').flatMap((line) => {
    const [, pid, command] = /^\s*(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined || command === undefined ? [] : [{ pid: Number(pid), command: [command] }];
  });
}
