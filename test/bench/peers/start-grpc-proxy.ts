import { findFreePort } from '../../../src/embedded/free-port.ts';
import { awaitHttpOk } from './await-http-ok.ts';
import { startChildProcess } from './child-process.ts';

const READY_TIMEOUT_MS = 30_000;

/** Starts `etcd grpc-proxy`; resolves when it serves. */
export async function startGrpcProxy(
  binary: string,
  etcdEndpoint: string,
  { cwd, signal }: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<AsyncDisposable & { readonly port: number }> {
  const port = await findFreePort('127.0.0.1');
  const address = `127.0.0.1:${port}`;
  await using started = new AsyncDisposableStack();
  const child = started.use(
    startChildProcess({
      command: binary,
      args: [
        'grpc-proxy',
        'start',
        `--endpoints=${etcdEndpoint}`,
        `--listen-addr=${address}`,
        // From 3.5 on the proxy is a client of itself there, before it serves.
        `--advertise-client-url=${address}`,
      ],
      cwd,
    }),
  );
  const polling = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
  await Promise.race([awaitHttpOk(port, '/metrics', { signal: polling }), child.failed]);
  const running = started.move();
  return { port, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
