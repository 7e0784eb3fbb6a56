import { type RunningConcord, runConcord } from './run-concord.ts';

/** A gateway that can be killed and started again at the same address; disposing ends it. */
export interface RestartableConcord extends AsyncDisposable {
  readonly url: string;
  /** Ends the process as a machine that fails does. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** Starts a gateway on an etcd that outlives it. */
export async function runRestartableConcord(endpoint: string): Promise<RestartableConcord> {
  const env = { ETCD_ENDPOINTS: endpoint };
  let concord: RunningConcord = await runConcord({ env });
  const { url } = concord;
  return {
    url,
    async kill() {
      concord.signal('SIGKILL');
      await concord.exited;
      await concord[Symbol.asyncDispose]();
    },
    async start() {
      concord = await runConcord({ env: { ...env, CONCORD_LISTEN: new URL(url).host } });
    },
    [Symbol.asyncDispose]: () => concord[Symbol.asyncDispose](),
  };
}
