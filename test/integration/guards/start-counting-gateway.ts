import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { findFreePort } from '../../../src/embedded/free-port.ts';
import { awaitHttpOk } from '../../bench/peers/await-http-ok.ts';

/** What the code of a gateway made. */
export interface MadeObjects {
  /** On V8's heap, garbage included; sampled, and so within some percent. */
  readonly allocatedBytes: number;
  /** By `setTimeout`. */
  readonly timers: number;
  readonly abortControllers: number;
}

/** A gateway in a process of its own that counts; disposing ends it. */
export interface CountingGateway extends AsyncDisposable {
  readonly port: number;
  /** What it made since it was asked last, or since its start. */
  takeMadeObjects(): Promise<MadeObjects>;
}

const GATEWAY = fileURLToPath(new URL('fixture/counting-gateway.ts', import.meta.url));
const READY_TIMEOUT_MS = 120_000;
const ANSWER_TIMEOUT_MS = 60_000;

/** Starts it on an etcd that runs; resolves when it is ready. */
export async function startCountingGateway(etcdEndpoint: string): Promise<CountingGateway> {
  const port = await findFreePort('127.0.0.1');
  const { PATH = '', HOME = '' } = process.env;
  const child = fork(GATEWAY, {
    env: {
      PATH,
      HOME,
      ETCD_ENDPOINTS: etcdEndpoint,
      CONCORD_LISTEN: `127.0.0.1:${port}`,
      CONCORD_LOG_LEVEL: 'warn',
    },
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  await using started = new AsyncDisposableStack();
  started.defer(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await awaitHttpOk(port, '/readyz', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
  const running = started.move();
  return {
    port,
    async takeMadeObjects() {
      const answered = once(child, 'message', { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
      child.send('what was made?');
      const [made] = await answered;
      return made as MadeObjects;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
