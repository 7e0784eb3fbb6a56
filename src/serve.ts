// The gateway as a process: settings in, signals, exit codes out.
// What `npm start` and `concord serve` run.

import packageJson from '../package.json' with { type: 'json' };
import { type App, createApp } from './app.ts';
import { helpText } from './settings/document.ts';
import { type Invocation, parseInvocation, SettingError } from './settings/parse-settings.ts';
import { createLogger, type Logger } from './telemetry/logger.ts';

const ETCD_VERSION_TIMEOUT_MS = 2_000;
/** Signals this close to the first are the same one: a terminal's Ctrl-C reaches a process and who started it, which passes it on. */
const SAME_SIGNAL_MS = 1_000;

/**
 * Runs a gateway until it is stopped, and resolves with the exit code: 0 after SIGTERM or SIGINT, 1 after a failure, 2 for a setting that
 * cannot be used. Owns the process: its signals, its standard output and error, and what Node.js warns of.
 */
export async function serve(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  let invocation: Invocation;
  try {
    invocation = parseInvocation(args, env);
  } catch (error) {
    if (!(error instanceof SettingError)) throw error;
    process.stderr.write(`concord: ${error.message}\n`);
    return 2;
  }
  switch (invocation.kind) {
    case 'help':
      process.stdout.write(`${helpText()}\n`);
      return 0;
    case 'version':
      process.stdout.write(`${packageJson.version}\n`);
      return 0;
    case 'run':
      return run(invocation);
  }
}

async function run({ settings }: Extract<Invocation, { kind: 'run' }>): Promise<number> {
  const format = settings.logFormat ?? (process.stderr.isTTY ? 'text' : 'json');
  const log = createLogger(settings.logLevel, format, process.stderr);
  const stop = stopSignal(log);
  logWarnings(log);
  try {
    await using app = await createApp(settings, log, { signal: stop });
    process.stdout.write(await banner(app));
    await Promise.race([aborted(stop), app.failed]);
    log.info({}, 'draining');
  } catch (error) {
    if (stop.aborted && error === stop.reason) return 0;
    log.error({ error }, 'failed');
    process.stderr.write(`concord: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
  log.info({}, 'stopped');
  return 0;
}

/** What Node.js warns of goes to the log, in its format. */
function logWarnings(log: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => log.warn({ name, cause: message }, 'Node.js warns'));
}

/** Aborts at the first SIGTERM or SIGINT; one that comes more than {@link SAME_SIGNAL_MS} later ends the process at once. */
function stopSignal(log: Logger): AbortSignal {
  const controller = new AbortController();
  let firstMs = 0;
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        if (performance.now() - firstMs > SAME_SIGNAL_MS) process.exit(1);
        return;
      }
      firstMs = performance.now();
      log.info({ signal: name }, 'stopping; once more, a second from now, ends at once');
      controller.abort(new Error(`stopped by ${name}`));
    });
  }
  return controller.signal;
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** What a person sees when it runs. */
async function banner(app: App): Promise<string> {
  const [first] = app.listeners;
  const url = first === undefined ? '' : urlOf(first);
  const where =
    app.embedded === undefined ? 'of the endpoints given' : `run here, data in ${app.embedded.dataDir}`;
  return [
    `Concord ${packageJson.version}: gRPC, gRPC-Web, Connect and HTTP/JSON on one port`,
    ...app.listeners.map((each) => `  listening  ${urlOf(each)}`),
    `  etcd       ${await etcdVersion(app)}, ${where}`,
    '  try        curl -H "content-type: application/json" \\',
    `               -d '{"key":"greeting","value":"hello"}' ${url}/concord.kv.v1.KvService/Put`,
    '',
  ].join('\n');
}

function urlOf({ scheme, host, port }: App['listeners'][number]): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function etcdVersion(app: App): Promise<string> {
  try {
    return await app.etcd.version({ signal: AbortSignal.timeout(ETCD_VERSION_TIMEOUT_MS) });
  } catch {
    return 'not reachable yet';
  }
}
