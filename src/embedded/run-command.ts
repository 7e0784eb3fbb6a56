import { spawn } from 'node:child_process';

/** What one command may do. */
export interface RunCommandOptions {
  /** Aborts the command (SIGKILL); the call then rejects with `signal.reason`. */
  readonly signal: AbortSignal;
  /** The folder it runs in. @default the process's own */
  readonly cwd?: string;
  /** Time after which it is killed, in milliseconds. @default 10000 */
  readonly timeoutMs?: number;
}

/** A command that could not be started, failed or took too long; `output` has the last of what it printed. */
export class CommandError extends Error {
  readonly output: string;

  constructor(message: string, output: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CommandError';
    this.output = output;
  }
}

const OUTPUT_LIMIT = 64 * 1024;

/**
 * Runs a command to its end and gives what it printed, stdout and stderr together (the last 64 Ki characters).
 *
 * @throws {@link CommandError} when it cannot be started, ends with another code than 0, or runs out of time.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: RunCommandOptions,
): Promise<string> {
  const { signal, cwd, timeoutMs = 10_000 } = options;
  signal.throwIfAborted();
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = '';
  let timedOut = false;
  const collect = (chunk: string): void => {
    output = (output + chunk).slice(-OUTPUT_LIMIT);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  const kill = (): void => {
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => {
    timedOut = true;
    kill();
  }, timeoutMs);
  signal.addEventListener('abort', kill, { once: true });
  child.on('error', (error) => {
    const isMissing = 'code' in error && error.code === 'ENOENT';
    const why = isMissing ? `there is no ${command} on this machine` : `${command}: ${error.message}`;
    reject(new CommandError(why, output, error));
  });
  child.on('close', (code, killSignal) => {
    if (timedOut) reject(new CommandError(`${command} took longer than ${timeoutMs} ms`, output));
    else if (code === 0) resolve(output);
    else reject(new CommandError(`${command} ended with ${code ?? killSignal}${lastLine(output)}`, output));
  });
  try {
    return await promise;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', kill);
  }
}

function lastLine(output: string): string {
  const line = output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line === '' ? '' : `: ${line}`;
}
