import { CommanderError } from 'commander';
import { devArguments } from './dev.ts';
import { EXIT, failureJson, failureLine, usageError } from './failure.ts';
import { createProgram } from './program.ts';
import type { Runtime } from './runtime.ts';

/** Runs what the arguments ask for, and returns the exit code. */
export async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === 'serve' || name === 'dev') return runGateway(name, rest);
  const { env, stdout, stderr } = process;
  // A reader that goes away fails the write that meets it, where it is dealt with.
  for (const stream of [stdout, stderr]) stream.on('error', () => {});
  const runtime: Runtime = { env, stdout, stderr, exitCode: EXIT.ok };
  try {
    await createProgram(runtime).parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return tellUsage(error, args);
  }
  return runtime.exitCode;
}

/** Runs a gateway: only then its code is loaded. */
async function runGateway(name: 'serve' | 'dev', args: readonly string[]): Promise<number> {
  const { serve } = await import('../serve.ts');
  if (name === 'serve') return serve(args, process.env);
  const dev = devArguments(args, process.env);
  if (typeof dev === 'string') {
    process.stderr.write(`${failureLine(usageError(dev).failure)}\n`);
    return EXIT.usage;
  }
  return serve(dev.args, dev.env);
}

/** What the parser ends with: help and versions are no failures. */
function tellUsage(error: CommanderError, args: readonly string[]): number {
  if (error.exitCode === 0) return EXIT.ok;
  const isJson = args.includes('--json');
  // Without a command the help was printed instead.
  if (error.code === 'commander.help') return EXIT.usage;
  const message = error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
  const { failure } = usageError(message);
  process.stderr.write(`${isJson ? failureJson(failure) : failureLine(failure)}\n`);
  return EXIT.usage;
}
