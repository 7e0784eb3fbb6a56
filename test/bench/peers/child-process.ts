import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A server that runs as a child of the bench; disposing ends it. */
export interface ChildProcess extends AsyncDisposable {
  /** Undefined where it could not be started; then it has failed. */
  readonly pid: number | undefined;
  /** Rejects when it ends before it is disposed, with the last lines it wrote to stderr. Never resolves. */
  readonly failed: Promise<never>;
  /** The last lines it wrote to stderr, oldest first, at most 20. */
  lastLines(): readonly string[];
}

/** What a child is started with. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Its whole environment, besides `PATH` and `HOME`: settings of whoever runs the bench must not reach it. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its working folder. */
  readonly cwd: string;
}

const KEPT_LINES = 20;
const END_TIMEOUT_MS = 15_000;

/** Starts a child. It does not outlive this process, unless this process is ended by SIGKILL. */
export function startChildProcess({ command, args, env = {}, cwd }: ChildOptions): ChildProcess {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(command, args, {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    // A Ctrl-C in a terminal goes to a whole process group: this way it reaches only the bench, which ends its children.
    detached: true,
  });
  const killAtExit = () => void child.kill('SIGKILL');
  process.on('exit', killAtExit);

  const lines: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
  });

  let isStopping = false;
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  failed.catch(() => {});
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  child.on('error', (error) => {
    fail(error);
    end();
  });
  child.on('close', (code, signal) => {
    process.off('exit', killAtExit);
    if (!isStopping)
      fail(new Error([`${command} ${args.join(' ')} ended: ${signal ?? code}`, ...lines].join('\n  ')));
    end();
  });

  return {
    pid: child.pid,
    failed,
    lastLines: () => [...lines],
    async [Symbol.asyncDispose]() {
      isStopping = true;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), END_TIMEOUT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
