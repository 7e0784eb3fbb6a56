import { type App, createApp } from '../../src/app.ts';
import { parseInvocation } from '../../src/settings/parse-settings.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** A gateway in this process, on a free port of loopback; disposing drains it. */
export interface TestGateway extends AsyncDisposable {
  /** Such as `http://127.0.0.1:41234`. */
  readonly url: string;
  readonly port: number;
  readonly app: App;
  /** What it has logged so far, parsed. */
  readonly logLines: readonly Readonly<Record<string, unknown>>[];
}

/** Starts a gateway on `endpoints`. `env` holds further settings by their names in the environment. */
export async function startGateway(
  endpoints: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<TestGateway> {
  const invocation = parseInvocation([], {
    CONCORD_LISTEN: '127.0.0.1:0',
    CONCORD_LOG_LEVEL: 'debug',
    // Of a call that brings none: no test is to fail because the machine is slow.
    CONCORD_REQUEST_TIMEOUT: '1m',
    ETCD_ENDPOINTS: endpoints.join(),
    ...env,
  });
  if (invocation.kind !== 'run') throw new Error('no arguments were given');
  const logLines: Record<string, unknown>[] = [];
  const log = createLogger(invocation.settings.logLevel, 'json', {
    write: (line) => void logLines.push(JSON.parse(line) as Record<string, unknown>),
  });
  const app = await createApp(invocation.settings, log, { signal: new AbortController().signal });
  const [listener] = app.listeners;
  if (listener === undefined) throw new Error('the gateway has no listener');
  return {
    url: `${listener.scheme}://127.0.0.1:${listener.port}`,
    port: listener.port,
    app,
    logLines,
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  };
}
