import { spawn } from 'node:child_process';
import { buffer } from 'node:stream/consumers';

/**
 * Runs a load generator to its end.
 *
 * @returns what it wrote to stdout
 * @throws Error where it cannot be run, or fails, with what it wrote to stderr; `signal.reason` on abort, when it has ended
 */
export async function runTool(
  path: string,
  args: readonly string[],
  { signal }: { readonly signal: AbortSignal },
): Promise<string> {
  signal.throwIfAborted();
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  process.on('exit', kill);
  try {
    const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>();
    child.on('error', reject);
    child.on('close', resolve);
    const [stdout, stderr, code] = await Promise.all([buffer(child.stdout), buffer(child.stderr), ended]);
    signal.throwIfAborted();
    if (code !== 0) throw new Error(`${path} ended with code ${code}: ${stderr.toString().trim()}`);
    return stdout.toString();
  } finally {
    signal.removeEventListener('abort', kill);
    process.off('exit', kill);
  }
}
