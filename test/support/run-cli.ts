// support: the `concord` command as people run it, in a process of its own.

import { spawn } from 'node:child_process';
import { PINNED_NODE, type ProcessExit, REPOSITORY } from './run-concord.ts';

/** How the command is run. */
export interface CliOptions {
  /** The gateway. @default none is named */
  readonly server?: string | undefined;
  /** Added to PATH and HOME; nothing else of this process's environment is passed on. @default nothing */
  readonly env?: Readonly<Record<string, string>>;
  /** What it finds on standard input. @default nothing */
  readonly input?: string | Uint8Array;
  /** The folder that it runs in. @default this repository */
  readonly cwd?: string;
  /** What is run. @default the pinned Node.js with src/cli/main.ts */
  readonly program?: readonly string[];
}

/** A command that runs; disposing ends it. */
export interface CliProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it has written so far. */
  readonly stdout: string;
  readonly stderr: string;
  /** Resolves when it has ended and all that it wrote is there. */
  readonly exited: Promise<ProcessExit>;
  signal(name: NodeJS.Signals): void;
}

/** How a command ended. */
export interface CliOutcome {
  /** Null where a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

const STOP_TIMEOUT_MS = 20_000;
const MAIN = `${REPOSITORY}/src/cli/main.ts`;

/** Starts a command. */
export function startCli(
  args: readonly string[],
  options: CliOptions = {},
): CliProcess & { readonly bytes: () => Buffer } {
  const { server, env = {}, input = '', cwd = REPOSITORY, program = [PINNED_NODE, MAIN] } = options;
  const { PATH = '', HOME = '' } = process.env;
  const [file = '', ...first] = program;
  const child = spawn(file, [...first, ...args], {
    cwd,
    env: { PATH, HOME, ...(server === undefined ? {} : { CONCORD_SERVER: server }), ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} cannot be started`);
  // It may end before it has read everything.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => void chunks.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const { promise: exited, resolve } = Promise.withResolvers<ProcessExit>();
  child.on('close', (code, signal) => resolve({ code, signal }));
  return {
    pid,
    get stdout() {
      return Buffer.concat(chunks).toString();
    },
    get stderr() {
      return stderr;
    },
    bytes: () => Buffer.concat(chunks),
    exited,
    signal: (name) => void child.kill(name),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      // What it runs in turn holds its output open, and ends with it only where it may end it.
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        child.stdout.destroy();
        child.stderr.destroy();
      }, STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** Runs a command to its end. */
export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliOutcome> {
  await using cli = startCli(args, options);
  const { code } = await cli.exited;
  return { code, stdout: cli.stdout, stderr: cli.stderr, stdoutBytes: cli.bytes() };
}
