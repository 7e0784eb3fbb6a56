// The gateway as a process: settings in, signals, exit codes out.
// What `npm start` and `concord serve` run.

import packageJson from '../package.json' with { type: 'json' };
import { banner } from './banner.ts';
import { helpText } from './settings/document.ts';
import { type Invocation, parseInvocation, SettingError } from './settings/parse-settings.ts';
import { startAlone } from './start-alone.ts';
import { logWarnings } from './telemetry/log-warnings.ts';
import { createLogger, type Logger } from './telemetry/logger.ts';
import { startWorkers } from './workers/start-workers.ts';

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

async function run({ settings: given }: Extract<Invocation, { kind: 'run' }>): Promise<number> {
  const logFormat = given.logFormat ?? (process.stderr.isTTY ? 'text' : 'json');
  const settings = { ...given, logFormat };
  const log = createLogger(settings.logLevel, logFormat, process.stderr);
  const stop = stopSignal(log);
  logWarnings(log);
  try {
    const start = settings.workers === 1 ? startAlone : startWorkers;
    await using gateway = await start(settings, log, { signal: stop });
    process.stdout.write(banner(gateway));
    await Promise.race([aborted(stop), gateway.failed]);
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
