import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../../src/embedded/free-port.ts';
import { awaitHttpOk } from './await-http-ok.ts';
import { startChildProcess } from './child-process.ts';

/** One gateway in a process of its own; disposing drains it. */
export interface GatewayProcess extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** From just before the process was made until `/readyz` answered 200. */
  readonly readyAfterMs: number;
  /** The last lines it logged, oldest first: warnings and worse. */
  lastLines(): readonly string[];
}

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
/** What follows `node` in the command of `npm start`. */
const START = startArgs(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
const READY_TIMEOUT_MS = 30_000;

/**
 * Starts what `npm start` does on an etcd that runs.
 *
 * @param options `profileDir` is where it leaves a CPU profile when it ends. Default: it is not profiled. `env` holds further
 * settings by their names in the environment. Default: none.
 */
export async function startGatewayProcess(
  etcdEndpoint: string,
  {
    profileDir,
    env = {},
    signal,
  }: {
    readonly profileDir?: string | undefined;
    readonly env?: Readonly<Record<string, string>>;
    readonly signal: AbortSignal;
  },
): Promise<GatewayProcess> {
  const port = await findFreePort('127.0.0.1');
  const profiling = profileDir === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileDir}`];
  const startedAtMs = performance.now();
  await using started = new AsyncDisposableStack();
  const child = started.use(
    startChildProcess({
      command: process.execPath,
      args: [...profiling, ...START],
      cwd: REPOSITORY,
      env: {
        ETCD_ENDPOINTS: etcdEndpoint,
        CONCORD_LISTEN: `127.0.0.1:${port}`,
        CONCORD_LOG_LEVEL: 'warn',
        ...env,
      },
    }),
  );
  const polling = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
  await Promise.race([awaitHttpOk(port, '/readyz', { signal: polling }), child.failed]);
  const readyAfterMs = performance.now() - startedAtMs;
  const { pid, lastLines } = child;
  if (pid === undefined) throw new Error('a gateway that is ready has no process');
  const running = started.move();
  return { pid, port, readyAfterMs, lastLines, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

function startArgs(packageJson: string): readonly string[] {
  const { scripts } = JSON.parse(packageJson) as { readonly scripts: { readonly start: string } };
  return scripts.start.replace(/^exec node /, '').split(' ');
}
