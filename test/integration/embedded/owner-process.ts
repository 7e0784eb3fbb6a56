import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Another process that owns an embedded etcd. */
export interface OwnerProcess extends AsyncDisposable {
  readonly pid: number;
  readonly etcd: { readonly endpoint: string; readonly pid: number };
  /** Sends a signal and waits for the end; gives the exit code, null when the signal ended it. */
  end(signal: NodeJS.Signals, toGroup?: boolean): Promise<number | null>;
  /** The lines it printed after the first. */
  readonly lines: readonly string[];
}

const FIXTURE = fileURLToPath(new URL('fixture/own-embedded-etcd.ts', import.meta.url));

/** Starts one, in a process group of its own, and resolves when its etcd serves. */
export async function startOwner(
  { binary, version }: { readonly binary: string; readonly version: string },
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<OwnerProcess> {
  const child = spawn(process.execPath, [FIXTURE, binary, version, dataDir], {
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout });
  const first = await Promise.race([once(output, 'line'), ended.then(() => undefined)]);
  const { pid } = child;
  if (first === undefined || pid === undefined) throw new Error('the owner ended before its etcd served');
  output.on('line', (line) => lines.push(line));
  const end = async (signal: NodeJS.Signals, toGroup = false): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) process.kill(toGroup ? -pid : pid, signal);
    await ended;
    return child.exitCode;
  };
  return {
    pid,
    etcd: JSON.parse(String(first[0])),
    end,
    lines,
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
    },
  };
}
