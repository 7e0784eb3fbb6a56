import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../support/eventually.ts';
import { PINNED_NODE } from '../../support/run-concord.ts';

/** What the process last knew of an instance. */
export interface AttachedLine {
  readonly instanceId: string;
  readonly leaseId: string;
  readonly resumeToken: string;
  /** How its stream ended. */
  readonly error?: string;
}

/** A process whose instances are attached; disposing kills it. */
export interface AttachedProcess extends AsyncDisposable {
  readonly pid: number;
  /** All lines that it printed. */
  readonly lines: readonly AttachedLine[];
  /** The last message of an instance's stream; throws before the first. */
  last(instanceId: string): AttachedLine;
  signal(name: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** What the process does. */
export interface AttachedProcessOptions {
  readonly url: string;
  readonly service: string;
  readonly instanceIds: readonly string[];
  /** @default 0 */
  readonly graceSeconds?: number;
}

const FIXTURE = fileURLToPath(new URL('fixture/attach-instances.ts', import.meta.url));
const START_MS = 60_000;

/** Starts it; resolves when all its instances are registered. */
export async function startAttachedProcess({
  url,
  service,
  instanceIds,
  graceSeconds = 0,
}: AttachedProcessOptions): Promise<AttachedProcess> {
  const args = [FIXTURE, url, service, instanceIds.join(), String(graceSeconds)];
  const child = spawn(PINNED_NODE, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const lines: AttachedLine[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(JSON.parse(line) as AttachedLine));
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  const attached = {
    pid: child.pid ?? -1,
    lines,
    last(instanceId: string): AttachedLine {
      const line = lines.findLast((each) => each.instanceId === instanceId && each.error === undefined);
      if (line === undefined)
        throw new Error(`${instanceId} is not attached: ${JSON.stringify(lines.at(-1))}`);
      return line;
    },
    signal: (name: NodeJS.Signals) => void child.kill(name),
    kill,
    [Symbol.asyncDispose]: kill,
  };
  try {
    await eventually(() => instanceIds.map(attached.last), START_MS);
  } catch (error) {
    await kill();
    throw error;
  }
  return attached;
}
