import type { CallOptions } from '@connectrpc/connect';
import type { Command } from 'commander';
import { describeFailure, EXIT } from './failure.ts';
import { DEFAULT_SERVER, type Gateway, openGateway } from './gateway.ts';
import { createOutput, type Output, type Stream } from './output.ts';

/** What the process gives to commands. */
export interface Runtime {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: Stream;
  readonly stderr: Stream;
  /** How the process is to end. */
  exitCode: number;
}

/** What the body of a command works with. */
export interface Use {
  readonly output: Output;
  readonly gateway: Gateway;
  readonly env: Runtime['env'];
  /** The options of one call: its deadline is `--timeout`, else the one given. @param defaultMs default 10,000 */
  call(defaultMs?: number): CallOptions;
}

/** The options that every command has. */
export interface GlobalOptions {
  readonly server?: string;
  readonly token?: string;
  readonly timeout?: number;
  readonly json?: true;
  readonly color: boolean;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/** Runs the body of a command with what its options say, tells what goes wrong, and sets the exit code that it returns. */
export async function runCommand(
  runtime: Runtime,
  command: Command,
  body: (use: Use) => Promise<number | undefined>,
): Promise<void> {
  const options = command.optsWithGlobals<GlobalOptions>();
  const { env } = runtime;
  const output = outputOf(runtime, options);
  const server = options.server ?? (env['CONCORD_SERVER'] || DEFAULT_SERVER);
  try {
    const gateway = openGateway(server, options.token ?? env['CONCORD_TOKEN']);
    const call = (defaultMs = DEFAULT_TIMEOUT_MS): CallOptions => ({
      timeoutMs: options.timeout ?? defaultMs,
    });
    runtime.exitCode = (await body({ output, gateway, env, call })) ?? EXIT.ok;
  } catch (error) {
    if (isClosedPipe(error)) return;
    const failure = describeFailure(error, server);
    output.fail(failure);
    runtime.exitCode = failure.exitCode;
  }
}

/** The output that options ask for. */
export function outputOf(
  { env, stdout, stderr }: Runtime,
  { json, color }: Pick<GlobalOptions, 'json' | 'color'>,
): Output {
  const hasColor = color && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return createOutput({ stdout, stderr, isJson: json === true, hasColor });
}

/** Whether whoever read the output went away, as `head` does: no failure. */
function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
