import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { PINNED_NODE } from '../../support/run-concord.ts';

/** A client in a process of its own that holds a lock. Disposing kills it. */
export interface HoldingProcess extends AsyncDisposable {
  readonly fencingToken: bigint;
  /** Sends it SIGSTOP or SIGCONT. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void;
  /** Has it write its key under its fence and release the lock; resolves with `OK` or the reason of the failure of each. */
  writeAndRelease(value: string): Promise<{ readonly write: string; readonly release: string }>;
}

const FIXTURE = fileURLToPath(new URL('fixture/hold-and-write.ts', import.meta.url));

/** Starts one, and resolves when it holds the lock. */
export async function startHoldingProcess(url: string, name: string, key: string): Promise<HoldingProcess> {
  const child = spawn(PINNED_NODE, [FIXTURE, url, name, key], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done) throw new Error('the process has ended');
    return JSON.parse(value);
  };
  const { fencingToken } = (await next()) as { readonly fencingToken: string };
  return {
    fencingToken: BigInt(fencingToken),
    signal: (signal) => void child.kill(signal),
    async writeAndRelease(value) {
      child.stdin.write(`${value}\n`);
      return (await next()) as { readonly write: string; readonly release: string };
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
