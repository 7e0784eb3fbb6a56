import { spawn } from 'node:child_process';

/** What a program may do. */
export interface RunProgramOptions {
  /** Added to the environment. @default nothing */
  readonly env?: Readonly<Record<string, string>>;
  /** Time after which it is killed, in milliseconds. @default 60000 */
  readonly timeoutMs?: number;
}

/** How a program ended. */
export interface ProgramOutcome {
  /** Null where it was killed. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, however it ends. Rejects where it cannot be started. */
export async function runProgram(
  program: string,
  args: readonly string[],
  { env = {}, timeoutMs = 60_000 }: RunProgramOptions = {},
): Promise<ProgramOutcome> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  const [exitCode, stdout, stderr] = await Promise.all([promise, textOf(child.stdout), textOf(child.stderr)]);
  return { exitCode, stdout, stderr };
}

/** Runs a program that must succeed, and gives what it printed on stdout. */
export async function outputOf(
  program: string,
  args: readonly string[],
  options: RunProgramOptions = {},
): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(program, args, options);
  if (exitCode !== 0)
    throw new Error(`${program} ended with ${exitCode}: ${stderr.trim()}\n${stdout.trim()}`);
  return stdout;
}

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
